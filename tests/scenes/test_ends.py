# SPDX-License-Identifier: GPL-2.0-or-later
"""Each kind of end of the patched guest, through all stages: what the cell says, what the run says, the evidence."""

from dataclasses import replace

import pytest

from ci.model.results import RunVerdict, TestVerdict
from tests.scenes.stage import SUITE, Stage, says

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
