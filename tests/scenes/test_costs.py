# SPDX-License-Identifier: GPL-2.0-or-later
"""Benchmarks through whole runs: figures, a budget that breaks and what is said of it, wall time."""

import pytest

from ci.model.results import RunVerdict, TestVerdict
from tests.scenes.stage import Stage, says

pytestmark = pytest.mark.slow

FIGURE = "call/none/getppid/unfiltered"


@pytest.fixture
def costly(stage: Stage) -> Stage:
    """A series that makes each system call dearer: 200 instructions on base, 230 with it."""
    stage.profile |= {"suites": ["benchmark/seccomp"], "rerun": 0}
    stage.patched(says("cost=230"))
    return stage


def test_a_budget_that_breaks_fails_the_run_and_is_looked_into(costly: Stage) -> None:
    costly.profile["budgets"] = [{"suite": "benchmark/seccomp", "figure": "call/none/*", "limit": "== base"}]
    costly.arguments()
    profile, out = str(costly.folder / "scene.yaml"), str(costly.folder / "out")
    ended = costly.call("bench", "--profile", profile, "--out", out, "--quiet")
    assert (ended.status, ended.run.verdict) == (1, RunVerdict.FAIL), ended.stderr
    found = ended.verdict(f"budget/{FIGURE}")
    assert found.verdict is TestVerdict.REGRESSION
    assert "200 -> 230 insns (+30, +15.0 %)" in found.message
    (explained,) = ended.run.explanations
    assert explained.figure == FIGURE
    assert explained.missing, "the fake QEMU traces nothing, and that has to be said"
    assert FIGURE in ended.stdout


def test_a_budget_that_holds_breaks_nothing(costly: Stage) -> None:
    costly.profile["budgets"] = [{"suite": "benchmark/seccomp", "figure": "call/none/*", "limit": "<= base + 40 insns"}]
    ended = costly.check()
    assert ended.verdict(f"budget/{FIGURE}").verdict is TestVerdict.SAME
    assert ended.run.explanations == ()


def test_wall_measures_both_sides_in_turn_and_decides_nothing(costly: Stage) -> None:
    costly.arguments()
    profile, out = str(costly.folder / "scene.yaml"), str(costly.folder / "out")
    words = ("--profile", profile, "--out", out, "--accel", "tcg", "--rounds", "2", "--seed", "1", "--quiet")
    ended = costly.call("wall", *words)
    (wall,) = ended.run.wall
    assert (wall.seed, len(wall.first), wall.problems) == (1, 2, ()), ended.stderr
    assert ended.run.verdict is not RunVerdict.FAIL
    assert (ended.folder / "wall.txt").exists()
