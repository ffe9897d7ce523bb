# SPDX-License-Identifier: GPL-2.0-or-later
"""The C files of a finished build, as kbuild recorded them beside each object (its scripts/Kbuild.include).

    cmd_kernel/fork.o := gcc ... -c -o kernel/fork.o /src/kernel/fork.c ; ./tools/objtool/objtool ...
    source_kernel/fork.o := /src/kernel/fork.c
    deps_kernel/fork.o := \\
      /src/include/linux/kconfig.h \\

From 6.3 the first line starts with `savedcmd_`. A build may have written anything into these files: what is read here
is run only inside the sandbox.
"""

import re
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kernels.build.reuse import command_files, inside
from kernels.sandbox.room import SRC

_COMMAND = re.compile(rf"^(?:saved)?cmd_(\S+\.o) := (.*-c -o \S+ {SRC}/(\S+\.c)\b.*)$", re.MULTILINE)
_HEADER = re.compile(rf"\s{SRC}/(\S+\.h)\b")
_DROPPED = ("-Wp,-MMD", "-Wp,-MD", "-MMD", "-MD", "-g", "-Werror")
"""Options that write dependencies, choose another debug level, or make an error of a warning."""
_LIMIT = 4 << 20  # bytes; the longest record of an allmodconfig is a fifth of that
_FOREIGN = {"boot", "vdso", "vdso32", "realmode", "libstub", "purgatory", "nvhe", "tools", "scripts", "usr"}
"""Folders whose objects are no part of the running kernel, or are built for another mode of the processor."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One C file of the kernel proper. `source` and `headers` are paths in the tree; `command` is the compiler's
    argument list as it was run in the output folder."""

    target: str
    source: str
    headers: frozenset[str]
    command: tuple[str, ...]


class Units:
    """The units of one finished build; `objects` is its output folder."""

    def __init__(self, objects: Path) -> None:
        self._objects = objects

    @cached_property
    def all(self) -> list[Unit]:
        """Every unit, sorted by target: some 50 MB of records, read once."""
        units = (unit for record in command_files(self._objects) if (unit := _unit(record)))
        return sorted(units, key=lambda unit: unit.target)

    def showing(self, path: str) -> Unit | None:
        """The unit that shows what `path` defines: the one of a C file, or of those that include a header the one with
        the fewest; None where nothing was built from it."""
        if path.endswith(".c"):
            record = inside(self._objects, f"{Path(path).parent}/.{Path(path).stem}.o.cmd")
            return _unit(record) if record and record.is_file() else None
        return min(
            (unit for unit in self.all if path in unit.headers), key=lambda unit: len(unit.headers), default=None
        )

    def paths(self) -> list[str]:
        """Every file of the tree that some unit was made from, sorted."""
        return sorted({path for unit in self.all for path in (unit.source, *unit.headers)})


def bare_command(unit: Unit) -> tuple[str, ...]:
    """The compiler's arguments, without the recorded input, outputs and debug level."""
    words = iter(unit.command)
    kept: list[str] = []
    for word in words:
        if word in ("-o", "-MF"):
            next(words, "")
        elif word not in ("-c", f"{SRC}/{unit.source}") and not word.startswith(_DROPPED):
            kept.append(word)
    return tuple(kept)


def _unit(record: Path) -> Unit | None:
    if record.stat().st_size > _LIMIT:
        return None
    text = record.read_text(encoding="utf-8", errors="replace")
    match = _COMMAND.search(text)
    if match is None or _FOREIGN & set(match[1].split("/")):
        return None
    try:
        words = shlex.split(match[2].replace("$(pound)", "#").replace("$$", "$"))
    except ValueError:
        return None
    end = next((index for index, word in enumerate(words) if word in (";", "&&") or word.endswith(";")), len(words))
    return Unit(match[1], match[3], frozenset(_HEADER.findall(text)), tuple(words[:end]))
