# SPDX-License-Identifier: GPL-2.0-or-later
"""Benchmarks through whole runs: figures, a budget that breaks and what is said of it, wall time."""

from unittest.mock import patch

import pytest

from ci.model.verdicts import Effect, RunVerdict, TestVerdict
from configs.result import Status
from testcases.benchmark.suite import Benchmark
from testcases.suite import SuiteError
from tests.scenes.stage import Ended, Stage, says

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


def wall(stage: Stage) -> Ended:
    stage.arguments()
    profile, out = str(stage.folder / "scene.yaml"), str(stage.folder / "out")
    words = ("--profile", profile, "--out", out, "--accel", "tcg", "--rounds", "2", "--seed", "1", "--quiet")
    return stage.call("wall", *words)


def test_wall_measures_both_sides_in_turn_and_decides_nothing(costly: Stage) -> None:
    ended = wall(costly)
    (made,) = ended.run.wall
    assert (made.seed, len(made.first), made.problems) == (1, 2, ()), ended.stderr
    assert ended.run.verdict is not RunVerdict.FAIL
    assert (ended.folder / "wall.txt").exists()


def test_a_benchmark_that_does_not_compile_is_one_error_of_wall(costly: Stage) -> None:
    broken = SuiteError("benchmark/seccomp does not compile: measure.c:1: error: no such thing")
    with patch.object(Benchmark, "prepare", side_effect=broken):
        ended = wall(costly)
    (found,) = [item for item in ended.run.comparisons if item.effect is Effect.UNKNOWN]
    assert found.patched == (Status.ERROR,)
    assert "measure.c:1" in found.message
    assert (ended.status, ended.run.verdict, ended.run.wall) == (3, RunVerdict.UNKNOWN, ()), ended.stderr


def test_an_interrupted_wall_reports_what_it_has(costly: Stage) -> None:
    costly.patched(says("cost=230 end=interrupts_the_rig"))
    ended = wall(costly)
    assert ended.status == 130, ended.stderr
    assert ended.run.verdict is RunVerdict.UNKNOWN
    assert ended.run.wall[0].problems == ("interrupted after 0 rounds",)
