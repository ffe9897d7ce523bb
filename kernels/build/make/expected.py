# SPDX-License-Identifier: GPL-2.0-or-later
"""How many targets make will name in a build that starts from another one's objects. For display only.

kbuild makes a target again where a file that it depends on changed, where an option changed that its sources name
(scripts/basic/fixdep.c writes both into `.<target>.cmd`), and where its command did. The last is known of options that
the Makefiles of the whole tree name: with one of them nearly every command is another.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from kernels.build.reuse import command_files
from kernels.source.store import Changes

LINK_STEPS = 30
"""Targets that make names in every build that links, 5.10 to 7.2."""
_ARCHIVE = ".built-in.a.cmd"
_FOR_ALL = ("Makefile", "arch/{}/Makefile", "scripts/Makefile.*", "scripts/Kbuild.include")


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
