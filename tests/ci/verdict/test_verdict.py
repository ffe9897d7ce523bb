# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules of one test's verdict, each case by hand and the properties by hypothesis."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.model.verdicts import Effect, RunVerdict, TestVerdict
from ci.verdict.verdict import Judgement, judge, judge_alone, judge_gone, judge_observed, run_verdict, show
from configs.result import Status

P, F, S, M, E = Status.PASS, Status.FAIL, Status.SKIP, Status.MISS, Status.ERROR
V = TestVerdict
NONE, UNKNOWN, FAIL = Effect.NONE, Effect.UNKNOWN, Effect.FAIL

statuses = st.lists(st.sampled_from([P, F, S, M, E, None]), min_size=1, max_size=4).map(tuple)


def outcome(judgement: Judgement) -> tuple[TestVerdict | None, Effect]:
    return judgement.verdict, judgement.effect


@pytest.mark.parametrize(
    ("base", "patched", "verdict", "effect"),
    [
        ((P,), (P,), V.SAME, NONE),
        ((P,), (F,), V.REGRESSION, FAIL),
        ((F,), (P,), V.FIXED, NONE),
        ((F,), (F,), V.PRE_EXISTING, NONE),
        ((S,), (S,), V.SAME, NONE),
        ((None,), (P,), V.NEW, NONE),
        ((None,), (S,), V.NEW, NONE),
        ((None,), (F,), V.NEW, FAIL),
        ((S,), (P,), V.NEW, NONE),
        ((S,), (F,), V.NEW, FAIL),
        ((P,), (None,), V.GONE, FAIL),
        ((P,), (S,), V.GONE, FAIL),
        ((F,), (None,), V.GONE, NONE),
        ((F,), (S,), V.GONE, NONE),
        ((S,), (None,), V.GONE, NONE),
        ((P,), (M,), V.UNKNOWN, UNKNOWN),
        ((P,), (E,), V.UNKNOWN, UNKNOWN),
        ((M,), (P,), V.UNKNOWN, UNKNOWN),
        ((M,), (F,), V.UNKNOWN, UNKNOWN),
        ((E,), (E,), V.UNKNOWN, UNKNOWN),
    ],
)
def test_one_run_each(
    base: tuple[Status | None], patched: tuple[Status | None], verdict: TestVerdict, effect: Effect
) -> None:
    assert outcome(judge(base, patched)) == (verdict, effect)


@pytest.mark.parametrize(
    ("base", "patched", "verdict", "effect"),
    [
        ((P,) * 4, (F,) * 4, V.REGRESSION, FAIL),
        ((P,) * 4, (F, F, P, F), V.FLAKY, NONE),
        ((P, P, F, P), (F,) * 4, V.FLAKY, NONE),
        ((P,) * 4, (P, F, P, P), V.FLAKY, NONE),
        ((P,) * 4, (None, None, P, None), V.FLAKY, NONE),
        # a run without answer acquits nobody ...
        ((P,) * 4, (F, M, F, F), V.REGRESSION, FAIL),
        ((P, M, M, P), (F,) * 4, V.REGRESSION, FAIL),
        # ... and accuses nobody
        ((P,) * 4, (M, P, P, P), V.SAME, NONE),
        ((P,) * 4, (F, M, M, M), V.UNKNOWN, UNKNOWN),
        ((M,) * 4, (F,) * 4, V.UNKNOWN, UNKNOWN),
        ((F,) * 4, (F,) * 4, V.PRE_EXISTING, NONE),
    ],
)
def test_reruns(
    base: tuple[Status | None, ...], patched: tuple[Status | None, ...], verdict: TestVerdict, effect: Effect
) -> None:
    assert outcome(judge(base, patched)) == (verdict, effect)


def test_a_crash_seen_once_is_not_taken_back() -> None:
    assert outcome(judge((P,) * 4, (P, F, P, P), crash=True)) == (V.FLAKY, UNKNOWN)
    assert outcome(judge((P, F, P, P), (P, F, P, P), crash=True)) == (V.FLAKY, NONE)


def test_new_in_the_patched_suite() -> None:
    """What base says about a test that its own tree does not have counts for nothing."""
    assert outcome(judge((F,), (P,), in_base_suite=False)) == (V.NEW, NONE)
    assert outcome(judge((F,), (F,), in_base_suite=False)) == (V.NEW, FAIL)
    assert outcome(judge((M,), (S,), in_base_suite=False)) == (V.NEW, NONE)
    assert outcome(judge((P,), (None,), in_base_suite=False)) == (V.GONE, FAIL)
    assert outcome(judge((F,) * 4, (F, P, F, F), in_base_suite=False)) == (V.FLAKY, NONE)
    assert outcome(judge((F,) * 4, (F, M, M, M), in_base_suite=False)) == (V.UNKNOWN, UNKNOWN)


def test_base_that_fell_over() -> None:
    """A series that mends a panic must be able to pass; one that fails behind it is not judged by a dead base."""
    assert outcome(judge((M,), (P,), base_died=True)) == (V.FIXED, NONE)
    assert outcome(judge((M,), (F,), base_died=True)) == (V.UNKNOWN, UNKNOWN)


def test_gone_from_the_suite() -> None:
    assert outcome(judge_gone((P,))) == (V.GONE, FAIL)
    assert outcome(judge_gone((F,))) == (V.GONE, NONE)
    assert outcome(judge_gone((M,))) == (V.GONE, NONE)


@pytest.mark.parametrize(
    ("base", "patched", "verdict", "effect"),
    [
        (("one",), ("one",), TestVerdict.SAME, Effect.NONE),
        (("one",), ("two",), TestVerdict.REGRESSION, Effect.FAIL),
        (("one", "one"), ("two", "two"), TestVerdict.REGRESSION, Effect.FAIL),
        (("one", "two"), ("two", "two"), TestVerdict.FLAKY, Effect.NONE),
        (("one",), ("two", "one"), TestVerdict.FLAKY, Effect.NONE),
        (("",), ("two",), TestVerdict.SAME, Effect.NONE),
        (("one",), (), TestVerdict.SAME, Effect.NONE),
        (("one", ""), ("one",), TestVerdict.SAME, Effect.NONE),
    ],
)
def test_observed(base: tuple[str, ...], patched: tuple[str, ...], verdict: TestVerdict, effect: Effect) -> None:
    both_pass = judge((Status.PASS,), (Status.PASS,))
    found = judge_observed(both_pass, base, patched)
    assert (found.verdict, found.effect) == (verdict, effect)
    assert bool(found.reason) == (verdict is not TestVerdict.SAME)


def test_observed_takes_no_other_judgement_back() -> None:
    failed = judge((Status.PASS,), (Status.FAIL,))
    assert judge_observed(failed, ("one",), ("two",)) == failed


def test_alone() -> None:
    assert outcome(judge_alone((P,))) == (None, NONE)
    assert outcome(judge_alone((S,))) == (None, NONE)
    assert outcome(judge_alone((F,))) == (None, FAIL)
    assert outcome(judge_alone((E,))) == (None, UNKNOWN)
    assert outcome(judge_alone((F, P))) == (V.FLAKY, UNKNOWN)


@settings(deadline=None)
@given(statuses)
def test_equal_sides_never_fail(side: tuple[Status | None, ...]) -> None:
    for crash in (False, True):
        assert judge(side, side, crash=crash).effect is not FAIL


@settings(deadline=None)
@given(statuses, statuses)
def test_no_failure_without_a_bad_answer(base: tuple[Status | None, ...], patched: tuple[Status | None, ...]) -> None:
    """Only a FAIL, or a test that is not there, can fail a run."""
    if judge(base, patched).effect is FAIL:
        assert F in patched or S in patched or None in patched
        assert not {P} & set(patched)


@settings(deadline=None)
@given(statuses, statuses)
def test_order_of_the_runs_does_not_matter(base: tuple[Status | None, ...], patched: tuple[Status | None, ...]) -> None:
    assert outcome(judge(base, patched)) == outcome(judge(base[::-1], patched[::-1]))


@settings(deadline=None)
@given(statuses, statuses)
def test_a_pass_needs_an_answer_from_both_sides(
    base: tuple[Status | None, ...], patched: tuple[Status | None, ...]
) -> None:
    silent = {M, E}
    if set(patched) <= silent or set(base) <= silent:
        assert judge(base, patched).effect is not NONE


@pytest.mark.parametrize("effects", list(itertools.product(Effect, repeat=2)))
def test_run_verdict_is_the_worst(effects: tuple[Effect, ...]) -> None:
    expected = RunVerdict.FAIL if FAIL in effects else RunVerdict.UNKNOWN if UNKNOWN in effects else RunVerdict.PASS
    assert run_verdict(effects) is expected


def test_nothing_judged_is_unknown() -> None:
    assert run_verdict([]) is RunVerdict.UNKNOWN
    assert [verdict.exit_code for verdict in RunVerdict] == [0, 1, 3]


def test_show() -> None:
    assert show((P,)) == "PASS"
    assert show((P, None, P, F)) == "2 PASS, 1 absent, 1 FAIL"
    assert show(()) == "never run"
