# SPDX-License-Identifier: GPL-2.0-or-later
"""Compiles one file of a finished build as it is and with a fault, beside the build and not into it.

What the compiler makes of both says whether there is anything to test: a file that does not compile is no mutant, and
one of the same object code does nothing else than the original, whatever its text says.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from kernels.binary.object_code import loaded_digest
from kernels.build.diagnostics import first_error
from kernels.build.make.recipe import ENVIRONMENT
from kernels.build.units import Unit, bare_command
from kernels.sandbox.room import BESIDE, OUT, SRC, Room
from util.stop import Stop


@dataclass(frozen=True, slots=True)
class Compiled:
    """`digest` names all that the object has loaded, empty where there is none; `error` is then the compiler's first
    word on it."""

    digest: str
    error: str = ""


def compile_unit(unit: Unit, path: str, text: str | None, objects: Path, source: Path, stop: Stop) -> Compiled:
    """The object of `unit` with `text` in place of the tree's file `path` (None: as it is). `objects` is the build's
    output folder, `source` a checkout of its tree. Raises Stopped, MachineError."""
    with tempfile.TemporaryDirectory(prefix="rig-mutant-") as name:
        beside = Path(name) / "beside"
        beside.mkdir()
        view: tuple[tuple[Path, str], ...] = ()
        if text is not None:
            file = Path(name) / "mutant"
            file.write_bytes(text.encode("utf-8", "surrogateescape"))
            view = ((file, path),)
        room = Room("bwrap", source, objects, view, beside)
        log = Path(name) / "log"
        log.touch()
        if room.run(_command(unit), ENVIRONMENT, log, stop) != 0:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            return Compiled("", first_error(lines, (f"{SRC}/", f"{OUT}/")) or "the compiler failed")
        made = beside / "unit.o"
        if made.is_symlink() or not made.is_file():
            return Compiled("", "the compiler left no object")
        return Compiled(loaded_digest(made))


def _command(unit: Unit) -> tuple[str, ...]:
    """The compiler's arguments as kbuild recorded them, but for where the object goes and for what it does not need:
    dependencies, debug information and warnings."""
    return (*bare_command(unit), "-w", "-c", "-o", f"{BESIDE}/unit.o", f"{SRC}/{unit.source}")
