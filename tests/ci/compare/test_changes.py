# SPDX-License-Identifier: GPL-2.0-or-later
"""What one revision changed against another, from made-up runs: every kind of change, and what counts as worse."""

from collections.abc import Mapping

import pytest

from ci.compare.answer import ChangeKind, CompareOutcome
from ci.compare.changes import Runs, changes, outcome, summary
from ci.compare.figures import columns, rows
from ci.model.figures import Explanation, FunctionCost
from ci.model.results import Run
from ci.model.stages import BuildResult, CellResult
from ci.model.variants import ApplyFailure, Variant
from ci.verdict.conclude import conclude
from configs.model import BudgetChoice
from configs.result import Cell, Figure, Status, TestResult
from tests.ci.samples import TODAY, built, not_run, ran, run_of

PASS, FAIL, SKIP, MISS = Status.PASS, Status.FAIL, Status.SKIP, Status.MISS
Tests = Mapping[str, Status]


def benchmark(variant: str, value: int, unit: str = "insns") -> CellResult:
    test = TestResult("call", PASS, figures=(Figure("cost", value, unit),))
    return CellResult(
        cell=Cell(variant, "x86_64", "x86_64", "plain", "benchmark/seccomp"), tests=(test,), end="finished"
    )


def run(
    base: str, judged: str, cells: list[CellResult], builds: list[BuildResult] | None = None,
    budgets: tuple[BudgetChoice, ...] = (), failure: ApplyFailure | None = None,
) -> Run:  # fmt: skip
    """A concluded run of two variants."""
    variants = (Variant(name=base, patches=0 if base == "base" else None), Variant(name=judged, failure=failure))
    made = [built(base), built(judged)] if builds is None else builds
    return conclude(run_of(cells, made, variants=variants), today=TODAY, budgets=budgets)


def three(base: Tests, old: Tests, new: Tests, *, other_base: Tests | None = None) -> Runs:
    """The three runs about v3 and v4; `other_base` is what v4's base does, where that is another."""
    own = base if other_base is None else other_base
    return Runs(
        run("base", "v3", [ran("base", base), ran("v3", old)]),
        run("base", "v4", [ran("base", own), ran("v4", new)]),
        run("v3", "v4", [ran("v3", old), ran("v4", new)]),
        other_base is None,
    )


def kinds(runs: Runs) -> dict[str, tuple[ChangeKind, bool]]:
    return {item.test: (item.kind, item.worse) for item in changes(runs)}


@pytest.mark.parametrize(
    ("base", "old", "new", "wanted", "result"),
    [
        (PASS, PASS, PASS, None, CompareOutcome.NO_WORSE),
        (PASS, PASS, FAIL, (ChangeKind.BROKE, True), CompareOutcome.WORSE),
        (FAIL, PASS, FAIL, (ChangeKind.BROKE, True), CompareOutcome.WORSE),
        (PASS, FAIL, PASS, (ChangeKind.FIXED, False), CompareOutcome.NO_WORSE),
        (PASS, FAIL, FAIL, None, CompareOutcome.NO_WORSE),
        (PASS, PASS, SKIP, (ChangeKind.BROKE, True), CompareOutcome.WORSE),
        (SKIP, SKIP, PASS, (ChangeKind.NEW, False), CompareOutcome.NO_WORSE),
        (PASS, PASS, MISS, (ChangeKind.UNKNOWN, False), CompareOutcome.UNKNOWN),
        (MISS, PASS, PASS, None, CompareOutcome.NO_WORSE),
    ],
)
def test_a_test(
    base: Status, old: Status, new: Status, wanted: tuple[ChangeKind, bool] | None, result: CompareOutcome
) -> None:
    runs = three(*({"one": status, "two": PASS} for status in (base, old, new)))
    assert kinds(runs) == ({} if wanted is None else {"one": wanted})
    assert outcome(changes(runs)) is result


def test_what_a_change_says() -> None:
    (item,) = changes(three({"one": PASS}, {"one": PASS}, {"one": FAIL}))
    assert (item.cell.variant, item.against) == ("v4", "v3")
    assert item.text == "v3: PASS; v4: FAIL; one said FAIL"
    assert item.reproduce


def test_what_the_base_broke_is_not_the_series_doing() -> None:
    runs = three({"one": PASS}, {"one": PASS}, {"one": FAIL}, other_base={"one": FAIL})
    assert kinds(runs) == {"one": (ChangeKind.BASE, False)}
    runs = three({"one": PASS}, {"one": PASS}, {"one": FAIL}, other_base={"one": PASS})
    assert kinds(runs) == {"one": (ChangeKind.BROKE, True)}


def test_figures_grow_within_and_beyond_their_allowance() -> None:
    for new, wanted in (
        (1000, {}),
        (990, (ChangeKind.CHEAPER, False)),
        (1005, (ChangeKind.DEARER, False)),
        (1100, (ChangeKind.DEARER, True)),
    ):
        runs = Runs(
            run("base", "v3", [benchmark("base", 2000), benchmark("v3", 1000)]),
            run("base", "v4", [benchmark("base", 2000), benchmark("v4", new)]),
            run("v3", "v4", [benchmark("v3", 1000), benchmark("v4", new)]),
            same_base=True,
        )
        found = [item for item in changes(runs) if item.test == "call/cost"]
        assert [(item.kind, item.worse) for item in found] == ([wanted] if wanted else [])
        assert all(f"1000 -> {new} insns" in item.text for item in found)


def test_a_cost_that_grew_names_the_functions_that_it_is_in() -> None:
    step = run("v3", "v4", [benchmark("v3", 1000), benchmark("v4", 1100)])
    costs = tuple(
        FunctionCost(function=name, base=10, judged=10 + more)
        for name, more in (("a", 60), ("b", 30), ("c", 20), ("d", 5), ("e", -15))
    )
    fell = costs[:1] + costs[-1:]
    (cell,) = {item.cell for item in step.cells if item.cell.variant == "v4"}
    for functions, wanted in ((costs, "most in: a +60, b +30, c +20"), (fell, "most in: a +60")):
        found = (Explanation(cell=cell, figure="call/cost", functions=functions),)
        told = step.model_copy(update={"explanations": found})
        (item,) = changes(Runs(run("base", "v3", []), run("base", "v4", []), told, same_base=True))
        assert item.text.startswith("1000 -> 1100 insns")
        assert item.text.endswith(f"; {wanted}")


def test_of_hits_more_is_better() -> None:
    step = run("v3", "v4", [benchmark("v3", 5, "hits"), benchmark("v4", 4, "hits")])
    runs = Runs(run("base", "v3", []), run("base", "v4", []), step, same_base=True)
    assert kinds(runs)["call/cost"] == (ChangeKind.DEARER, False)


def test_a_budget_that_only_the_newer_breaks_is_worse_and_one_that_both_break_is_not() -> None:
    limit = (BudgetChoice(suite="benchmark/seccomp", figure="call/*", limit="<= 1000 insns"),)

    def runs(old: int, new: int) -> Runs:
        return Runs(
            run("base", "v3", [benchmark("base", 500), benchmark("v3", old)], budgets=limit),
            run("base", "v4", [benchmark("base", 500), benchmark("v4", new)], budgets=limit),
            run("v3", "v4", [benchmark("v3", old), benchmark("v4", new)]),
            same_base=True,
        )

    assert [item.worse for item in changes(runs(999, 1001))] == [True], "one figure is told once"
    assert changes(runs(999, 1001))[0].text == "500 -> 1001 insns (+501, +100.2 %), budget <= 1000 insns"
    assert kinds(runs(1001, 1002)) == {"call/cost": (ChangeKind.DEARER, False)}
    assert {item.kind for item in changes(runs(1001, 999))} == {ChangeKind.CHEAPER, ChangeKind.FIXED}


def test_kernels_that_were_not_built() -> None:
    good = run("base", "v3", [ran("base", {"one": PASS}), ran("v3", {"one": PASS})])
    why = "the kernel does not build"
    bad = run("base", "v4", [ran("base", {"one": PASS}), not_run("v4", why)], [built("base"), built("v4", ok=False)])
    step = run("v3", "v4", [ran("v3", {"one": PASS}), not_run("v4", why)], [built("v3"), built("v4", ok=False)])
    assert kinds(Runs(good, bad, step, same_base=True)) == {"kernel": (ChangeKind.BROKE, True)}
    back = run("v4", "v3", [not_run("v4", why), ran("v3", {"one": PASS})], [built("v4", ok=False), built("v3")])
    assert kinds(Runs(bad, good, back, same_base=True)) == {"kernel": (ChangeKind.FIXED, False)}
    both = run("v4", "v3", [not_run("v4", why), not_run("v3", why)], [built("v4", ok=False), built("v3", ok=False)])
    other = run("base", "v3", [ran("base", {"one": PASS}), not_run("v3", why)], [built("base"), built("v3", ok=False)])
    runs = Runs(bad, other, both, same_base=True)
    assert (kinds(runs), outcome(changes(runs))) == ({"kernel": (ChangeKind.UNKNOWN, False)}, CompareOutcome.UNKNOWN)


def test_series_that_do_not_apply() -> None:
    stray = ApplyFailure(patch=1, subject="s", file="a.c")
    good = run("base", "v3", [ran("base", {"one": PASS}), ran("v3", {"one": PASS})])
    bad = run("base", "v4", [], [], failure=stray)
    assert kinds(Runs(good, bad, None, same_base=True)) == {"apply": (ChangeKind.BROKE, True)}
    assert kinds(Runs(bad, good, None, same_base=True)) == {"apply": (ChangeKind.FIXED, False)}
    both = Runs(bad, run("base", "v3", [], [], failure=stray), None, same_base=True)
    assert (kinds(both), outcome(changes(both))) == ({"apply": (ChangeKind.UNKNOWN, False)}, CompareOutcome.UNKNOWN)


def test_what_is_worse_comes_first_and_is_counted() -> None:
    old = {"one": PASS, "two": FAIL, "three": PASS}
    found = changes(three(dict.fromkeys(old, PASS), old, {"one": FAIL, "two": PASS, "three": FAIL}))
    assert [item.test for item in found] == ["one", "three", "two"]
    assert summary(found) == "2 broke, 1 fixed"
    assert summary([]) == "nothing changed"


def test_figures_side_by_side_with_every_base_once() -> None:
    first = run("base", "v3", [benchmark("base", 1), benchmark("v3", 2)])
    second = run("base", "v4", [benchmark("base", 1), benchmark("v4", 3)])
    moved = second.source.model_copy(update={"tree": "another"})
    third = run("base", "v5", [benchmark("base", 4)]).model_copy(update={"source": moved})
    found = columns([first, second])
    assert [column.name for column in found] == ["base", "v3", "v4"]
    assert [row.values for row in rows(found)] == [(1, 2, 3)]
    found = columns([first, second, third])
    assert [column.name for column in found] == ["base of v3", "v3", "v4", "base of v5", "v5"]
    assert [row.values for row in rows(found)] == [(1, 2, 3, 4, None)]
