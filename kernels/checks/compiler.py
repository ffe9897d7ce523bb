# SPDX-License-Identifier: GPL-2.0-or-later
"""The compiler's further warnings (kbuild's `W=1`) in the C files that a patch touches: what is new against the tree
before it. Each file is compiled once more beside its finished build, with the arguments that kbuild recorded."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernels.build.debug_compile import bare_command
from kernels.build.diagnostics import BuildWarning, find_warnings, first_error
from kernels.build.recipe import ENVIRONMENT
from kernels.build.units import Units
from kernels.checks.check import CannotCheckError, Finding, Level, StaticCheck
from kernels.sandbox.room import BESIDE, OUT, SRC, Room
from util.stop import Stop

KIND = "W=1"
COMPILER = StaticCheck("compiler", "new warnings of the compiler at W=1", lambda _item: True, lambda _item: ())
"""Names the test. It needs finished builds, so `ci.cells.static_tasks` calls `new_warnings` and not its `run`."""
W1 = (
    *("-Wextra", "-Wunused", "-Wno-unused-parameter", "-Wmissing-declarations", "-Wmissing-prototypes"),
    *("-Wold-style-definition", "-Wunused-but-set-variable", "-Wunused-const-variable", "-Wpacked-not-aligned"),
    *("-Wstringop-truncation", "-Wrestrict", "-Wno-missing-field-initializers", "-Wno-sign-compare"),
    "-Wno-type-limits",
)
"""gcc's part of warning level 1 in the kernel's scripts/Makefile.extrawarn."""


@dataclass(frozen=True, slots=True)
class Built:
    """A finished build in the sandbox: its output folder and the checkout that it was made from."""

    objects: Path
    source: Path


def new_warnings(paths: Sequence[str], before: Built, after: Built, stop: Stop) -> Iterator[Finding]:
    """What the compiler newly says of these files of the tree; one that the configuration does not build is passed
    over. A warning is known by file, text and option: its line moves with every patch."""
    for path in paths:
        known = Counter(_key(item) for item in _warnings(path, before, stop))
        for item in _warnings(path, after, stop):
            if known[_key(item)]:
                known[_key(item)] -= 1
            else:
                option = f" [{item.option}]" if item.option else ""
                yield Finding(item.file, item.line, Level.WARNING, KIND, f"{item.text}{option}")


def _key(item: BuildWarning) -> tuple[str, str, str]:
    return item.file, item.text, item.option


def _warnings(path: str, built: Built, stop: Stop) -> list[BuildWarning]:
    unit = Units(built.objects).showing(path)
    if unit is None:
        return []
    with tempfile.TemporaryDirectory(prefix="rig-warnings-") as name:
        folder = Path(name)
        room = Room("bwrap", built.source, built.objects, beside=folder)
        log = folder / "log"
        log.touch()
        command = (*bare_command(unit), *W1, "-c", "-o", f"{BESIDE}/unit.o", f"{SRC}/{unit.source}")
        status = room.run(command, ENVIRONMENT, log, stop)
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    if status != 0:
        why = first_error(lines, (f"{SRC}/", f"{OUT}/")) or f"exit status {status}"
        raise CannotCheckError(f"{path} does not compile beside its build: {why}")
    found = find_warnings(lines, (f"{SRC}/", f"{OUT}/"))
    return [item for items in found.values() for item in items]
