# SPDX-License-Identifier: GPL-2.0-or-later
"""The words by which every report for people names a cell and counts its tests, and the cells that a name means."""

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from ci.model.results import Run
from ci.model.stages import CellResult
from configs.names import STATIC
from configs.result import Cell, Status
from util.errors import UserError

_ORDER = (Status.FAIL, Status.ERROR, Status.MISS, Status.PASS, Status.SKIP)
"""What is bad comes first."""
_QUIET = (Status.PASS, Status.SKIP)

Count = tuple[str, Status | None]
"""`93 pass` and its status; None where the words speak of no status."""
_SHOWN = 3
"""Names that an error line offers."""


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


def cells_of(run: Run) -> list[Cell]:
    """Every cell that was part of the run, without those of suites that stand for the run itself."""
    return list(dict.fromkeys(result.cell for result in run.cells))


def show_cell(cell: Cell) -> str:
    """`patched x86_64 i386 selftests/mqueue`: the variant, and the row of the report's table."""
    return f"{cell.variant} {row_name(cell)}"


def named_cells(cells: Iterable[Cell], glob: str) -> list[Cell]:
    """The cells that a name or a glob means, of every variant unless it names one. Blanks and slashes are the same, so
    that both the table's row and the path in the commands are understood."""
    return [cell for cell in cells if any(fnmatchcase(name, _plain(glob)) for name in _names(cell))]


def find_cell(run: Run, name: str) -> Cell:
    """The one cell of this name: of the judged variant, unless the name says another. Raises UserError that offers the
    nearest names."""
    cells = cells_of(run)
    found = named_cells(cells, name)
    found = [cell for cell in found if cell.variant == run.judged.name] or found
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f"`{name}` names {len(found)} cells: {_some(list(map(show_cell, found)))}; name one of them")
    raise UserError(f"no cell `{name}`{nearest_cells(cells, name)}")


def nearest_cells(cells: Sequence[Cell], name: str) -> str:
    """The end of an error line: the cells that are named most like it, else some that there are."""
    known = {spelling: show_cell(cell) for cell in cells for spelling in _names(cell)}
    close = difflib.get_close_matches(_plain(name), list(known), n=2 * _SHOWN, cutoff=0.6)
    if close:
        return f"; nearest: {_some(list(dict.fromkeys(known[word] for word in close)))}"
    return f"; there are: {_some([show_cell(cell) for cell in cells])}" if cells else "; the run has no cell"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _names(cell: Cell) -> tuple[str, ...]:
    whole = str(cell)
    row = _plain(row_name(cell))
    return whole, whole.partition("/")[2], f"{cell.variant}/{row}", row


def _plain(name: str) -> str:
    return "/".join(name.replace("/", " ").split())
