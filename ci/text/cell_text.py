# SPDX-License-Identifier: GPL-2.0-or-later
"""The words by which every report for people names a cell and counts its tests."""

from collections import Counter

from ci.model.results import Run
from ci.model.stages import CellResult
from ci.model.suites import STATIC
from configs.result import Cell, Status

_ORDER = (Status.FAIL, Status.ERROR, Status.MISS, Status.PASS, Status.SKIP)
"""What is bad comes first."""
_QUIET = (Status.PASS, Status.SKIP)

Count = tuple[str, Status | None]
"""`93 pass` and its status; None where the words speak of no status."""


def guest_cells(run: Run) -> list[CellResult]:
    """The first runs of all cells with guests."""
    guests = (cell for cell in run.cells if cell.cell.suite not in STATIC)
    return [cell for cell in guests if not cell.attempt and not cell.suite_variant]


def row_name(cell: Cell) -> str:
    """The cell without its variant. The flavour `plain` is the usual case and is not named."""
    parts = (cell.arch, cell.abi, cell.flavour, cell.suite)
    return " ".join(part for part in parts if part not in ("-", "plain"))


def counts(cell: CellResult | None) -> list[Count]:
    """`1 FAIL`, `86 pass`. The guest itself is counted only where it is at fault."""
    if cell is None:
        return [("-", None)]
    if cell.not_run and not cell.tests:
        return [("not run", Status.MISS)]
    tests = [test for test in cell.tests if test.status is not Status.PASS or not test.name.startswith("guest/")]
    found = Counter(test.status for test in tests)
    named = [(status, status.value.lower() if status in _QUIET else status.value) for status in _ORDER]
    return [(f"{found[status]} {word}", status) for status, word in named if found[status]] or [("no test", None)]


def clock(seconds: float) -> str:
    """`3 min 20 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
