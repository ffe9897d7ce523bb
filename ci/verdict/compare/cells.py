# SPDX-License-Identifier: GPL-2.0-or-later
"""Comparisons of equal cells. `compare_cells` does a whole run; the executor asks about single cells as they finish."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ci.model.results import Run
from ci.model.stages import END, FAULT, CellResult, runs_of
from ci.model.verdicts import Comparison, Effect, TestVerdict
from ci.verdict import verdict
from ci.verdict.figures.growth import changed_figures, told
from ci.verdict.guest_tests import by_test, died
from configs.result import Cell, Figure, Status, TestResult

Spot = tuple[str, str, str, str]
"""arch, ABI, flavour, suite: what two equal cells share."""


def doubtful_tests(base: CellResult, judged: CellResult, comparisons: Iterable[Comparison]) -> tuple[str, ...]:
    """The tests of a cell whose verdict another run on both variants could change. A test that did not come to the same
    in all runs so far is flaky, whatever comes."""
    if base.not_run or judged.not_run or not (base.end and judged.end):
        return ()
    open_ones = (item for item in comparisons if item.effect is not Effect.NONE)
    return tuple(item.test for item in open_ones if item.verdict is not TestVerdict.FLAKY)


def compare_cells(run: Run) -> list[Comparison]:
    """Every cell of the judged variant with its equal of the base; a cell that only base has is compared as well."""
    own, base_suites = _group(run, run.judged.name, ""), {}
    if run.base is None:
        return [item for runs in own.values() for item in judge_cell(runs)]
    base = _group(run, run.base.name, "")
    base_suites = _group(run, run.base.name, run.base.name)
    found = []
    for spot in dict.fromkeys((*base, *own)):
        arch, abi, flavour, suite = spot
        absent = [CellResult(cell=Cell(run.judged.name, arch, abi, flavour, suite), not_run="was never started")]
        found += compare_cell(base.get(spot, []), own.get(spot, absent), base_suites.get(spot))
    for variant in run.variants[1:-1]:
        between = _group(run, variant.name, "")
        found += [item for spot, runs in between.items() for item in compare_boot(base.get(spot, []), runs)]
    return found


def compare_boot(base: Sequence[CellResult], between: Sequence[CellResult]) -> list[Comparison]:
    """Whether a variant between base and the judged one comes to its end where base does; nothing where it does, or
    where its kernel was not built (which its build says). Its tests are shown and not judged."""
    if between[0].not_run:
        return []
    found = compare_cell(base, between)
    return [item for item in found if item.test in (END, "cell") and item.effect is not Effect.NONE]


def _group(run: Run, variant: str, suite_variant: str) -> dict[Spot, list[CellResult]]:
    groups: dict[Spot, list[CellResult]] = {}
    for result in sorted(run.cells, key=lambda item: item.attempt):
        cell = result.cell
        if cell.variant == variant and result.suite_variant == suite_variant:
            groups.setdefault((cell.arch, cell.abi, cell.flavour, cell.suite), []).append(result)
    return groups


@dataclass(frozen=True, slots=True)
class _ByName:
    """All runs of one cell, and the tests of each by name: a cell may have ten thousand of them."""

    runs: Sequence[CellResult]
    tests: Sequence[Mapping[str, Sequence[TestResult]]]

    def counted(self, name: str) -> list[TestResult]:
        """What the runs that count for a test say of it."""
        counting = {id(run) for run in runs_of(self.runs, name)}
        pairs = zip(self.runs, self.tests, strict=True)
        return [test for run, tests in pairs if id(run) in counting for test in tests.get(name, ())]


def _by_name(runs: Sequence[CellResult]) -> _ByName:
    found: list[dict[str, list[TestResult]]] = []
    for run in runs:
        tests: dict[str, list[TestResult]] = {}
        for test in run.tests:
            tests.setdefault(test.name, []).append(test)
        found.append(tests)
    return _ByName(runs, found)


def compare_cell(
    base: Sequence[CellResult], judged: Sequence[CellResult], base_suite: Sequence[CellResult] | None = None
) -> list[Comparison]:
    """All runs of one cell, the first runs first: base kernel and judged kernel with the judged tree's suite, and
    optionally the base kernel with the base tree's suite, which shows what is new and what is gone."""
    cell = judged[0].cell
    against = base[0].cell.variant if base else "base"
    reason = judged[0].not_run or (base[0].not_run if base else "base was never started")
    reason = reason or _unequal(base[0], judged[0])
    old, unsure = _suite_names(cell, against, base_suite)
    if reason:
        found = [_unanswered(cell, against, "cell", reason, _unmade(judged[0]))]
        if base and base[0].not_run and old:
            # base's own suite ran on the same kernel: it is the judged tree's suite that cannot be made any more
            found += _gone(cell, against, old, judged)
        return found
    before, after = _both(base, judged)
    tests_then, tests_now = _by_name(base), _by_name(judged)
    found = [] if unsure is None else [unsure]
    for name in dict.fromkeys((*after, *before)):
        then, now = before.get(name, (None,) * len(base)), after.get(name, (None,) * len(judged))
        base_died = _all_died(then, runs_of(base, name))
        if old and name in old and base_died:
            then = old[name]  # the new suite crashed the base kernel, base's own suite did not
        judgement = verdict.judge(
            then,
            now,
            in_base_suite=old is None or name in old or name.startswith("guest/"),
            base_died=base_died,
            crash=name == END or name.startswith(FAULT),
        )
        judgement = verdict.judge_observed(judgement, _observed(tests_then, name), _observed(tests_now, name))
        judgement = verdict.judge_complaints(judgement, _complaints(tests_then, name), _complaints(tests_now, name))
        judgement = verdict.judge_figures(judgement, told(_changed_figures(tests_then, tests_now, name)))
        item = _comparison(cell, against, name, base=then, patched=now, judgement=judgement, runs=tests_now)
        found.append(_never_finished(item, base[0], judged[0]) if name == END else item)
    unseen = {name: was for name, was in (old or {}).items() if name not in before and name not in after}
    if only := judged[0].only:  # base's own suite may have run what the judged one left out
        unseen = {name: was for name, was in unseen.items() if name in only}
    found += _gone(cell, against, unseen, judged)
    return found + _if_empty(cell, against, found)


def _never_finished(item: Comparison, base: CellResult, judged: CellResult) -> Comparison:
    """Decision 1 of the design: without the end marker the run is not complete and cannot be a pass."""
    if item.verdict is not TestVerdict.PRE_EXISTING:
        return item
    ends = f"no run finished ({base.cell.variant}: {base.end}; {judged.cell.variant}: {judged.end})"
    return item.model_copy(update={"effect": Effect.UNKNOWN, "message": f"{item.message}; {ends}"})


def _gone(
    cell: Cell, against: str, tests: dict[str, verdict.Statuses], judged: Sequence[CellResult]
) -> list[Comparison]:
    """Tests of the base tree's suite that no run with the judged tree's suite reported. After a guest that crashed it
    is not known whether they would have been reported."""
    lost, runs = any(map(died, judged)), _by_name(judged)
    missing: verdict.Statuses = (Status.MISS,) if lost else (None,)
    return [
        _comparison(
            cell,
            against,
            name,
            base=was,
            patched=missing,
            judgement=verdict.judge(was, missing) if lost else verdict.judge_gone(was),
            runs=runs,
        )
        for name, was in tests.items()
    ]


def _unequal(base: CellResult, judged: CellResult) -> str:
    """Decision 5 of the design: what differs but the kernel makes the two variants incomparable. Empty if nothing
    does."""
    pairs = {
        "machine": (base.machine, judged.machine),
        "accelerator": (base.accel, judged.accel),
        "QEMU": (base.qemu_version, judged.qemu_version),
    }
    unequal = (
        f"{what} {one} on {base.cell.variant}, {other} on {judged.cell.variant}"
        for what, (one, other) in pairs.items()
        if one and other and one != other
    )
    text = "; ".join(unequal)
    return f"not comparable: {text}" if text else ""


def _both(
    base: Sequence[CellResult], judged: Sequence[CellResult]
) -> tuple[dict[str, verdict.Statuses], dict[str, verdict.Statuses]]:
    names = dict.fromkeys(test.name for run in (*base, *judged) for test in run.tests)
    return by_test(base, names), by_test(judged, names)


def _observed(runs: _ByName, name: str) -> list[str]:
    """What a test observed in the runs in which it passed."""
    return [test.observed for test in runs.counted(name) if test.status is Status.PASS]


def _complaints(runs: _ByName, name: str) -> list[tuple[str, ...]]:
    """What a test complained of in each run in which it gave an answer."""
    return [test.complaints for test in runs.counted(name) if test.status not in (Status.MISS, Status.ERROR)]


def _changed_figures(base: _ByName, judged: _ByName, name: str) -> list[tuple[str, Figure, Figure]]:
    """What a test's figures changed by in the first runs: (name, base, judged)."""
    old, new = (next((test.figures for test in runs.tests[0].get(name, ())), ()) for runs in (base, judged))
    return [(after.name, before, after) for before, after in changed_figures(old, new)]


def _all_died(then: verdict.Statuses, base: Sequence[CellResult]) -> bool:
    silent = [run for run, status in zip(base, then, strict=True) if status in (Status.MISS, Status.ERROR)]
    return len(silent) == len(base) and all(map(died, silent))


def _suite_names(
    cell: Cell, against: str, runs: Sequence[CellResult] | None
) -> tuple[dict[str, verdict.Statuses] | None, Comparison | None]:
    """The tests of the base tree's suite, or a comparison that says why they are not known."""
    if not runs:
        return None, None
    names = {test.name: (test.status,) for test in runs[0].tests if not test.name.startswith("guest/")}
    whole = any(test.name == END and test.status is Status.PASS for test in runs[0].tests)
    if whole:
        return dict(names), None
    why = runs[0].not_run or runs[0].message or "it did not finish"
    return None, _unanswered(cell, against, "suite/base", f"base's own suite could not be listed: {why}")


def _comparison(
    cell: Cell,
    against: str,
    name: str,
    *,
    base: verdict.Statuses,
    patched: verdict.Statuses,
    judgement: verdict.Judgement,
    runs: _ByName,
) -> Comparison:
    message = _message(name, runs) or judgement.reason
    return Comparison(
        cell=cell,
        test=name,
        verdict=judgement.verdict,
        effect=judgement.effect,
        against=against,
        base=base,
        patched=patched,
        message=judgement.reason if judgement.verdict is TestVerdict.CHANGED else message,
    )


def _message(name: str, runs: _ByName) -> str:
    """The test's message in the first run in which it did not pass."""
    said = (test for tests in runs.tests for test in tests.get(name, ()) if test.status is not Status.PASS)
    return next((test.message for test in said if test.message), "")


def _unmade(result: CellResult) -> Status:
    """ERROR for the cell of a suite that cannot be made, MISS for one that did not run for any other reason."""
    return next((test.status for test in result.tests if result.not_run), Status.MISS)


def _unanswered(cell: Cell, against: str, test: str, reason: str, status: Status = Status.MISS) -> Comparison:
    return Comparison(
        cell=cell,
        test=test,
        verdict=TestVerdict.UNKNOWN if against else None,
        effect=Effect.UNKNOWN,
        against=against,
        patched=(status,),
        message=reason,
    )


def _if_empty(cell: Cell, against: str, found: Sequence[Comparison]) -> list[Comparison]:
    if all(item.test.startswith("guest/") for item in found):
        return [_unanswered(cell, against, "suite/tests", "the suite did not report a single test")]
    return []


def judge_cell(runs: Sequence[CellResult]) -> list[Comparison]:
    """A cell that has nothing to be compared with: its statuses count for themselves."""
    cell = runs[0].cell
    if runs[0].not_run:
        return [_unanswered(cell, "", "cell", runs[0].not_run, _unmade(runs[0]))]
    named = _by_name(runs)
    found = [
        _comparison(cell, "", name, base=(), patched=seen, judgement=verdict.judge_alone(seen), runs=named)
        for name, seen in by_test(runs).items()
    ]
    return found + _if_empty(cell, "", found)
