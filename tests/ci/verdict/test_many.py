# SPDX-License-Identifier: GPL-2.0-or-later
"""Cells of very many tests: some suites of the field report ten thousand from one guest."""

import time

import pytest

from ci.model.verdicts import TestVerdict
from ci.verdict.compare.cells import compare_cell, judge_cell
from configs.result import Status
from tests.ci.samples import ran


def seconds(count: int) -> float:
    """Processor time for a cell of so many tests, of which every tenth fails; the shortest of three."""
    names = {f"suite.test_{number}": Status.PASS for number in range(count)}
    faulty = {name: Status.FAIL if number % 10 == 0 else Status.PASS for number, name in enumerate(names)}
    base, judged = [ran("base", names)], [ran("patched", faulty)]
    took = []
    for _ in range(3):
        began = time.process_time()
        found = compare_cell(base, judged)
        alone = judge_cell(judged)
        took.append(time.process_time() - began)
        assert sum(item.verdict is TestVerdict.REGRESSION for item in found) == len(range(0, count, 10))
        assert len(alone) >= count
    return min(took)


@pytest.mark.slow
def test_time_is_linear_in_the_number_of_tests() -> None:
    """Four times the tests take four times as long, where quadratic time would take sixteen times as long."""
    assert seconds(2000) < 9 * seconds(500)
