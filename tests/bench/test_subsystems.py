# SPDX-License-Identifier: GPL-2.0-or-later
"""The series that break a subsystem each: what a row of the campaign says of a run, and that the data fits together."""

import pytest

from bench.subsystems import FOLDER, SubsystemCase, subsystem_cases, told
from ci.model.verdicts import Comparison, Effect, TestVerdict
from configs.loader import load_profile
from configs.result import Cell, Status
from tests.ci.samples import run_of

CASE = SubsystemCase(suite="selftests/futex", red=("requeue", "requeue.*"))


def comparison(test: str, verdict: TestVerdict, effect: Effect, suite: str = "selftests/futex") -> Comparison:
    cell = Cell("patched", "x86_64", "x86_64", "plain", suite)
    return Comparison(cell=cell, test=test, verdict=verdict, effect=effect, base=(Status.PASS,), patched=(Status.FAIL,))


REGRESSION, SAME = (TestVerdict.REGRESSION, Effect.FAIL), (TestVerdict.SAME, Effect.NONE)


@pytest.mark.parametrize(
    ("comparisons", "said"),
    [
        ([("requeue.many", *REGRESSION), ("wait", *SAME)], "regression of requeue.many"),
        ([("wait", *SAME)], "no regression"),
        ([("requeue", TestVerdict.UNKNOWN, Effect.UNKNOWN)], "no regression"),
        ([("requeue", *REGRESSION), ("wait", *REGRESSION)], "also selftests/futex wait regression"),
        ([("requeue", *REGRESSION), ("requeue", *REGRESSION, "boot")], "also boot requeue regression"),
        ([(f"requeue.{n}", *REGRESSION) for n in range(5)], "regression of requeue.0, requeue.1, requeue.2 and 2 more"),
    ],
)
def test_a_row_says_what_turned_red(comparisons: list[tuple[str, TestVerdict, Effect]], said: str) -> None:
    run = run_of([]).model_copy(update={"comparisons": tuple(comparison(*words) for words in comparisons)})
    assert told(CASE, run) == said


def test_every_series_is_a_case_and_its_target_is_in_the_profile() -> None:
    cases, profile = subsystem_cases(), load_profile(str(FOLDER / "profile.yaml"))
    assert set(cases) == {path.name for path in FOLDER.iterdir() if path.is_dir()}
    assert {case.suite for case in cases.values()} == {choice.name for choice in profile.suites}
