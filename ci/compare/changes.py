# SPDX-License-Identifier: GPL-2.0-or-later
"""What one revision changed against the one before it. Pure functions on finished runs.

Three runs speak of it: the check of each revision against its own base, and between them the run whose base is the
revision before. That one decides about tests, warnings and costs. The checks add what it cannot see: budgets of the
profile, checks of the patches themselves, a revision that does not apply or build, and what the bases changed. Where
the run asked for it, also the lines that the suites execute: a line is the same line if file and text are, wherever it
stands.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ci.cells.static.static_cells import SYMBOL
from ci.compare.answer import ChangeKind, CompareOutcome, CoverageChange, RevisionChange
from ci.model.coverage import AddedLine, Coverage, LineState
from ci.model.results import Run
from ci.model.stages import CellResult
from ci.model.verdicts import Comparison, Effect, TestVerdict
from ci.verdict import verdict
from ci.verdict.compare.builds import BUILD, KERNEL, SERIES
from ci.verdict.figures.budget import PREFIX, cell_figures, words
from configs.names import OF_PATCHES
from configs.result import HITS, Cell, Figure

Spot = tuple[str, str, str, str, str]
"""arch, ABI, flavour, suite, test: what the same test of two variants shares."""

_FUNCTIONS = 3
"""Functions that are named of a cost that grew."""
_KINDS = {
    TestVerdict.FIXED: ChangeKind.FIXED,
    TestVerdict.NEW: ChangeKind.NEW,
    TestVerdict.GONE: ChangeKind.GONE,
    TestVerdict.FLAKY: ChangeKind.FLAKY,
}
Line = tuple[str, str]
"""Path and text."""


@dataclass(frozen=True, slots=True)
class Runs:
    """`step` is None where one of the revisions does not apply; `same_base` says that both stand on one tree."""

    before: Run
    after: Run
    step: Run | None
    same_base: bool


def changes(runs: Runs) -> tuple[RevisionChange, ...]:
    """All of them, what counts as worse first."""
    found = [*_of_step(runs), *_of_checks(runs)]
    told = {(item.cell, item.test) for item in found if item.kind in (ChangeKind.DEARER, ChangeKind.UNKNOWN)}
    found += [item for item in _of_figures(runs) if (item.cell, item.test) not in told]
    order = list(ChangeKind)
    return tuple(sorted(found, key=lambda item: (not item.worse, order.index(item.kind))))


def outcome(found: Iterable[RevisionChange]) -> CompareOutcome:
    found = list(found)
    if any(item.worse for item in found):
        return CompareOutcome.WORSE
    return CompareOutcome.UNKNOWN if any(item.kind is ChangeKind.UNKNOWN for item in found) else CompareOutcome.NO_WORSE


def summary(found: Iterable[RevisionChange]) -> str:
    """`1 broke, 2 dearer beyond what is allowed, 14 cheaper`."""
    counts = Counter((item.kind, item.worse) for item in found)
    words = [
        f"{counts[kind, worse]} {kind}{' beyond what is allowed' if worse and kind is ChangeKind.DEARER else ''}"
        for kind in ChangeKind
        for worse in (True, False)
        if counts[kind, worse]
    ]
    return ", ".join(words) or "nothing changed"


# The run between the revisions ----------------------------------------------------------------------------------------


def _of_step(runs: Runs) -> Iterator[RevisionChange]:
    if runs.step is None:
        return
    own = {_spot(item): item for item in runs.after.comparisons}
    for item in runs.step.comparisons:
        kind = _kind(item)
        if kind is None or item.cell.suite == SERIES:
            continue
        if kind is ChangeKind.UNKNOWN and _is_explained(runs, item):
            continue
        of_base = own.get(_spot(item))
        if not runs.same_base and kind is ChangeKind.BROKE and of_base and of_base.verdict is TestVerdict.PRE_EXISTING:
            kind = ChangeKind.BASE
        worse = kind is ChangeKind.BROKE or (kind is ChangeKind.DEARER and item.effect is Effect.FAIL)
        yield _change(runs.step, item, kind, worse)


def _is_explained(runs: Runs, item: Comparison) -> bool:
    """Whether there is no answer because one of the two kernels was not built, which is a change by itself. Of two
    that are not built nothing is known, and the kernel is what says so."""
    spot = (item.cell.arch, item.cell.flavour)
    unbuilt = [spot in _unbuilt(run) for run in (runs.before, runs.after)]
    return any(unbuilt) and not (all(unbuilt) and item.test == KERNEL)


def _unbuilt(run: Run) -> set[tuple[str, str]]:
    """Architecture and flavour of the revision's kernels that were not built."""
    return {(item.arch, item.flavour) for item in run.builds if item.variant == run.judged.name and not item.ok}


def _kind(item: Comparison) -> ChangeKind | None:
    """None for what is the same, and for figures within their allowance, which `_of_figures` lists one by one."""
    if item.effect is Effect.UNKNOWN:
        return ChangeKind.UNKNOWN
    if item.effect is Effect.FAIL:
        return ChangeKind.DEARER if item.test.startswith(PREFIX) else ChangeKind.BROKE
    if item.known and item.verdict is TestVerdict.REGRESSION:
        return ChangeKind.KNOWN
    return _KINDS.get(item.verdict) if item.verdict else None


# The checks of both revisions against their own bases -----------------------------------------------------------------


def _of_checks(runs: Runs) -> Iterator[RevisionChange]:
    """What fails in one of the two checks alone, unless the run between them has an answer of its own."""
    before, after = ({_spot(item): item for item in run.comparisons} for run in (runs.before, runs.after))
    settled = {_spot(item) for item in runs.step.comparisons if _is_answer(item)} if runs.step else set()
    for spot, item in after.items():
        was = before.get(spot)
        if spot in settled or item.effect is Effect.NONE or (was and was.effect is item.effect):
            continue
        if item.effect is Effect.FAIL:
            kind = ChangeKind.DEARER if item.test.startswith(PREFIX) else ChangeKind.BROKE
            yield _change(runs.after, item, kind, True)
        elif runs.step is None and not _is_explained(runs, item):
            yield _change(runs.after, item, ChangeKind.UNKNOWN, False)
    for spot, item in before.items():
        now = after.get(spot)
        if spot not in settled and item.effect is Effect.FAIL and now and now.effect is Effect.NONE:
            yield _change(runs.after, now.model_copy(update={"message": item.message}), ChangeKind.FIXED, False)
    if _unapplied(runs.before) and _unapplied(runs.after):
        cell = Cell(runs.after.judged.name, "-", "-", "-", SERIES)
        text = "neither of the two applies, so there is nothing to compare"
        yield RevisionChange(
            kind=ChangeKind.UNKNOWN, cell=cell, test="apply", against=runs.before.judged.name, text=text
        )


def _is_answer(item: Comparison) -> bool:
    return item.effect is not Effect.UNKNOWN and not (item.cell.suite == BUILD and item.test == KERNEL)


def _unapplied(run: Run) -> bool:
    return run.judged.failure is not None


def _spot(item: Comparison) -> Spot:
    return item.cell.arch, item.cell.abi, item.cell.flavour, item.cell.suite, item.test


def _change(run: Run, item: Comparison, kind: ChangeKind, worse: bool) -> RevisionChange:
    reproduce = next((cell.reproduce for cell in run.cells if cell.cell == item.cell and cell.reproduce), ())
    text = "; ".join(part for part in (_text(item, kind), _functions(run, item)) if part)
    return RevisionChange(
        kind=kind, cell=item.cell, test=item.test.removeprefix(PREFIX), against=item.against, text=text, worse=worse,
        reproduce=reproduce,
    )  # fmt: skip


def _functions(run: Run, item: Comparison) -> str:
    """`most in: do_syscall_64 +40, ...` of a figure that the run explained."""
    figure = item.test.removeprefix(PREFIX)
    of_figure = (one for one in run.explanations if one.cell == item.cell and one.figure == figure)
    found = next(of_figure, None) if item.test.startswith(PREFIX) else None
    grown = [one for one in found.functions if one.difference > 0][:_FUNCTIONS] if found else []
    return f"most in: {', '.join(f'{one.function} {one.difference:+d}' for one in grown)}" if grown else ""


def _text(item: Comparison, kind: ChangeKind) -> str:
    """`v3: PASS; v4: 2 FAIL; MESSAGE`; of a figure only how much it changed."""
    if kind is ChangeKind.DEARER or item.cell.suite in (BUILD, SERIES):
        return item.message
    sides = [f"{item.against}: {verdict.show(item.base)}"] if item.base else []
    sides += [f"{item.cell.variant}: {verdict.show(item.patched)}"] if item.patched else []
    known = [f"known: {item.known.reason}"] if item.known else []
    said = [item.message] if item.message and item.message not in verdict.REASONS else []
    return "; ".join([*sides, *said, *known])


# Figures --------------------------------------------------------------------------------------------------------------


def _of_figures(runs: Runs) -> Iterator[RevisionChange]:
    """Every figure that is not the same, those within their allowance as well."""
    if runs.step is None or runs.step.base is None:
        return
    against, cells = runs.step.base.name, first_cells(runs.step)
    for cell, result in cells.items():
        if cell.variant != runs.step.judged.name or cell.suite in OF_PATCHES:
            continue
        before = cell_figures(cells.get(Cell(against, cell.arch, cell.abi, cell.flavour, cell.suite)))
        for name, figure in cell_figures(result).items():
            was = before.get(name)
            if is_told(name) and was and was.value != figure.value and was.unit == figure.unit:
                yield _of_figure(cell, against, name, was, figure)


def _of_figure(cell: Cell, against: str, name: str, before: Figure, after: Figure) -> RevisionChange:
    kind = ChangeKind.DEARER if (after.value > before.value) is (after.unit != HITS) else ChangeKind.CHEAPER
    return RevisionChange(kind=kind, cell=cell, test=name, against=against, text=words(before, after))


def is_told(name: str) -> bool:
    """Whether a figure, `<test>/<figure>`, is shown by itself: the sizes of single functions are not."""
    return not name.rpartition("/")[2].startswith(SYMBOL) and f"/{SYMBOL}" not in name


def first_cells(run: Run) -> Mapping[Cell, CellResult]:
    """The first run of each cell with the judged variant's suite."""
    return {item.cell: item for item in run.cells if not item.attempt and not item.suite_variant}


def coverage_change(before: Coverage | None, after: Coverage | None) -> CoverageChange | None:
    """None where one of the two has no coverage."""
    if before is None or after is None:
        return None
    ran = Counter((path, line.text) for path, line in before.lines(LineState.EXECUTED))
    known = {(file.path, line.text) for file in before.files for line in file.counted}
    missed = list(after.lines(LineState.MISSED))
    return CoverageChange(
        before=(before.executed, before.counted),
        after=(after.executed, after.counted),
        lost=tuple(_shown(path, line) for path, line in missed if _no_longer(ran, after, (path, line.text))),
        unseen=tuple(_shown(path, line) for path, line in missed if (path, line.text) not in known),
    )


def _no_longer(ran: Counter[Line], after: Coverage, line: Line) -> bool:
    """Whether fewer lines of this text are executed than were."""
    return sum(1 for path, found in after.lines(LineState.EXECUTED) if (path, found.text) == line) < ran[line]


def _shown(path: str, line: AddedLine) -> str:
    return f"{path}:{line.number}: {line.text.strip()}"


def coverage_change_lines(change: CoverageChange, before: str, after: str) -> Iterator[str]:
    """The change in words, a heading and the lines below it; a line of source begins with a blank."""
    sides = ((before, change.before), (after, change.after))
    counted = [f"{name} {executed} of {count}" for name, (executed, count) in sides]
    yield f"added lines that the suites execute: {', '.join(counted)}"
    for heading, found in (("no longer executed", change.lost), ("new and never executed", change.unseen)):
        if found:
            yield f"{heading}:"
            yield from (f" {line}" for line in found)
