# SPDX-License-Identifier: GPL-2.0-or-later
"""What the page shows, as plain values: the template decides nothing but its place."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ci.model.results import Run
from ci.model.stages import CellResult, PatchFinding
from ci.model.variants import PatchRecord
from ci.model.verdicts import Comparison, Effect, TestVerdict
from ci.report.html.clean import cut
from ci.report.html.console import Console, console
from ci.text.cell_text import Count, counts, guest_cells, row_name
from ci.text.coverage_text import file_summary, summary, word
from ci.text.evidence import Evidence, Witnesses
from ci.verdict.compare.builds import BUILD, SERIES
from ci.verdict.verdict import show
from configs.names import CHECKPATCH, STATIC
from configs.result import Cell, Figure, Status, TestResult
from kernels.build.diagnostics import BuildWarning
from util.text import paste

_OUTPUT, _QUIET_OUTPUT = 16 * 1024, 2 * 1024
_ALL_OUTPUT = 4 * 1024 * 1024
"""Above this sum, texts of tests that count for nothing are cut to a few lines."""
_FINDINGS = 8
"""Findings of one verdict in one cell that are shown with their evidence; the others stand in their cell."""
_CONSOLES = 24
"""Cells whose console stands in the page; the others' is a link."""

WHY = {
    TestVerdict.REGRESSION: "It is good on base and bad with the series, in every run of both.",
    TestVerdict.CHANGED: "The result is the same, but the test complains of what it never complains of on base.",
    TestVerdict.GONE: "Base reports this test and the series does not: what it checked is checked no more.",
    TestVerdict.NEW: "The series brings this test.",
    TestVerdict.FLAKY: "Runs of the same kernel differ, so it neither accuses nor acquits.",
    TestVerdict.UNKNOWN: "One of the kernels gave no answer, so nothing can be said.",
    TestVerdict.PRE_EXISTING: "Base fails as well: it is not the series' doing.",
    TestVerdict.FIXED: "It is bad on base and good with the series.",
    TestVerdict.SAME: "Both kernels give the same answer.",
}
"""Why a verdict counts, or does not."""


@dataclass(frozen=True, slots=True)
class PageRow:
    """One test. `anchor` is the same in every report of this cell and name. `word` is the verdict or, without a base,
    the statuses; `output` is cut to what a page can bear."""

    anchor: str
    item: Comparison
    word: str
    base: str
    judged: str
    output: str = ""
    figures: tuple[Figure, ...] = ()
    file: str = ""


@dataclass(frozen=True, slots=True)
class FindingView:
    """A row that counts in the verdict, with its evidence. `told_in` names the cell that shows the same report."""

    row: PageRow
    where: str
    why: str
    text: str
    trace: tuple[str, ...]
    commands: tuple[str, ...]
    told_in: str = ""
    cell_anchor: str = ""
    more: int = 0
    """How many findings of the same verdict and cell follow this one and are not shown."""


@dataclass(frozen=True, slots=True)
class CellView:
    """One row of the matrix and what a click on it opens. `effect` is the worst of its tests, `summary` counts their
    verdicts."""

    anchor: str
    title: str
    cell: Cell
    counts: tuple[tuple[Count, ...], ...]
    effect: Effect
    summary: str
    rows: tuple[PageRow, ...]
    consoles: tuple[Console, ...]
    commands: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    not_run: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PatchView:
    """A patch of the series and what checkpatch says of it; None where it was not asked."""

    patch: PatchRecord
    check: TestResult | None
    findings: tuple[PatchFinding, ...] = ()
    """Of the static checks of the patch alone."""


@dataclass(frozen=True, slots=True)
class CoverageView:
    """The lines that the series adds, by file: path, how much of it was executed, whether it is worth a look, and the
    lines, each (number, patch, what was executed, state, text)."""

    summary: str
    notes: tuple[str, ...]
    files: tuple[tuple[str, str, bool, tuple[tuple[int, int, str, str, str], ...]], ...]


def coverage_view(run: Run) -> CoverageView | None:
    """None where nobody asked."""
    if run.coverage is None:
        return None
    files = []
    for file in run.coverage.files:
        lines = tuple((line.number, line.patch, word(line), line.state.value, line.text) for line in file.lines)
        files.append((file.path, file_summary(file), bool(file.not_executed), lines))
    return CoverageView(summary(run.coverage), run.coverage.notes, tuple(files))


def anchor(*words: str) -> str:
    """A name for links that no text can break out of, the same for the same words."""
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def cell_views(run: Run, folder: Path | None) -> list[CellView]:
    """Every row of the matrix: the cells with guests, and what only comparisons speak of, such as builds."""
    witnesses = Witnesses(run)
    grouped: dict[Cell, list[Comparison]] = {}
    for guest in guest_cells(run):
        grouped.setdefault(_of(run, guest.cell), [])
    for item in run.comparisons:
        grouped.setdefault(item.cell if item.patch else _of(run, item.cell), []).append(item)
    of_row: dict[Cell, list[CellResult]] = {}
    for result in run.cells:
        of_row.setdefault(_of(run, result.cell), []).append(result)
        if result.cell.variant not in (run.judged.name, run.variants[0].name):  # a row of its own, after one patch
            of_row.setdefault(result.cell, []).append(result)
    heavy = sum(len(test.output) for result in run.cells for test in result.tests) > _ALL_OUTPUT
    left = _CONSOLES
    views = []
    for cell, items in grouped.items():
        results = of_row.get(cell, [])
        worst = _worst(items)
        telling = [result for result in results if result.cell.suite not in STATIC and _tells(result, worst)]
        chosen, left = telling[:left], max(0, left - len(telling))
        rows = tuple(_apart(_row(witnesses, item, heavy) for item in items))
        views.append(_view(run, cell, results, rows, worst, tuple(console(one, folder) for one in chosen)))
    return views


def _apart(rows: Iterable[PageRow]) -> Iterator[PageRow]:
    """A second test of the same name gets a link of its own."""
    seen: Counter[str] = Counter()
    for row in rows:
        seen[row.anchor] += 1
        count = seen[row.anchor]
        yield replace(row, anchor=f"{row.anchor}-{count}") if count > 1 else row


def _of(run: Run, cell: Cell) -> Cell:
    """The judged variant's cell of the same row."""
    return Cell(run.judged.name, cell.arch, cell.abi, cell.flavour, cell.suite)


def _tells(result: CellResult, worst: Effect) -> bool:
    return bool(result.faults) or (worst is not Effect.NONE and bool(result.console or result.console_tail))


def _view(
    run: Run,
    cell: Cell,
    results: Sequence[CellResult],
    rows: tuple[PageRow, ...],
    worst: Effect,
    shown: tuple[Console, ...],
) -> CellView:
    first = {one.cell.variant: one for one in results if not one.attempt and not one.suite_variant}
    titled = {one.title for one in shown}
    # the consoles that are not in the page are files beside it
    linked = (console(one, None) for one in results if one.console)
    others = tuple(Console(one.title, one.address, (), ()) for one in linked if one.title not in titled)
    commands = [(f"{one.cell.variant}: {what}", paste(words)) for one in first.values() for what, words in (
        ("the rig, this cell alone", one.reproduce), ("QEMU", one.command)) if words]  # fmt: skip
    if cell.suite == BUILD:
        commands = [
            (f"{build.variant}: build", "\n".join(map(paste, build.commands)))
            for build in run.builds
            if (build.arch, build.flavour) == (cell.arch, cell.flavour) and build.commands
        ]
    words = Counter(row.word for row in rows)
    return CellView(
        anchor=f"c-{anchor(*_words(cell), *(() if cell.variant == run.judged.name else (cell.variant,)))}",
        title=row_name(cell) if cell.variant == run.judged.name else f"{cell.variant}: {row_name(cell)}",
        cell=cell,
        counts=tuple(tuple(counts(first.get(variant.name))) for variant in run.variants) if first else (),
        effect=worst,
        summary=", ".join(f"{count} {word}" for word, count in words.items()),
        rows=rows,
        consoles=(*shown, *others),
        commands=tuple(commands),
        notes=tuple(dict.fromkeys(note for one in results for note in one.notes)),
        not_run=tuple(f"{one.cell.variant}: {one.not_run}" for one in first.values() if one.not_run),
    )


def _words(cell: Cell) -> tuple[str, ...]:
    return cell.arch, cell.abi, cell.flavour, cell.suite


def _worst(items: Sequence[Comparison]) -> Effect:
    effects = {item.effect for item in items}
    return next((effect for effect in (Effect.FAIL, Effect.UNKNOWN) if effect in effects), Effect.NONE)


def _row(witnesses: Witnesses, item: Comparison, heavy: bool) -> PageRow:
    test = witnesses.of(item).test
    counting = item.effect is not Effect.NONE
    limit = _OUTPUT if counting else 200 if heavy else _QUIET_OUTPUT
    return PageRow(
        anchor=test_anchor(item),
        item=item,
        word=item.verdict.value if item.verdict else show(item.patched),
        base=show(item.base) if item.base else "",
        judged=show(item.patched),
        output=cut(test.output, limit) if test else "",
        figures=test.figures if test else (),
        file=test.file if test else "",
    )


def test_anchor(item: Comparison) -> str:
    return f"t-{anchor(*_words(item.cell), item.test, *((item.cell.variant,) if item.patch else ()))}"


def findings(run: Run, views: Sequence[CellView]) -> list[FindingView]:
    """What counts in the verdict, what fails it first; of many alike the first ones."""
    witnesses = Witnesses(run)
    groups: dict[tuple[Effect, str, str], list[tuple[CellView, PageRow]]] = {}
    for view in views:
        for row in view.rows:
            if row.item.effect is not Effect.NONE:
                groups.setdefault((row.item.effect, row.word, view.anchor), []).append((view, row))
    found = []
    for (_effect, _word, _cell), pairs in sorted(groups.items(), key=lambda group: group[0][0] is not Effect.FAIL):
        more = len(pairs) - _FINDINGS
        shown = [_finding(witnesses, view, row) for view, row in pairs[:_FINDINGS]]
        found += [*shown[:-1], replace(shown[-1], more=max(0, more))]
    return found


def _finding(witnesses: Witnesses, view: CellView, row: PageRow) -> FindingView:
    item = row.item
    found: Evidence = witnesses.of(item)
    first = witnesses.told_in(item)
    why = WHY[item.verdict] if item.verdict else "Without a base, every failure counts."
    if item.verdict is TestVerdict.NEW:
        why = "The series brings this test, and it fails."
    commands = tuple(map(paste, found.commands))
    told_in = row_name(first) if first else ""
    return FindingView(row, view.title, why, cut(found.text, _OUTPUT), found.trace, commands, told_in, view.anchor)


def patch_views(run: Run) -> list[PatchView]:
    """The series. checkpatch's tests begin with the number of their patch."""
    cells = [cell for cell in run.cells if cell.cell.suite == CHECKPATCH and cell.cell.variant == run.judged.name]
    checks = {test.name.partition(" ")[0]: test for cell in cells for test in cell.tests}
    patches = run.series.patches if run.series else ()
    return [
        PatchView(
            patch,
            checks.get(f"{patch.number:04}"),
            tuple(finding for finding in run.findings if finding.patch == patch.number),
        )
        for patch in patches
    ]


def quiet_changes(run: Run) -> list[tuple[str, str, int]]:
    """What changed and counts for nothing: verdict, suite, and how many tests."""
    items = (item for item in run.comparisons if item.effect is Effect.NONE and item.verdict)
    found = Counter(
        (item.verdict.value, item.cell.suite) for item in items if item.verdict and item.verdict is not TestVerdict.SAME
    )
    return [(verdict, suite, count) for (verdict, suite), count in sorted(found.items())]


@dataclass(frozen=True, slots=True)
class WarningView:
    """A compiler's warning of the judged kernel; `new` where base does not have it."""

    arch: str
    flavour: str
    warning: BuildWarning
    new: bool


def warnings(run: Run) -> list[WarningView]:
    """Those of the judged variant, new ones first."""
    base = Counter(
        (build.arch, build.flavour, one.key)
        for build in run.builds
        if run.base and build.variant == run.base.name
        for one in build.warnings
    )
    views = []
    for build in run.builds:
        for one in build.warnings if build.variant == run.judged.name else ():
            key = (build.arch, build.flavour, one.key)
            base[key] -= 1
            views.append(WarningView(build.arch, build.flavour, one, bool(run.base) and base[key] < 0))
    return sorted(views, key=lambda view: not view.new)


def not_run(run: Run) -> list[tuple[str, str]]:
    """What was asked for and did not run, with its reason; tests that both variants skip are counted by reason."""
    cells = [(str(cell.cell), cell.not_run) for cell in run.cells if cell.not_run and not cell.attempt]
    skipped = Counter(
        (row_name(item.cell), item.message or "skipped")
        for item in run.comparisons
        if item.patched and item.patched[-1] is Status.SKIP and item.cell.suite != SERIES
    )
    return [*cells, *((f"{where}: {count} skipped", why) for (where, why), count in skipped.items())]
