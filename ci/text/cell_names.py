# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds cells by the names under which reports show them."""

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from ci.model.results import Run
from ci.text.cell_text import row_name
from configs.result import Cell
from util.errors import UserError

_SHOWN = 3
"""Names that an error line offers."""


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
