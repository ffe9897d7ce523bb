# SPDX-License-Identifier: GPL-2.0-or-later
"""How many targets make will name: in a build from nothing, and in one that starts from the objects of another. For
display only.

kbuild makes a target again where a file that it depends on changed, where an option changed that its sources name
(scripts/basic/fixdep.c writes both into `.<target>.cmd`), and where its command did. The last is known of options that
the Makefiles of the whole tree name: with one of them nearly every command is another.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from kernels.build.make.job import BuildJob
from kernels.build.make.progress import estimate_targets
from kernels.build.make.recipe import asked
from kernels.build.reuse import command_files
from kernels.build.store.manifest import Manifest
from kernels.source.store import Changes

LINK_STEPS = 30
"""Targets that make names in every build that links, 5.10 to 7.2."""
_ARCHIVE = ".built-in.a.cmd"
_FOR_ALL = ("Makefile", "arch/{}/Makefile", "scripts/Makefile.*", "scripts/Kbuild.include")


@dataclass(frozen=True, slots=True)
class Tree:
    """The checkout that is built, the name of its folder below `arch/`, and the output folder."""

    source: Path
    srcarch: str
    out: Path


def expected_from_nothing(job: BuildJob, tree: Tree, config: Mapping[str, str], *, resumed: bool) -> int:
    """Of a build that goes on what it made already is left out. 0 where nothing is known."""
    total = _total(job, tree, config)
    made = sum(1 for _ in command_files(tree.out)) if resumed else 0
    return max(1, total - made) if total else 0


def expected_from(
    job: BuildJob, tree: Tree, seed: Manifest, before: Mapping[str, str], config: Mapping[str, str]
) -> int:
    """Of a build that starts from the objects of `seed`, which came with the configuration `before`."""
    symbols = changed_symbols(before, config)
    if symbols and changes_every_command(tree.source, tree.srcarch, symbols):
        return _total(job, tree, config)
    wanted = job.request.tree
    changes = [] if seed.tree == wanted else job.store.changed_paths(seed.tree, wanted)
    more = max(0, _estimate(tree, config) - _estimate(tree, before)) if symbols else 0
    return count_stale(tree.out, changes, symbols) + more + len(seed.mute) + LINK_STEPS


def _total(job: BuildJob, tree: Tree, config: Mapping[str, str]) -> int:
    """What an equal build named, else an estimate."""
    alike = asked(job.request)
    totals = (manifest.objects_total for manifest in job.builds.all() if manifest.asked == alike)
    return next((total for total in totals if total), 0) or _estimate(tree, config)


def _estimate(tree: Tree, config: Mapping[str, str]) -> int:
    return estimate_targets(tree.source, tree.srcarch, config)


def changed_symbols(before: Mapping[str, str], after: Mapping[str, str]) -> frozenset[str]:
    """The options that two configurations give other values."""
    return frozenset(name for name, _value in before.items() ^ after.items())


def changes_every_command(tree: Path, srcarch: str, symbols: Collection[str]) -> bool:
    """Whether one of the options is named in a Makefile that sets the flags of every compiler run."""
    names = {f"CONFIG_{symbol}" for symbol in symbols}
    files = [path for form in _FOR_ALL for path in tree.glob(form.format(srcarch)) if path.is_file()]
    return any(
        not names.isdisjoint(re.findall(r"CONFIG_\w+", path.read_text(encoding="utf-8", errors="replace")))
        for path in files
    )


def count_stale(out: Path, changes: Changes, symbols: Collection[str]) -> int:
    """How many of the targets in `out` record a changed file, or an option of another value, among what they depend
    on, with the archives that they are part of."""
    # `net/ns.h` up to 5.13, `NET_NS` from then on
    options = (rf"include/config/(?:{re.escape(name)}|{re.escape(_path(name))}\.h)\b" for name in symbols)
    patterns = [*(re.escape(path) for _, path in changes), *options]
    if not patterns:
        return 0
    pattern = re.compile("|".join(patterns))
    stale = [record for record in command_files(out) if pattern.search(record.read_text(errors="replace"))]
    folders = {folder for record in stale for folder in record.relative_to(out).parents}
    return len(stale) + sum(1 for folder in folders if (out / folder / _ARCHIVE).is_file())


def _path(symbol: str) -> str:
    return symbol.lower().replace("_", "/")
