# SPDX-License-Identifier: GPL-2.0-or-later
"""Budgets: the limits that the profile sets for figures, checked on the first runs of both variants. Pure functions.

- A figure beyond its budget is a `regression`, also where that of base is: what a budget says is wanted.
- A figure within its budget is `same` if it equals that of base, and `changed` if it does not.
- A figure of a benchmark of which no budget speaks must not grow by more than `ci.verdict.figures.growth` allows. Only
  one that does, or that the judged variant lost, is listed; the test that it belongs to says what else changed.
- A budget relative to base says nothing where there is no base: it is shown as SKIP.
- A budget is a MISS, and the run unknown, where its suite was run and no figure answers to it, where base lacks the
  figure that it needs, and where it names another unit than the figure has. It is never passed in silence.
- A budget of a suite, architecture, ABI or flavour that this run leaves out is left out, and so is one for another
  version of base.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ci.model.results import Run
from ci.model.stages import CellResult
from ci.model.verdicts import Comparison, Effect, TestVerdict
from ci.verdict.figures.growth import ALLOWANCES
from configs.model import BudgetChoice
from configs.names import BENCHMARK
from configs.result import Cell, Figure, Status

PREFIX = "budget/"
"""Of the test that stands for one budget and one figure: `budget/<test>/<figure>`."""
UNMATCHED = "no figure of this suite answers to it"


@dataclass(frozen=True, slots=True)
class _Measured:
    """One figure of the judged variant, and the same of base, None where base does not report it."""

    cell: Cell
    name: str
    figure: Figure
    base: Figure | None


def compare_budgets(run: Run, budgets: Sequence[BudgetChoice]) -> list[Comparison]:
    """One comparison for each budget and each figure that it speaks of; of several limits of one figure each counts.
    Then one for each figure of a benchmark that has no budget and grew too much."""
    found: list[Comparison] = []
    of_version = [budget for budget in budgets if fnmatchcase(run.source.version, budget.source)]
    for budget in of_version:
        cells = [result for result in _first_runs(run, run.judged.name) if _speaks_of(budget, result.cell)]
        if not cells:
            continue
        all_measured = (item for result in cells for item in _measured(run, result))
        measured = [item for item in all_measured if fnmatchcase(item.name, budget.figure)]
        judged = [_judge(run, budget, item) for item in measured] + [*_lost(run, budget, cells, measured)]
        found += judged or [_unmatched(run, budget, cells[0].cell)]
    return [*found, *_without_budget(run, of_version)]


def _without_budget(run: Run, budgets: Sequence[BudgetChoice]) -> Iterator[Comparison]:
    """The figures of benchmarks that no budget speaks of and that do not stay within the allowance of their unit."""
    if run.base is None:
        return
    for result in _first_runs(run, run.judged.name):
        if not result.cell.suite.startswith(BENCHMARK):
            continue
        globs = [budget.figure for budget in budgets if _speaks_of(budget, result.cell)]
        measured = {item.name: item for item in _measured(run, result)}
        before = cell_figures(_equal(run, result.cell))
        for name in dict.fromkeys((*measured, *before)):
            if any(fnmatchcase(name, glob) for glob in globs):
                continue
            if name not in measured:
                yield _unknown(run, result.cell, name, "only base reports this figure")
            elif broken := _beyond_allowance(run, measured[name]):
                yield broken


def _beyond_allowance(run: Run, item: _Measured) -> Comparison | None:
    allowance = ALLOWANCES.get(item.figure.unit)
    if item.base is None or allowance is None or allowance.keeps(item.figure.value, item.base.value):
        return None
    text = f"{words(item.base, item.figure)}, no budget: more than {allowance.words(item.figure.unit)}"
    return _comparison(run, item.cell, item.name, Status.FAIL, text)


def _first_runs(run: Run, variant: str) -> Iterator[CellResult]:
    return (item for item in run.cells if item.cell.variant == variant and not item.attempt and not item.suite_variant)


def _speaks_of(budget: BudgetChoice, cell: Cell) -> bool:
    pairs = ((cell.arch, budget.arch), (cell.abi, budget.abi), (cell.flavour, budget.flavour))
    return cell.suite == budget.suite and all(fnmatchcase(word, glob) for word, glob in pairs)


def _measured(run: Run, result: CellResult) -> Iterator[_Measured]:
    before = cell_figures(_equal(run, result.cell))
    for name, figure in cell_figures(result).items():
        yield _Measured(result.cell, name, figure, before.get(name))


def _equal(run: Run, cell: Cell) -> CellResult | None:
    """Base's first run of an equal cell."""
    if run.base is None:
        return None
    wanted = Cell(run.base.name, cell.arch, cell.abi, cell.flavour, cell.suite)
    return next((item for item in _first_runs(run, run.base.name) if item.cell == wanted), None)


def cell_figures(result: CellResult | None) -> dict[str, Figure]:
    """The figures of one cell by `<test>/<figure>`."""
    tests = result.tests if result else ()
    return {f"{test.name}/{figure.name}": figure for test in tests for figure in test.figures}


def _judge(run: Run, budget: BudgetChoice, item: _Measured) -> Comparison:
    limit = budget.parsed
    if limit.unit not in ("", item.figure.unit):
        return _unknown(run, item.cell, item.name, f"the budget is in {limit.unit}, the figure in {item.figure.unit}")
    if limit.needs_base and run.base is None:
        return _comparison(run, item.cell, item.name, Status.SKIP, f"budget {limit.text}: nothing to compare with")
    if limit.needs_base and item.base is None:
        return _unknown(run, item.cell, item.name, f"budget {limit.text}: base does not report this figure")
    kept = limit.keeps(item.figure.value, item.base.value if item.base else None)
    status = Status.PASS if kept else Status.FAIL
    found = _comparison(run, item.cell, item.name, status, f"{words(item.base, item.figure)}, budget {limit.text}")
    if kept and item.base and item.base != item.figure:
        return found.model_copy(update={"verdict": TestVerdict.CHANGED})
    return found


def _lost(
    run: Run, budget: BudgetChoice, cells: Iterable[CellResult], measured: Sequence[_Measured]
) -> Iterator[Comparison]:
    """Figures under a budget that base reports and the judged variant no longer does."""
    seen = {(item.cell, item.name) for item in measured}
    for result in cells:
        for name in cell_figures(_equal(run, result.cell)):
            if fnmatchcase(name, budget.figure) and (result.cell, name) not in seen:
                yield _unknown(run, result.cell, name, f"budget {budget.limit}: only base reports this figure")


def _unmatched(run: Run, budget: BudgetChoice, cell: Cell) -> Comparison:
    return _unknown(run, cell, budget.figure, f"budget {budget.limit}: {UNMATCHED}")


def _unknown(run: Run, cell: Cell, name: str, reason: str) -> Comparison:
    return _comparison(run, cell, name, Status.MISS, reason)


def _comparison(run: Run, cell: Cell, name: str, status: Status, message: str) -> Comparison:
    verdicts = {Status.PASS: TestVerdict.SAME, Status.FAIL: TestVerdict.REGRESSION, Status.MISS: TestVerdict.UNKNOWN}
    effects = {Status.FAIL: Effect.FAIL, Status.MISS: Effect.UNKNOWN}
    return Comparison(
        cell=cell,
        test=f"{PREFIX}{name}",
        verdict=verdicts.get(status) if run.base else None,
        effect=effects.get(status, Effect.NONE),
        against=run.base.name if run.base else "",
        patched=(status,),
        message=message,
    )


def words(base: Figure | None, figure: Figure) -> str:
    """`216 -> 224 bytes (+8, +3.7 %)`; with nothing to compare with `224 bytes`."""
    if base is None:
        return f"{figure.value} {figure.unit}"
    change = figure.value - base.value
    if change == 0:
        return f"{base.value} -> {figure.value} {figure.unit}"
    share = f", {100 * change / base.value:+.1f} %" if base.value else ""
    return f"{base.value} -> {figure.value} {figure.unit} ({change:+d}{share})"
