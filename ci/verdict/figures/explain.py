# SPDX-License-Identifier: GPL-2.0-or-later
"""Explanations of figures: which are asked for, and the functions in which both variants spend their instructions.

Pure functions. The guests that are traced for it are `ci.cells.further.trace_cell`'s.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from ci.model.figures import Explanation, FunctionCost
from ci.model.results import Run, first_runs
from ci.model.verdicts import Comparison, Effect
from ci.verdict.figures.budget import PREFIX, cell_figures
from configs.result import Cell, Figure
from testcases.benchmark.windows import MOST
from util.text import paste

AUTOMATIC = 4
"""Broken budgets of one cell that are explained unasked: those that grew most."""
UNIT = "insns"
BEGUN_AGAIN = "(begun again after a fault)"
"""Instructions that the trace counts twice and the clock once: they accessed memory that first had to be brought in."""
UNACCOUNTED = "(not accounted for)"
"""Any other difference: the guest waited, or the traced one did not come to the same figure."""
_SHOWN = 12
"""Functions of a table, those whose difference is largest."""
_WIDTH = 74
_COLUMN = 11


@dataclass(frozen=True, slots=True)
class FigureQuestion:
    """The figures to explain of one cell of the judged variant, and of its equal on base, None where there is none.
    `left_out` are those for which there is no room."""

    cell: Cell
    base: Cell | None
    figures: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def cells(self) -> tuple[Cell, ...]:
        return (self.cell,) if self.base is None else (self.base, self.cell)


@dataclass(frozen=True, slots=True)
class Traced:
    """The result of one traced guest: instructions by function for each figure, or the reason why there are none; and
    `values`, the figures that it reported itself."""

    spent: Mapping[str, Mapping[str, int]]
    problem: str = ""
    values: Mapping[str, int] = field(default_factory=dict)


class _UnknownError(Exception):
    """Why the functions of one variant are not known, as one line."""


def questions(run: Run, globs: Sequence[str] = ()) -> list[FigureQuestion]:
    """One for each judged cell with a broken budget of a figure in instructions, or with a figure that one of `globs`
    names. The run has to be judged."""
    cells = (result.cell for result in first_runs(run) if result.cell.variant == run.judged.name)
    return [question for cell in cells if (question := _question(run, cell, globs)).figures]


def _question(run: Run, cell: Cell, globs: Sequence[str]) -> FigureQuestion:
    base = replace(cell, variant=run.base.name) if run.base else None
    before, after = _instructions(run, base), _instructions(run, cell)

    def growth(name: str) -> float:
        return after[name].value / max(1, before[name].value if name in before else 1)

    broken = sorted((name for name in _broken(run, cell) if name in after), key=growth, reverse=True)
    asked = [name for name in after if any(fnmatchcase(name, glob) for glob in globs)]
    figures = tuple(dict.fromkeys((*broken[:AUTOMATIC], *asked)))[:MOST]
    left_out = tuple(name for name in dict.fromkeys((*broken, *asked)) if name not in figures)
    return FigureQuestion(cell, base, figures, left_out)


def _instructions(run: Run, cell: Cell | None) -> dict[str, Figure]:
    """The figures of a cell that count instructions."""
    found = next((item for item in first_runs(run) if item.cell == cell), None)
    return {name: figure for name, figure in cell_figures(found).items() if figure.unit == UNIT}


def _broken(run: Run, cell: Cell) -> set[str]:
    """The figures of a cell that broke a budget."""
    broken = (item.test for item in run.comparisons if item.cell == cell and item.effect is Effect.FAIL)
    return {test.removeprefix(PREFIX) for test in broken if test.startswith(PREFIX)}


def explanations(run: Run, question: FigureQuestion, traced: Mapping[Cell, Traced]) -> Iterator[Explanation]:
    """One for each figure of the question, those that were left out with the reason."""
    before, after = _instructions(run, question.base), _instructions(run, question.cell)
    for figure in question.figures:
        yield _explanation(question, figure, before.get(figure), after[figure], traced)
    for figure in question.left_out:
        reason = f"{len(question.figures)} others of this cell are explained"
        yield Explanation(cell=question.cell, figure=figure, missing=reason)


def _explanation(
    question: FigureQuestion, figure: str, base: Figure | None, judged: Figure, traced: Mapping[Cell, Traced]
) -> Explanation:
    blank = Explanation(cell=question.cell, figure=figure, base=base.value if base else None, judged=judged.value)
    try:
        after = _complete(traced[question.cell], figure, judged)
        before = _complete(traced[question.base], figure, base) if question.base and base else {}
    except _UnknownError as reason:
        return blank.model_copy(update={"missing": str(reason)})
    rows = (
        FunctionCost(function=name, base=before.get(name, 0) if base else None, judged=after.get(name, 0))
        for name in before.keys() | after.keys()
    )
    ordered = sorted(rows, key=lambda row: (-row.difference, row.function))
    return blank.model_copy(update={"functions": tuple(ordered)})


def _complete(traced: Traced, figure: str, value: Figure) -> Mapping[str, int]:
    """Instructions by function that add up to the figure. Raises _UnknownError."""
    spent = traced.spent.get(figure)
    if spent is None:
        raise _UnknownError(traced.problem or "the program marked no window of this figure")
    rest = value.value - sum(spent.values())
    did_the_same = traced.values.get(figure) == value.value
    return {**spent, BEGUN_AGAIN if rest < 0 and did_the_same else UNACCOUNTED: rest} if rest else spent


def lines(run: Run, items: Sequence[Explanation]) -> Iterator[str]:
    """For a person, below 75 columns but for commands: a table for each, an empty line after each; what could not be
    explained in one go for each cell and reason."""
    missing: dict[tuple[Cell, str], list[Explanation]] = {}
    for item in items:
        if item.missing:
            missing.setdefault((item.cell, item.missing), []).append(item)
        else:
            yield from (*table(run, item), "")
    for (_cell, reason), found in missing.items():
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield f"{_title(found[0])}{more}: not explained"
        yield f"  {reason}; to ask for it:"
        yield from paste(found[0].reproduce, _WIDTH, "  ").splitlines()
        yield ""


def _title(item: Explanation) -> str:
    return f"{item.figure}, {item.cell.arch}, ABI {item.cell.abi}"


def table(run: Run, item: Explanation) -> Iterator[str]:
    """The functions of one figure that was explained."""
    yield f"{_title(item)}: instructions by function"
    names = ([run.base.name] if run.base else []) + [run.judged.name]
    yield _row("", [name[: _COLUMN - 1] for name in names], "difference" if run.base else "")
    changed = [row for row in item.functions if row.difference]
    shown = sorted(changed, key=lambda row: abs(row.difference), reverse=True)[:_SHOWN]
    for row in changed:
        if row in shown:
            yield _counts(row.function, row.base, row.judged, run)
    smaller = [row for row in changed if row not in shown]
    same = [row for row in item.functions if not row.difference]
    for rows, words in ((smaller, "that differ by less"), (same, "that cost the same")):
        if rows:
            sums = sum(row.base or 0 for row in rows), sum(row.judged for row in rows)
            yield _counts(f"{len(rows)} others {words}", *sums, run)
    yield _counts("together, as measured", item.base, item.judged, run)


def _counts(label: str, base: int | None, judged: int | None, run: Run) -> str:
    values = [base, judged] if run.base else [judged]
    words = ["-" if value is None else str(value) for value in values]
    return _row(label, words, f"{(judged or 0) - (base or 0):+d}" if run.base else "")


def _row(label: str, words: Sequence[str], last: str) -> str:
    numbers = "".join(f" {word:>{_COLUMN}}" for word in (*words, last))
    room = _WIDTH - len(numbers) - 2
    return f"  {label if len(label) <= room else label[: room - 3] + '...':{room}}{numbers}".rstrip()


def of_budget(run: Run, item: Comparison) -> tuple[Explanation, ...]:
    """The explanation that belongs to a comparison; none where it is no broken budget of a figure in instructions."""
    name = item.test.removeprefix(PREFIX)
    if not item.test.startswith(PREFIX):
        return ()
    return tuple(found for found in run.explanations if (found.cell, found.figure) == (item.cell, name))
