# SPDX-License-Identifier: GPL-2.0-or-later
"""Each kind of end of the patched guest, through all stages: what the cell says, what the run says, the evidence."""

import time
from dataclasses import replace
from unittest.mock import patch

import pytest

from ci.model.verdicts import RunVerdict, TestVerdict
from configs.result import Status
from guests.run import guest_state
from tests.scenes.stage import PROGRAM, SUITE, Stage, says

KERNELS = {
    "panics": ("panic", "Kernel panic - not syncing: the scene asks for it"),
    "panic_before_init": ("panic", "VFS is not amused"),
    "init_dies": ("no-init", "Attempted to kill init"),
    "silent": ("silent", "not one byte"),
    "hangs": ("hung", "no sign of life"),
    "test_hangs": ("test-hung", "step `two` hangs"),
    "resets": ("reset", "during step `two`"),
    "powers_off": ("powered-off", "without the end marker"),
    "sends_garbage": ("corrupt", "result channel corrupt"),
    "other_nonce": ("corrupt", "nonce `another`"),
}
"""Ends that speak against the kernel: exit status 1."""
MACHINES = {
    "dies": ("qemu-died", "qemu: device exploded"),
    "bad_arguments": ("qemu-died", "no such machine"),
    "accelerator_fails": ("accel-failed", "internal-error"),
}
"""Ends of the machine below it: nothing can be said, exit status 3."""


@pytest.mark.slow
@pytest.mark.parametrize("ending", KERNELS)
def test_an_end_that_only_patched_shows_is_a_regression_with_its_console(stage: Stage, ending: str) -> None:
    end, words = KERNELS[ending]
    stage.profile |= {"rerun": 0, "suites": [{"name": SUITE, "timeout": 1}]}
    stage.limits = replace(stage.limits, first_byte=1.0) if ending == "silent" else stage.limits
    stage.patched(says(f"end={ending}"))
    ended = stage.check()
    assert (ended.status, ended.run.verdict) == (1, RunVerdict.FAIL), ended.run.summary
    (cell,) = [cell for cell in ended.run.cells if cell.cell.variant == "patched"]
    assert (cell.end, words in cell.message) == (end, True), cell.message
    assert (ended.folder / cell.console).parent.joinpath("run.sh").exists()
    assert words in ended.report("junit.xml")


@pytest.mark.slow
@pytest.mark.parametrize("ending", MACHINES)
def test_an_end_of_the_machine_below_says_nothing_of_the_kernel(stage: Stage, ending: str) -> None:
    end, words = MACHINES[ending]
    stage.profile["rerun"] = 0
    stage.patched(says(f"end={ending}"))
    ended = stage.check()
    assert (ended.status, ended.run.verdict) == (3, RunVerdict.UNKNOWN), ended.run.summary
    (cell,) = [cell for cell in ended.run.cells if cell.cell.variant == "patched"]
    assert (cell.end, words in cell.message) == (end, True), cell.message


@pytest.mark.slow
def test_a_splat_fails_the_run_although_every_test_passes(stage: Stage) -> None:
    stage.patched(says("end=warns"))
    ended = stage.check()
    assert ended.status == 1
    assert ended.verdict("two.b").message == ""
    (fault,) = next(cell for cell in ended.run.cells if cell.cell.variant == "patched").faults
    assert fault.title == "WARNING at kernel/sched.c in schedule"
    assert fault.title in ended.report("junit.xml")


@pytest.mark.slow
def test_an_end_that_a_re_run_does_not_repeat_is_no_regression(stage: Stage) -> None:
    stage.patched(says("end@0=resets"))
    ended = stage.check()
    assert ended.verdict("guest/end").verdict is TestVerdict.FLAKY
    assert ended.run.verdict is not RunVerdict.FAIL


@pytest.mark.slow
def test_where_neither_side_comes_to_its_end_the_run_cannot_say(stage: Stage) -> None:
    stage.profile["rerun"] = 0
    stage.base(says("end=panics"))
    stage.patched(says("end=panics note=changed"))
    ended = stage.check()
    assert (ended.status, ended.run.verdict) == (3, RunVerdict.UNKNOWN)
    assert ended.verdict("guest/end").verdict is TestVerdict.PRE_EXISTING
    assert "no run finished" in ended.verdict("guest/end").message


@pytest.mark.slow
def test_a_kernel_that_dies_each_time_is_not_booted_for_every_suite(stage: Stage) -> None:
    stage.profile |= {"suites": [SUITE, "boot", "selftests/other", "selftests/more"], "rerun": 1}
    for name in ("other", "more"):
        folder = f"tools/testing/selftests/{name}"
        makefile = "TEST_GEN_PROGS := only\ninclude ../lib.mk\n"
        stage.base({f"{folder}/Makefile": makefile, f"{folder}/only.c": PROGRAM})
    stage.patched(says("end=panics"))
    ended = stage.check("--jobs", "2")
    assert (ended.status, ended.run.verdict) == (1, RunVerdict.FAIL), ended.stderr
    first = [cell for cell in ended.run.cells if not cell.attempt and cell.cell.variant == "patched"]
    assert len(first) == 4
    (left,) = [cell for cell in first if cell.not_run]
    assert left.not_run.startswith("not booted: 3 guests of this kernel had ended the same way before (")
    assert "panic" in left.not_run
    again = {cell.cell.suite for cell in ended.run.cells if cell.attempt}
    assert len(again) == 1, "one of them stands for all"


@pytest.mark.slow
def test_fail_fast_ends_with_the_first_verdict_that_holds(stage: Stage) -> None:
    stage.profile |= {"suites": [SUITE, "boot"], "rerun": 1}
    stage.patched(says("fail=two.b"))
    ended = stage.check("--fail-fast", "--loud")
    assert (ended.status, ended.verdict("two.b").patched) == (1, (Status.FAIL, Status.FAIL)), ended.stderr
    left = {cell.cell.suite: cell.not_run for cell in ended.run.cells if cell.not_run}
    assert left == {"boot": "left out by --fail-fast: a verdict that fails the run holds"}
    assert "--fail-fast: 1 regression" in ended.stderr
    stage.patched(says("fail@0=two.b"))
    passed = stage.check("--fail-fast")
    assert not [cell for cell in passed.run.cells if cell.not_run], "a suspicion that does not hold stops nothing"


@pytest.mark.slow
def test_what_base_took_bounds_what_the_judged_side_may_take(stage: Stage) -> None:
    """Without it the step would have a minute; by base's own clock, which ran on while the host was busy, even more."""
    stage.profile["rerun"] = 0
    stage.base(says("clock=50"))
    stage.limits = replace(stage.limits, lifeless=60.0, grace=60.0, total=120.0)
    stage.patched(says("end=test_hangs"))
    begun = time.monotonic()
    with patch.object(guest_state, "PATIENCE", 1.0):
        ended = stage.check()
    assert time.monotonic() - begun < 50
    (cell,) = [cell for cell in ended.run.cells if cell.cell.variant == "patched"]
    assert cell.end == "test-hung", cell.message
    assert "step `two` hangs: no end in" in cell.message
    assert "and base took" in cell.message
    assert ended.verdict("two").verdict is TestVerdict.REGRESSION


@pytest.mark.slow
def test_what_hangs_runs_again_side_by_side(stage: Stage) -> None:
    """Every re-run is started at once, each counts once, and a hang that a re-run does not show again is flaky."""
    stage.profile["rerun"] = 3
    stage.patched(says("end=test_hangs"))
    with patch.object(guest_state, "PATIENCE", 1.0):
        ended = stage.check("--loud", "--jobs", "4")
    hung = [cell.attempt for cell in ended.run.cells if cell.cell.variant == "patched" and cell.end == "test-hung"]
    assert sorted(hung) == [0, 1, 2, 3], ended.stderr
    assert ended.verdict("two").verdict is TestVerdict.REGRESSION
    assert ended.stderr.count("running both variants again") == 1
    assert "running both variants again, 1 to 3 of at most 3 times" in ended.stderr
