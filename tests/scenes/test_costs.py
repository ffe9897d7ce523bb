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


def test_a_budget_that_holds_breaks_nothing_and_says_what_changed(costly: Stage) -> None:
    costly.profile["budgets"] = [{"suite": "benchmark/seccomp", "figure": "call/none/*", "limit": "<= base + 40 insns"}]
    ended = costly.check("--loud")
    assert ended.verdict(f"budget/{FIGURE}").verdict is TestVerdict.CHANGED
    assert ended.verdict("call/none/getppid").verdict is TestVerdict.CHANGED
    assert ended.run.verdict is not RunVerdict.FAIL
    assert ended.run.explanations == ()
    line = "1 figure changed: call/none/getppid/unfiltered +15.0 %"
    assert f"x86_64 x86_64 benchmark/seccomp: {line}" in ended.stdout
    assert "(1 changed)" in ended.stdout
    assert f'<property name="changed" value="{line}"' in ended.report("junit.xml")


def test_what_no_budget_speaks_of_must_not_grow(costly: Stage) -> None:
    """The profile names no budget at all."""
    ended = costly.check()
    assert (ended.status, ended.run.verdict) == (1, RunVerdict.FAIL), ended.stderr
    found = ended.verdict(f"budget/{FIGURE}")
    assert found.verdict is TestVerdict.REGRESSION
    assert found.message == "200 -> 230 insns (+30, +15.0 %), no budget: more than 1 % and 8 insns"
    assert [item.figure for item in ended.run.explanations] == [FIGURE]


def test_a_few_instructions_without_a_budget_are_a_change(stage: Stage) -> None:
    stage.profile |= {"suites": ["benchmark/seccomp"], "rerun": 0}
    stage.patched(says("cost=208"))
    ended = stage.check()
    assert ended.run.verdict is not RunVerdict.FAIL, ended.stderr
    assert "1 changed" in ended.run.summary
    assert ended.verdict("call/none/getppid").message == "1 figure changed: unfiltered +4.0 %"


def test_wall_measures_both_sides_in_turn_and_decides_nothing(costly: Stage) -> None:
    costly.arguments()
    profile, out = str(costly.folder / "scene.yaml"), str(costly.folder / "out")
    words = ("--profile", profile, "--out", out, "--accel", "tcg", "--rounds", "2", "--seed", "1", "--quiet")
    ended = costly.call("wall", *words)
    (wall,) = ended.run.wall
    assert (wall.seed, len(wall.first), wall.problems) == (1, 2, ()), ended.stderr
    assert ended.run.verdict is not RunVerdict.FAIL
    assert (ended.folder / "wall.txt").exists()
