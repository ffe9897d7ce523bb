# SPDX-License-Identifier: GPL-2.0-or-later
"""What is not the same in a cell and yet breaks nothing, one line for each: figures within their budgets, warnings."""

from collections import Counter

from ci.model.results import Run
from ci.model.stages import CellResult
from ci.model.verdicts import TestVerdict, is_changed
from ci.verdict.compare.builds import BUILD, WARNING
from ci.verdict.figures.budget import PREFIX
from ci.verdict.figures.growth import cell_changes
from configs.names import STATIC
from configs.result import Cell
from util.text import counted


def changes(run: Run) -> dict[Cell, str]:
    """By cell of the judged variant: `22 figures changed, most: attach/length/1024 +3.1 %`. Cells in which nothing
    changed are left out."""
    return _figures(run) | _warnings(run)


def changed_tests(run: Run) -> Counter[Cell]:
    """How many tests of each cell of the judged variant are `changed` and break nothing."""
    tests = (item for item in run.comparisons if not item.test.startswith(PREFIX))
    return Counter(item.cell for item in tests if is_changed(item))


def of_guests(run: Run) -> dict[Cell, str]:
    """Those of cells with a guest; the others have a section of their own in the report for people."""
    return {cell: text for cell, text in _figures(run).items() if cell.suite not in STATIC}


def _figures(run: Run) -> dict[Cell, str]:
    if run.base is None:
        return {}
    first = {item.cell: item for item in run.cells if not item.attempt and not item.suite_variant}
    judged = (item for cell, item in first.items() if cell.variant == run.judged.name)
    return {item.cell: text for item in judged if (text := _against(run.base.name, item, first))}


def _against(base: str, judged: CellResult, first: dict[Cell, CellResult]) -> str:
    cell = judged.cell
    before = first.get(Cell(base, cell.arch, cell.abi, cell.flavour, cell.suite))
    return cell_changes(before, judged) if before else ""


def _warnings(run: Run) -> dict[Cell, str]:
    """`2 warnings changed: 1 new, 1 gone`."""
    found: dict[Cell, list[TestVerdict | None]] = {}
    for item in run.comparisons:
        if item.cell.suite == BUILD and item.test.startswith(WARNING):
            found.setdefault(item.cell, []).append(item.verdict)
    return {cell: _warning_line(verdicts) for cell, verdicts in found.items()}


def _warning_line(verdicts: list[TestVerdict | None]) -> str:
    new = sum(verdict is TestVerdict.REGRESSION for verdict in verdicts)
    parts = [f"{count} {word}" for count, word in ((new, "new"), (len(verdicts) - new, "gone")) if count]
    return f"{counted(len(verdicts), 'warning')} changed: {', '.join(parts)}"
