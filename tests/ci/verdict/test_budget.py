# SPDX-License-Identifier: GPL-2.0-or-later
"""Budgets against the figures of both variants."""

from dataclasses import replace

import pytest

from ci.model.results import Run
from ci.model.stages import CellResult
from ci.model.variants import Variant
from ci.model.verdicts import Comparison, Effect, RunVerdict, TestVerdict
from ci.report import terminal
from ci.verdict.conclude import conclude
from ci.verdict.figures.budget import compare_budgets
from ci.verdict.figures.growth import cell_changes
from configs.model import BudgetChoice
from configs.result import Cell, Figure, Status, TestResult
from tests.ci.samples import TODAY, run_of


def measured(variant: str, figures: dict[str, int], arch: str = "x86_64", unit: str = "bytes") -> CellResult:
    listed = tuple(Figure(name, value, unit) for name, value in figures.items())
    test = TestResult("seccomp_filter", Status.PASS, figures=listed)
    return CellResult(cell=Cell(variant, arch, "-", "plain", "layout"), tests=(test,))


def two(base: dict[str, int], patched: dict[str, int]) -> Run:
    return run_of([measured("base", base), measured("patched", patched)])


def budget(figure: str, limit: str, **where: str) -> BudgetChoice:
    return BudgetChoice(**{"suite": "layout", **where}, figure=figure, limit=limit)


def only(run: Run, *budgets: BudgetChoice) -> Comparison:
    (item,) = compare_budgets(run, budgets)
    return item


def test_a_broken_budget_is_a_regression_with_both_figures() -> None:
    item = only(two({"size": 216}, {"size": 280}), budget("seccomp_filter/size", "<= base + 8"))
    assert (item.verdict, item.effect, item.patched) == (TestVerdict.REGRESSION, Effect.FAIL, (Status.FAIL,))
    assert item.test == "budget/seccomp_filter/size"
    assert item.message == "216 -> 280 bytes (+64, +29.6 %), budget <= base + 8"


def test_a_kept_budget_is_shown_as_well() -> None:
    item = only(two({"size": 216}, {"size": 216}), budget("*/size", "no growth"))
    assert (item.verdict, item.effect, item.message) == (
        TestVerdict.SAME,
        Effect.NONE,
        "216 -> 216 bytes, budget no growth",
    )


def test_a_figure_that_changed_within_its_budget_is_not_the_same() -> None:
    item = only(two({"size": 216}, {"size": 220}), budget("*/size", "<= base + 8"))
    assert (item.verdict, item.effect, item.patched) == (TestVerdict.CHANGED, Effect.NONE, (Status.PASS,))
    assert item.message == "216 -> 220 bytes (+4, +1.9 %), budget <= base + 8"


def test_a_budget_for_another_version_of_base_is_left_out() -> None:
    run = two({"size": 216}, {"size": 280})
    ours, other = run.source.version, f"not-{run.source.version}"
    assert [item.effect for item in compare_budgets(run, [budget("*", "no growth", source=ours)])] == [Effect.FAIL]
    assert compare_budgets(run, [budget("*", "no growth", source=other)]) == []


def counted(base: dict[str, int], patched: dict[str, int], unit: str = "insns") -> Run:
    """The same as `two`, of a benchmark."""
    cells = [measured("base", base, unit=unit), measured("patched", patched, unit=unit)]
    return run_of([cell.model_copy(update={"cell": replace(cell.cell, suite="benchmark/x")}) for cell in cells])


@pytest.mark.parametrize(
    ("unit", "base", "patched", "broken"),
    [
        ("insns", 100, 108, False),
        ("insns", 100, 109, True),
        ("insns", 100_000, 101_000, False),
        ("insns", 100_000, 101_001, True),
        ("insns", 100, 10, False),
        ("insns", 0, 9, True),
        ("bytes", 500, 516, False),
        ("bytes", 500, 517, True),
        ("ns", 100, 1000, False),
    ],
)
def test_growth_without_a_budget(unit: str, base: int, patched: int, broken: bool) -> None:
    run = counted({"f": base}, {"f": patched}, unit)
    found = compare_budgets(run, [])
    assert [(item.test, item.verdict) for item in found] == (
        [("budget/seccomp_filter/f", TestVerdict.REGRESSION)] if broken else []
    )
    concluded = conclude(run, today=TODAY)
    assert (concluded.verdict is RunVerdict.FAIL) == broken
    (test,) = [item for item in concluded.comparisons if item.test == "seccomp_filter"]
    assert (test.verdict, test.effect) == (TestVerdict.CHANGED, Effect.NONE)


def test_a_budget_stands_in_place_of_the_rule_for_all() -> None:
    run = counted({"f": 100, "g": 100}, {"f": 150, "g": 150})
    meant = budget("*/f", "<= base * 1.5", suite="benchmark/x")
    assert [(item.test, item.verdict) for item in compare_budgets(run, [meant])] == [
        ("budget/seccomp_filter/f", TestVerdict.CHANGED),
        ("budget/seccomp_filter/g", TestVerdict.REGRESSION),
    ]
    other_version = meant.model_copy(update={"source": "0.*"})
    assert {item.verdict for item in compare_budgets(run, [other_version])} == {TestVerdict.REGRESSION}


def test_a_figure_of_a_benchmark_that_is_lost_is_no_answer() -> None:
    (item,) = compare_budgets(counted({"f": 100, "g": 1}, {"f": 100}), [])
    assert (item.test, item.effect) == ("budget/seccomp_filter/g", Effect.UNKNOWN)


def test_structs_and_sizes_have_budgets_only_where_the_profile_names_them() -> None:
    concluded = conclude(two({"size": 216}, {"size": 999}), today=TODAY)
    (item,) = [found for found in concluded.comparisons if found.cell.suite == "layout"]
    assert (item.verdict, item.effect, item.message) == (
        TestVerdict.CHANGED,
        Effect.NONE,
        "1 figure changed: size +362.5 %",
    )
    assert concluded.verdict is RunVerdict.PASS


def test_the_line_names_the_figure_that_changed_most() -> None:
    base = measured("base", {"a": 1000, "b": 10, "c": 5, "d": 0})
    assert cell_changes(base, measured("patched", {"a": 1031, "b": 10, "c": 5, "d": 0})) == (
        "1 figure changed: seccomp_filter/a +3.1 %"
    )
    assert cell_changes(base, measured("patched", {"a": 1031, "b": 5, "c": 5, "d": 0})) == (
        "2 figures changed, most: seccomp_filter/b -50.0 %"
    )
    assert cell_changes(base, measured("patched", {"a": 1000, "b": 10, "c": 5, "d": 3})) == (
        "1 figure changed: seccomp_filter/d +3 bytes"
    )
    assert cell_changes(base, base) == ""


def test_a_budget_that_base_breaks_as_well_is_still_broken() -> None:
    assert only(two({"size": 300}, {"size": 250}), budget("*", "<= 200 bytes")).effect is Effect.FAIL


def test_a_glob_speaks_of_every_figure_that_it_matches() -> None:
    run = two({"size": 216, "holes": 1}, {"size": 216, "holes": 2})
    found = compare_budgets(run, [budget("seccomp_filter/*", "no growth")])
    assert [(item.test, item.effect) for item in found] == [
        ("budget/seccomp_filter/size", Effect.NONE),
        ("budget/seccomp_filter/holes", Effect.FAIL),
    ]


def test_a_budget_without_a_figure_leaves_the_run_unknown() -> None:
    item = only(two({"size": 216}, {"size": 216}), budget("*/sise", "no growth"))
    assert (item.verdict, item.effect, item.patched) == (TestVerdict.UNKNOWN, Effect.UNKNOWN, (Status.MISS,))
    assert item.message == "budget no growth: no figure of this suite answers to it"


def test_a_figure_that_only_one_side_has_is_no_answer() -> None:
    run = two({"size": 216}, {"holes": 1})
    gone = only(run, budget("*/size", "<= 500"))
    assert (gone.effect, gone.message) == (Effect.UNKNOWN, "budget <= 500: only base reports this figure")
    fresh = only(run, budget("*/holes", "no growth"))
    assert (fresh.effect, fresh.message) == (Effect.UNKNOWN, "budget no growth: base does not report this figure")
    assert only(run, budget("*/holes", "<= 1")).effect is Effect.NONE


def test_another_unit_is_no_answer() -> None:
    item = only(two({"size": 216}, {"size": 216}), budget("*/size", "<= 200 insns"))
    assert (item.effect, item.message) == (Effect.UNKNOWN, "the budget is in insns, the figure in bytes")


def test_a_budget_of_what_was_left_out_is_left_out() -> None:
    run = two({"size": 216}, {"size": 999})
    assert compare_budgets(run, [budget("*", "no growth", arch="aarch64")]) == []
    assert compare_budgets(run, [budget("*", "no growth", suite="benchmark")]) == []
    assert len(compare_budgets(run, [budget("*", "no growth", arch="x86*", abi="-")])) == 1


def test_each_architecture_is_compared_with_itself() -> None:
    cells = [
        measured("base", {"size": 216}),
        measured("patched", {"size": 216}),
        measured("base", {"size": 100}, "aarch64"),
        measured("patched", {"size": 101}, "aarch64"),
    ]
    found = compare_budgets(run_of(cells), [budget("*", "no growth")])
    assert [(item.cell.arch, item.effect) for item in found] == [("x86_64", Effect.NONE), ("aarch64", Effect.FAIL)]


def test_without_a_base_only_absolute_budgets_speak() -> None:
    alone = run_of([measured("tree", {"size": 216})], variants=[Variant(name="tree", patches=0)])
    relative, absolute = compare_budgets(alone, [budget("*", "no growth"), budget("*", "<= 200")])
    assert (relative.verdict, relative.effect, relative.patched) == (None, Effect.NONE, (Status.SKIP,))
    assert (absolute.verdict, absolute.effect) == (None, Effect.FAIL)


def test_a_broken_budget_fails_the_run_and_nothing_else() -> None:
    run = conclude(two({"size": 216}, {"size": 280}), today=TODAY, budgets=[budget("*/size", "no growth")])
    assert run.verdict is RunVerdict.FAIL
    assert [item.test for item in run.comparisons if item.effect is not Effect.NONE] == ["budget/seccomp_filter/size"]


def test_the_report_does_not_say_that_nothing_changed_where_figures_did() -> None:
    text = terminal.render(conclude(counted({"f": 100}, {"f": 104}), today=TODAY))
    assert "benchmark/x: 1 figure changed: seccomp_filter/f +4.0 %" in text
    assert "Nothing changed." not in text
    assert "No test changed its result." in text
