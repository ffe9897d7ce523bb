# SPDX-License-Identifier: GPL-2.0-or-later
"""Which tests are run again, with how much of their suite, and what such runs say."""

from collections.abc import Mapping

import pytest

from ci.model.results import Run
from ci.model.stages import CellResult
from ci.model.verdicts import TestVerdict
from ci.verdict.conclude import conclude
from ci.verdict.doubt import Doubt, find_doubts, told, turns
from configs.result import Status
from tests.ci.samples import PANIC, TODAY, ran, run_of

P, F, S = Status.PASS, Status.FAIL, Status.SKIP


def pair(base: Mapping[str, Status], patched: Mapping[str, Status], attempt: int = 0, *only: str) -> list[CellResult]:
    sides = (ran("base", base, attempt=attempt), ran("patched", patched, attempt=attempt))
    return [side.model_copy(update={"only": only}) for side in sides]


def doubt(cells: list[CellResult]) -> Doubt | None:
    found = find_doubts(cells, run_of(cells))
    assert len(found) < 2
    return found[0] if found else None


def verdict(cells: list[CellResult], test: str) -> TestVerdict | None:
    run: Run = conclude(run_of(cells), today=TODAY)
    return next(item.verdict for item in run.comparisons if item.test == test)


FIRST = pair({"a": P, "b": P}, {"a": P, "b": F})


def test_only_the_test_that_differs_is_in_doubt() -> None:
    found = doubt(FIRST)
    assert found is not None
    assert (found.only, found.whole) == (("b",), False)
    assert told([found]) == "1 test of 1 cell differs"
    assert told([found, found]) == "2 tests of 2 cells differ"
    assert doubt(pair({"a": P}, {"a": P})) is None


def test_the_end_of_a_guest_needs_the_whole_suite() -> None:
    found = doubt([ran("base", {"a": P, "b": P}), ran("patched", {"a": P}, end="panic", faults=[PANIC])])
    assert found is not None
    assert found.whole
    assert found.only == ()


def test_what_hung_is_run_again_as_often_as_it_may_at_once_and_nothing_else() -> None:
    hung = doubt([ran("base", {"a": P, "b": P}), ran("patched", {"a": P}, end="test-hung")])
    failed = doubt(pair({"a": P}, {"a": F}))
    assert hung is not None
    assert failed is not None
    assert [turn for _, turn in turns([hung], 1, 3)] == [1, 1, 2, 2, 3, 3]
    assert [turn for _, turn in turns([failed], 1, 3)] == [1, 1]
    assert [turn for _, turn in turns([hung], 3, 3)] == [3, 3]
    assert {cell for cell, _ in turns([hung], 1, 3)} == set(hung.cells)


@pytest.mark.parametrize("status", [P, F, S])
def test_a_re_run_of_one_test_says_nothing_about_the_others(status: Status) -> None:
    cells = [*FIRST, *pair({"b": P}, {"b": status}, 1, "b")]
    assert verdict(cells, "a") is TestVerdict.SAME
    assert verdict(cells, "guest/end") is TestVerdict.SAME


def test_a_regression_that_holds_is_asked_for_as_often_as_was_wished() -> None:
    cells = [*FIRST, *pair({"b": P}, {"b": F}, 1, "b")]
    assert verdict(cells, "b") is TestVerdict.REGRESSION
    found = doubt(cells)
    assert found is not None
    assert found.only == ("b",)


def test_what_is_flaky_for_certain_is_not_run_again() -> None:
    cells = [*FIRST, *pair({"a": P, "b": P}, {"a": P, "b": P}, 1)]
    assert verdict(cells, "b") is TestVerdict.FLAKY
    assert doubt(cells) is None


def test_a_test_that_is_absent_in_a_re_run_for_its_sake_is_absent() -> None:
    cells = [*pair({"a": P, "b": P}, {"a": P}), *pair({"b": P}, {}, 1, "b")]
    assert verdict(cells, "b") is TestVerdict.GONE


def test_a_failure_that_needs_the_other_tests_is_no_flaky_one() -> None:
    """Alone it passes on both variants; only the whole suite shows it, and shows it each time."""
    cells = [*FIRST, *pair({"b": P}, {"b": P}, 1, "b")]
    found = doubt(cells)
    assert found is not None
    assert (found.tests, found.whole) == (("b",), True)
    cells += pair({"a": P, "b": P}, {"a": P, "b": F}, 2)
    assert verdict(cells, "b") is TestVerdict.REGRESSION
    found = doubt(cells)
    assert found is not None
    assert found.whole
    cells += pair({"a": P, "b": P}, {"a": P, "b": P}, 3)
    assert verdict(cells, "b") is TestVerdict.FLAKY
    assert doubt(cells) is None


def test_first_runs_of_chosen_tests_are_judged_and_doubted_as_whole_ones_are() -> None:
    first = pair({"b": P}, {"b": F}, 0, "b")
    found = doubt(first)
    assert found is not None
    assert (found.only, found.whole) == (("b",), False)
    assert verdict([*first, *pair({"b": P}, {"b": F}, 1, "b")], "b") is TestVerdict.REGRESSION
    flaky = [*first, *pair({"b": P}, {"b": P}, 1, "b")]
    assert verdict(flaky, "b") is TestVerdict.FLAKY
    assert doubt(flaky) is None


def test_what_was_not_chosen_is_not_gone() -> None:
    """Base's own suite, which cannot leave it out, reports more than was asked for."""
    own = ran("base", {"a": P, "b": P, "c": P}, suite_variant="base")
    run = conclude(run_of([*pair({"b": P}, {"b": P}, 0, "b", "c"), own]), today=TODAY)
    found = {item.test: item.verdict for item in run.comparisons if not item.test.startswith("guest/")}
    assert (found.get("a"), found.get("b"), found.get("c")) == (None, TestVerdict.SAME, TestVerdict.GONE)
