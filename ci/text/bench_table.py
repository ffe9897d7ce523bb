# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures as tables for a cover letter: monospace, below 75 columns, with what was measured and how."""

from collections.abc import Iterator, Mapping

from ci.model.results import Run, first_runs
from ci.model.stages import CellResult
from configs.result import Cell, Figure
from testcases.benchmark.topic import Published, Role, Topic, find_topic

WIDTH = 74
Figures = Mapping[tuple[Role, str], Figure]


def tables(run: Run) -> Iterator[str]:
    """Lines: one table for each cell of the judged variant."""
    for cell in first_runs(run):
        if cell.cell.variant != run.judged.name:
            continue
        topic = find_topic(cell.cell.suite.partition("/")[2])
        found = figures_by_role(run, cell.cell)
        yield from _head(run, cell)
        yield from _rows(run, topic, found)
        yield ""
        yield from _published(topic, found)


def figures_by_role(run: Run, judged: Cell) -> Figures:
    """The figures of a cell on both variants by `<test>/<figure>`."""
    names: dict[str, Role] = {run.judged.name: "judged"}
    if run.base:
        names[run.base.name] = "base"
    found: dict[tuple[Role, str], Figure] = {}
    for cell in first_runs(run):
        other = Cell(judged.variant, cell.cell.arch, cell.cell.abi, cell.cell.flavour, cell.cell.suite)
        if other != judged or cell.cell.variant not in names:
            continue
        for test in cell.tests:
            for figure in test.figures:
                found[names[cell.cell.variant], f"{test.name}/{figure.name}"] = figure
    return found


def _head(run: Run, cell: CellResult) -> Iterator[str]:
    words = dict(zip(cell.command, cell.command[1:], strict=False))
    yield f"{run.source.title}, {cell.cell.arch}, ABI {cell.cell.abi}"[:WIDTH]
    if run.series:
        yield f"{run.judged.name}: {run.series.title}, v{run.series.version}"[:WIDTH]
    yield "Guest instructions, counted exactly: the same in every run."
    yield f"QEMU {cell.qemu_version} {cell.accel}, -cpu {words.get('-cpu', '?')}, 1 processor,"[:WIDTH]
    yield f"-icount {words.get('-icount', '?')}, nokaslr norandmaps,"[:WIDTH]
    yield run.host.compilers.get(cell.cell.arch, "compiler unknown")[:WIDTH]
    yield ""


def _rows(run: Run, topic: Topic, found: Figures) -> Iterator[str]:
    label = max(len(row.label) for row in topic.rows())
    names = [variant for variant in ((run.base.name if run.base else ""), run.judged.name) if variant]
    yield f"{'':{label}}" + "".join(f" {name[:11]:>11}" for name in names) + (f" {'ratio':>8}" if run.base else "")
    for row in topic.rows():
        base, judged = found.get(("base", row.figure)), found.get(("judged", row.figure))
        if base is None and judged is None:
            continue
        cells = [base, judged] if run.base else [judged]
        text = f"{row.label:{label}}" + "".join(f" {_value(figure):>11}" for figure in cells)
        if base and judged and base.value:
            text += f" {judged.value / base.value:8.3f}"
        yield text.rstrip()


def _value(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    return str(figure.value) if figure.unit == "insns" else f"{figure.value} {figure.unit}"


def _published(topic: Topic, found: Figures) -> Iterator[str]:
    lines = [line for item in topic.published() if (line := _beside(item, found))]
    if lines:
        yield f"{'ratios beside published ones (of wall time)':46} {'theirs':>9} {'ours':>9}"
        yield from lines
        yield ""


def _beside(item: Published, found: Figures) -> str:
    over, under = found.get(item.over), found.get(item.under)
    zero = found.get(item.zero) if item.zero else None
    if over is None or under is None or (item.zero and zero is None):
        return ""
    less = zero.value if zero else 0
    if under.value == less:
        return ""
    ours = (over.value - less) / (under.value - less)
    return f"{f'{item.source}: {item.label}'[:46]:46} {item.ratio:9.2f} {ours:9.2f}"
