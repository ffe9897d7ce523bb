# SPDX-License-Identifier: GPL-2.0-or-later
"""Compiles one unit of a finished build a second time, with debug information, beside the build and not into it.

The objects of the build are mounted read-only. The compiler gets the arguments that kbuild recorded, so that it sees
the same configuration and lays out the same structs; only where the result goes and what it carries is another.
"""

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from kernels.build.diagnostics import first_error
from kernels.build.make.recipe import ENVIRONMENT
from kernels.build.units import Unit, bare_command
from kernels.sandbox.room import BESIDE, OUT, SRC, Room
from util.stop import Stop

DEBUG = ("-gdwarf-5", "-w")


class LayoutError(Exception):
    """Why the layout of a struct cannot be known; one line."""


@contextmanager
def debug_object(unit: Unit, structs: Collection[str], objects: Path, source: Path, stop: Stop) -> Iterator[Path]:
    """The object of `unit` with debug information on each of `structs` that it can see, while the context lasts.

    A pointer to each is added, because the compiler leaves out what a unit does not use; a pointer to a struct that it
    does not know is no error. Raises LayoutError where it does not compile.
    """
    with tempfile.TemporaryDirectory(prefix="rig-layout-") as name:
        folder = Path(name)
        pointers = "".join(f"struct {struct} *rig_layout_{index};\n" for index, struct in enumerate(sorted(structs)))
        (folder / "unit.c").write_text(f'#include "{SRC}/{unit.source}"\n{pointers}', encoding="utf-8")
        room = Room("bwrap", source, objects, beside=folder)
        log = folder / "log"
        log.touch()
        if room.run(debug_command(unit), ENVIRONMENT, log, stop) != 0:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            why = first_error(lines, (f"{SRC}/", f"{OUT}/")) or "the compiler failed"
            raise LayoutError(f"{unit.source} does not compile with debug information: {why}")
        made = folder / "unit.o"
        if made.is_symlink() or not made.is_file():
            raise LayoutError(f"{unit.source}: the compiler left no object")
        yield made


def debug_command(unit: Unit) -> tuple[str, ...]:
    """The compiler's arguments, without the recorded input, outputs and debug level, and with ours."""
    return (*bare_command(unit), *DEBUG, "-c", "-o", f"{BESIDE}/unit.o", f"{BESIDE}/unit.c")
