# SPDX-License-Identifier: GPL-2.0-or-later
"""How often a bisection of a flaky fault is wrong, and the decisions behind it."""

from pathlib import Path

import pytest

from ci.bisect.sequential import BootTally, Rates, SequentialDecision, boots_to_see, doubt, fisher_p
from tests.ci.bisect.coins import simulate, wrong_answers


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.8, 0.95])
def test_few_answers_are_wrong_whatever_the_rate(tmp_path: Path, rate: float) -> None:
    """Eight of each with a fixed seed; `python -m bench.campaign bisect` takes 200 and more."""
    total, wrong, unanswered = wrong_answers(tmp_path, [rate], 8)
    assert (total, wrong) == (8, 0)
    assert unanswered <= 1


def test_a_fault_that_always_shows_costs_few_boots(tmp_path: Path) -> None:
    right, boots = simulate(tmp_path, 1.0, 7)
    assert right
    assert boots <= 30


def test_a_background_of_failures_is_told_from_the_fault(tmp_path: Path) -> None:
    answers = [simulate(tmp_path, 0.9, seed, noise=0.05)[0] for seed in range(6)]
    assert False not in answers
    assert True in answers


def test_the_decision_follows_the_ratio() -> None:
    rates = Rates(BootTally(20, 10), BootTally(20, 0))
    assert rates.call(BootTally(1, 1), 0.2) is SequentialDecision.BAD
    assert rates.call(BootTally(1, 0), 0.001) is SequentialDecision.OPEN
    assert rates.call(BootTally(30, 0), 0.001) is SequentialDecision.GOOD
    assert rates.wanted(BootTally(), 0.01, 99) == pytest.approx(8, abs=3)


def test_a_rate_that_is_known_is_used() -> None:
    rates = Rates(BootTally(3, 3), BootTally(100, 0), rate=0.1)
    assert rates.call(BootTally(10, 0), 0.01) is SequentialDecision.OPEN
    assert rates.call(BootTally(50, 0), 0.01) is SequentialDecision.GOOD


def test_numbers_for_people() -> None:
    assert boots_to_see(0.05, 0.01) == 90
    assert boots_to_see(1.0, 0.01) == 1
    assert fisher_p(BootTally(10, 9), BootTally(10, 0)) < 0.001
    assert fisher_p(BootTally(10, 1), BootTally(10, 1)) > 0.4
    assert doubt(0.0) == 0.5 > doubt(5.0) > doubt(9.0)
