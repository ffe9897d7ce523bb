# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tree's own `scripts/checkpatch.pl --strict` says of each patch of a series."""

import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kernels.patches.patch import Patch
from kernels.sandbox.room import Room
from kernels.sandbox.sandbox import sandbox_kind
from util.errors import MachineError
from util.stop import Stop
from util.text import plain

SCRIPT = "scripts/checkpatch.pl"
LEVELS = ("ERROR", "WARNING", "CHECK")
"""From what must not be to what should not be."""

NEEDS_A_REPOSITORY = ("UNKNOWN_COMMIT_ID", "FILE_PATH_CHANGES")
"""Types that are left out. The sandbox has no history, so every right `Fixes:` tag would be an unknown commit to the
script; and whether MAINTAINERS covers a new file it does not look up, it only asks."""

_OPTIONS = ("--strict", "--terse", "--show-types", "--no-summary", f"--ignore={','.join(NEEDS_A_REPOSITORY)}")
_LINE = re.compile(r"(\d+)\.patch:(\d+): (ERROR|WARNING|CHECK):(.*)")
_DONE = (0, 1)  # exit status: nothing to say, something to say


@dataclass(frozen=True, slots=True)
class CheckpatchLine:
    """`line` of the mail as it was given to the script, `text` begins with the type: `LONG_LINE: line over ...`."""

    level: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.level}:{self.text} (line {self.line} of the patch)"


@dataclass(frozen=True, slots=True)
class Checked:
    """All complaints of one patch, in order of lines."""

    patch: Patch
    complaints: tuple[CheckpatchLine, ...]

    def count(self, level: str) -> int:
        return Counter(item.level for item in self.complaints)[level]


def checkpatch(patches: Sequence[Patch], source: Path, stop: Stop) -> list[Checked] | None:
    """Every patch with what the script of the checkout `source` says; None where that has no such script.

    The patches come from strangers, so the script reads them in the sandbox. Raises MachineError where it fails.
    """
    if not (source / SCRIPT).is_file():
        return None
    with tempfile.TemporaryDirectory(prefix="rig-checkpatch-") as name:
        folder = Path(name)
        files = [f"{number}.patch" for number in range(len(patches))]
        for file, patch in zip(files, patches, strict=True):
            (folder / file).write_bytes(patch.mail)
        room = Room(sandbox_kind(), source, folder)
        command = ("perl", f"{room.src}/{SCRIPT}", *_OPTIONS, f"--root={room.src}", *files)
        lines: list[str] = []
        status = room.run(command, {}, folder / "log", stop, lines.append)
    if status not in _DONE:
        raise MachineError(f"{SCRIPT} ended with status {status}: {plain((lines or ['it said nothing'])[-1])}")
    return [Checked(patch, tuple(_complaints(lines, number))) for number, patch in enumerate(patches)]


def _complaints(lines: Sequence[str], number: int) -> list[CheckpatchLine]:
    matches = (match for line in lines if (match := _LINE.fullmatch(line)) and int(match[1]) == number)
    return sorted(
        (CheckpatchLine(match[3], int(match[2]), plain(match[4])) for match in matches), key=lambda item: item.line
    )
