# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures of all revisions and their bases side by side. Pure functions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ci.compare.answer import FigureRow
from ci.compare.changes import first_cells, is_told
from ci.model.results import Run
from ci.verdict.figures.budget import cell_figures
from configs.names import BENCHMARK, OF_PATCHES
from configs.result import Figure
from testcases.benchmark.topic import find_topic

Place = tuple[str, str, str, str]
"""arch, ABI, flavour, suite."""


@dataclass(frozen=True, slots=True)
class Column:
    """One variant of one run."""

    name: str
    run: Run
    variant: str


def columns(checks: Sequence[Run]) -> tuple[Column, ...]:
    """Each base before the first revision that stands on it, and the revisions. `checks` are the runs of each revision
    against its own base."""
    trees = [run.source.tree for run in checks]
    found: list[Column] = []
    for number, run in enumerate(checks):
        if run.base and trees[number] not in trees[:number]:
            found.append(Column(base_name(checks, number), run, run.base.name))
        found.append(Column(run.judged.name, run, run.judged.name))
    return tuple(found)


def base_name(checks: Sequence[Run], number: int) -> str:
    """`base`, or `base of v4` where there are several."""
    trees = [run.source.tree for run in checks]
    if len(set(trees)) == 1:
        return "base"
    return f"base of {checks[trees.index(trees[number])].judged.name}"


def rows(found: Sequence[Column]) -> tuple[FigureRow, ...]:
    """Every figure that one of them reports: those that the suite has a name for in its own order, then the others."""
    measured = [_measured(column) for column in found]
    places = dict.fromkeys(place for column in measured for place in column)
    return tuple(row for place in places for row in _of_place(place, [column.get(place, {}) for column in measured]))


def _measured(column: Column) -> Mapping[Place, dict[str, Figure]]:
    return {
        (cell.arch, cell.abi, cell.flavour, cell.suite): cell_figures(result)
        for cell, result in first_cells(column.run).items()
        if cell.variant == column.variant and cell.suite not in OF_PATCHES
    }


def _of_place(place: Place, measured: Sequence[Mapping[str, Figure]]) -> Iterator[FigureRow]:
    arch, abi, flavour, suite = place
    labels = labels_of(suite)
    names = dict.fromkeys((*labels, *(name for column in measured for name in column)))
    for name in names:
        values = [column.get(name) for column in measured]
        unit = next((figure.unit for figure in values if figure), None)
        if unit is not None and is_told(name):
            yield FigureRow(
                arch=arch, abi=abi, flavour=flavour, suite=suite, figure=name, unit=unit, label=labels.get(name, ""),
                values=tuple(figure.value if figure and figure.unit == unit else None for figure in values),
            )  # fmt: skip


def labels_of(suite: str) -> dict[str, str]:
    """What a benchmark calls its figures in a table; nothing of any other suite."""
    if not suite.startswith(BENCHMARK):
        return {}
    return {row.figure: row.label for row in find_topic(suite.removeprefix(BENCHMARK)).rows()}
