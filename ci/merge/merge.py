# SPDX-License-Identifier: GPL-2.0-or-later
"""Joins the shards of a plan to the results that one run would have had: `rig.py merge`. Nothing is run."""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ci.merge.join import Joined, join
from ci.merge.parts import ShardFolder, read_parts
from ci.plan.shards import Shards
from ci.report.output import write_reports
from ci.report.unfinished import FOLDERS, begin
from guests.run.request import SCRIPT
from util.errors import MachineError, UserError


def merge(folders: Sequence[Path], out: Path, shards: Shards | None = None) -> Joined:
    """Joins the shards in these folders and writes all reports into `out`. Raises UserError and MachineError; `out`
    holds no pass then."""
    if any(out == folder.resolve() or out.is_relative_to(folder.resolve()) for folder in folders):
        raise UserError(f"{out}: is the folder of a shard, or in one; name another --out")
    begin(out)
    parts, notes = read_parts(folders)
    joined = join(parts, out, shards, notes)
    copy_files(parts, out)
    write_reports(joined.run, out)
    return joined


def copy_files(parts: Iterable[ShardFolder], out: Path) -> None:
    """The consoles, configurations and logs of all shards below `out`. What is no plain file is left behind: the
    folders may come from a machine that nobody trusts. Raises MachineError."""
    for part in parts:
        for path in sorted(_files(part.folder)):
            target = out / path.relative_to(part.folder)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target, follow_symlinks=False)
                if path.name == SCRIPT and part.shard.folder:
                    text = target.read_text(encoding="utf-8")
                    target.write_text(text.replace(part.shard.folder, str(out)), encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise MachineError(f"{path}: cannot be copied to {target}: {error}") from None


def _files(folder: Path) -> Iterator[Path]:
    for name in FOLDERS:
        for root, folders, names in os.walk(folder / name):
            folders[:] = [item for item in folders if not (Path(root) / item).is_symlink()]
            found = (Path(root) / item for item in names)
            yield from (path for path in found if path.is_file() and not path.is_symlink())
