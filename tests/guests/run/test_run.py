# SPDX-License-Identifier: GPL-2.0-or-later
"""Every end of a guest, played by the fake QEMU."""

import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guests.host.host import LOCAL
from guests.run.run import End, reproduce, run_guest
from initramfs.job import GuestJob, Step
from tests.guests.support import FAKE, JOB, LIMITS, NONCE, fake_request, play
from util.errors import MachineError, UserError
from util.events import Event, Phase, silent
from util.stop import Stop, Stopped

SCENES = {
    "finished": (End.FINISHED, "finished"),
    "lingers_after_the_end": (End.FINISHED, "finished"),
    "reset_at_once": (End.RESET, "(before init)"),
    "reset": (End.RESET, "during step `first`"),
    "powered_off": (End.POWERED_OFF, "without the end marker"),
    "halted": (End.POWERED_OFF, "without the end marker"),
    "panic": (End.PANIC, "Kernel panic - not syncing: sysrq triggered crash (during step `first`)"),
    "panic_that_stays": (End.PANIC, "nobody resets"),
    "panic_before_init": (End.PANIC, "VFS is not amused (before init)"),
    "init_dies": (End.NO_INIT, "Attempted to kill init! exitcode=0x0000000b"),
    "init_gives_up": (End.NO_INIT, "rig-init: cannot go on: /rig/job"),
    "init_says_nothing": (End.NO_INIT, "init was started and said nothing"),
    "silent": (End.SILENT, "not one byte"),
    "stops_before_init": (End.SILENT, "the kernel stopped before init"),
    "hangs": (End.HUNG, "no sign of life"),
    "test_hangs": (End.TEST_HUNG, "step `first` hangs"),
    "slow_heartbeat": (End.FINISHED, "finished"),
    "dies": (End.QEMU_DIED, "QEMU ended with status 1: qemu: device exploded (during step `first`)"),
    "killed": (End.QEMU_DIED, "QEMU was killed by SIGKILL"),
    "bad_arguments": (End.QEMU_DIED, "qemu: -M: no such machine"),
    "corrupt": (End.CORRUPT, "result channel corrupt at byte"),
    "cut_off": (End.RESET, "cut off in mid-record"),
    "wrong_nonce": (End.CORRUPT, "nonce `another`"),
    "wrong_end_nonce": (End.CORRUPT, "nonce `another`"),
    "end_without_steps": (End.CORRUPT, "step `first` was not reported"),
    "other_version": (End.CORRUPT, "version 9"),
    "internal_error": (End.ACCEL_FAILED, "internal-error"),
    "user_stop": (End.FINISHED, "finished"),
    "floods": (End.FINISHED, "finished"),
}
HASTY = {
    "slow_heartbeat": replace(LIMITS, grace=8.0),
    "silent": replace(LIMITS, first_byte=1.0),
    "stops_before_init": replace(LIMITS, boot=3.0),
    "init_says_nothing": replace(LIMITS, boot=3.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_ends_are_told_apart(tmp_path: Path, scene: str) -> None:
    end, words = SCENES[scene]
    outcome = play(tmp_path, scene, limits=HASTY.get(scene, LIMITS))
    assert (outcome.end, words in outcome.message) == (end, True), outcome.message
    assert "\n" not in outcome.message
    assert outcome.qemu_version == "7.2.99"


def test_a_finished_step_is_reported_whole(tmp_path: Path) -> None:
    (step,) = play(tmp_path, "finished").steps
    assert (step.how, step.value, step.seconds) == ("exited", 0, 0.5)
    assert (step.stdout, step.stderr) == (b"out", b"err")


def test_the_step_that_ran_at_the_end_is_unfinished(tmp_path: Path) -> None:
    job = GuestJob(nonce=NONCE, steps=(Step("first", ("/a",)), Step("second", ("/b",))))
    outcome = play(tmp_path, "reset", job=job)
    assert outcome.end is End.CORRUPT  # the fake announces one step; nothing of such a run may be believed
    assert [step.how for step in play(tmp_path, "reset").steps] == ["unfinished"]


@pytest.mark.slow
def test_total_deadline(tmp_path: Path) -> None:
    job = GuestJob(nonce=NONCE, steps=(Step("first", ("/a",)), Step("second", ("/b",))))
    outcome = play(tmp_path, "talks_for_ever", job=job, limits=replace(LIMITS, total=2.0))
    assert outcome.end is End.DEADLINE
    assert [step.how for step in outcome.steps] == ["never-ran", "never-ran"]


def test_nothing_is_lost_in_a_flood(tmp_path: Path) -> None:
    outcome = play(tmp_path, "floods")
    assert outcome.steps[0].stdout == b"".join(b"output %d\n" % number for number in range(2000))
    log = outcome.console.read_bytes()
    assert log.count(b"of many") == 2000
    assert b"\r\r" not in log


@pytest.mark.slow
def test_a_hung_guest_is_asked_where_it_stands(tmp_path: Path) -> None:
    outcome = play(tmp_path, "hangs")
    assert outcome.state == ("CPU 0: 0xffffffff81000010", "CPU 1: 0xdeadbeef")
    assert "NMI: asked" in "\n".join(outcome.tail)
    assert any("no vmlinux" in note for note in outcome.notes)


class Elsewhere:
    """A host whose guests' processor time cannot be seen from here."""

    def __getattr__(self, name: str) -> object:
        return (lambda _pid: None) if name == "used_seconds" else getattr(LOCAL, name)


@pytest.mark.slow
def test_no_processor_is_called_idle_that_cannot_be_seen(tmp_path: Path) -> None:
    job = replace(JOB, steps=tuple(replace(step, timeout=4.0) for step in JOB.steps))
    hasty: dict[str, Any] = {"job": job, "inspect": False, "usual": lambda _name: 0.1, "patience": 1.0, "slow": 100.0}
    assert "no processor has executed anything" in play(tmp_path, "test_hangs", **hasty).message
    there = play(tmp_path, "test_hangs", host=Elsewhere(), **hasty)
    assert "the guest could not kill it" in there.message


def test_a_warning_is_a_fault_of_its_step(tmp_path: Path) -> None:
    outcome = play(tmp_path, "warns")
    assert outcome.end is End.FINISHED
    (fault,) = outcome.faults
    assert (fault.kind, fault.step, fault.fatal) == ("warn", "first", False)
    assert fault.title == "WARNING at kernel/seccomp.c in seccomp_attach"


def test_a_log_that_never_came_is_a_fault(tmp_path: Path) -> None:
    outcome = play(tmp_path, "nothing_on_the_console")
    assert [fault.kind for fault in outcome.faults] == ["no-log"]
    assert play(tmp_path, "finished").faults == ()


@pytest.mark.slow
def test_a_kernel_that_knows_of_an_oops_and_printed_none_has_a_fault(tmp_path: Path) -> None:
    (fault,) = play(tmp_path, "tainted").faults
    assert fault.kind == "taint"
    assert fault.title == "the kernel had an oops (D in its taint word), and no report in its log says so"
    assert [found.kind for found in play(tmp_path, "warns_and_is_tainted").faults] == ["warn"]


def test_lost_messages_are_told(tmp_path: Path) -> None:
    assert [fault.kind for fault in play(tmp_path, "loses_messages").faults] == ["lost"]


def test_console_and_times_are_kept(tmp_path: Path) -> None:
    outcome = play(tmp_path, "finished")
    assert outcome.console == tmp_path / "guest" / "console.log"
    assert outcome.console.read_bytes().startswith(b"Linux version 5.10.0\r\n")
    offsets = [line.split() for line in (tmp_path / "guest" / "console.times").read_text().splitlines()]
    assert offsets[0][0] == "0"
    assert all(float(seconds) >= 0 for _offset, seconds in offsets)


def test_nothing_else_is_left_on_disk(tmp_path: Path) -> None:
    play(tmp_path, "finished")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["console.log", "console.times"]


def test_a_stop_ends_qemu_soon(tmp_path: Path) -> None:
    stop, stopped = Stop(), []
    console = tmp_path / "guest" / "console.log"

    def stop_it_when_it_runs() -> None:
        while not (console.exists() and re.search(r"pid \d+\s", console.read_text())):
            time.sleep(0.05)
        stopped.append(time.monotonic())
        stop.set()

    threading.Thread(target=stop_it_when_it_runs, daemon=True).start()
    with pytest.raises(Stopped):
        run_guest(fake_request(tmp_path, "ignores_signals"), silent, stop)
    assert time.monotonic() - stopped[0] < 3
    assert not _alive(_pid(tmp_path))


@pytest.mark.slow
def test_several_guests_at_once(tmp_path: Path) -> None:
    outcomes = {}

    def one(scene: str) -> None:
        outcomes[scene] = play(tmp_path / scene, scene).end

    for scene in (scenes := ("finished", "panic", "reset", "corrupt")):
        (tmp_path / scene).mkdir()
    threads = [threading.Thread(target=one, args=(scene,)) for scene in scenes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == {scene: SCENES[scene][0] for scene in scenes}


@pytest.mark.slow
def test_descriptors_are_given_back(tmp_path: Path) -> None:
    play(tmp_path, "finished")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for scene in ("finished", "killed", "hangs"):
        play(tmp_path, scene)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_events_say_start_progress_and_end(tmp_path: Path) -> None:
    events: list[Event] = []
    run_guest(fake_request(tmp_path, "finished"), events.append, Stop())
    assert [event.phase for event in events] == [Phase.START, Phase.PROGRESS, Phase.DONE]
    assert events[1].text == "first"
    assert events[0].command[0] == str(FAKE)
    run_guest(fake_request(tmp_path, "panic"), events.append, Stop())
    assert events[-1].phase is Phase.FAILED


def test_a_missing_qemu_is_the_machines_fault(tmp_path: Path) -> None:
    request = fake_request(tmp_path, "finished")
    absent = request.arch.model_copy(update={"qemu": "qemu-system-absent"})
    with pytest.raises(MachineError, match="qemu-system-absent"):
        play(tmp_path, "finished", arch=absent)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"machine": "pc98"}, "no machine `pc98`"),
        ({"accel": "xen"}, "no accelerator `xen`"),
        ({"initrd": (Path("/nonexistent/initrd"),)}, "initrd"),
    ],
)
def test_what_does_not_exist_is_the_users_mistake(tmp_path: Path, change: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        play(tmp_path, "finished", **change)


def test_reproduce_writes_what_the_command_needs(tmp_path: Path) -> None:
    request = fake_request(tmp_path, "finished", initrd=(b"a" * 5, b"b" * 700))
    command = reproduce(request, tmp_path / "hand")
    initrd = Path(command[command.index("-initrd") + 1])
    assert initrd.read_bytes() == b"a" * 5 + b"\0" * 507 + b"b" * 700 + b"\0" * 324
    script = (tmp_path / "hand" / "run.sh").read_text()
    assert script.startswith("#!/bin/sh\nexec ")
    assert "/proc/" not in script
    outcome = run_guest(request, silent, Stop())
    assert "-S" not in outcome.command
    assert [word for word in outcome.command if "/proc/" in word or "fd=" in word] == []


def test_the_default_job_has_one_step() -> None:
    assert len(JOB.steps) == 1


def _pid(tmp_path: Path) -> int:
    text = (tmp_path / "guest" / "console.log").read_text()
    return int(text.rpartition("pid ")[2].split()[0])


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
