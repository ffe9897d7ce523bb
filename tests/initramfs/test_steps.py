# SPDX-License-Identifier: GPL-2.0-or-later
"""Init's step runner on the host, as process 1 of a pid namespace. It is the guest's own code, compiled anew."""

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.model import Arch
from initramfs.job import GRACE, GuestJob, Step, encode
from initramfs.records import StepEnd
from tests.initramfs.conftest import HERE, runner_program
from tests.initramfs.transcript import Done, Transcript

Run = Callable[..., Transcript]


def run_job(runner: Path, folder: Path, job: GuestJob) -> Transcript:
    (folder / "job").write_bytes(encode(job))
    jail = ["bwrap", "--unshare-all", "--as-pid-1", "--die-with-parent", "--bind", "/", "/", "--dev", "/dev"]
    command = [*jail, "--proc", "/proc", str(runner), str(folder / "job")]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return Transcript(done.stdout)


@pytest.fixture
def run(runner: Path, tmp_path: Path) -> Run:
    def run(*steps: Step, heartbeat: float = 5.0) -> Transcript:
        return run_job(runner, tmp_path, GuestJob("n0nce", steps, heartbeat=heartbeat))

    return run


@pytest.fixture
def one(run: Run, odd: Path) -> Callable[..., Done]:
    """One step that runs `odd`."""

    def one(*args: str, **fields: object) -> Done:
        return run(Step("one", (str(odd), *args), **fields)).steps[0]  # type: ignore[arg-type]

    return one


def test_both_streams_and_the_exit_status_come_back(one: Callable[..., Done]) -> None:
    done = one("say")
    assert (done.exit.how, done.exit.value) == (StepEnd.EXITED, 3)
    assert (done.stdout, done.stderr) == (b"to stdout\n", b"to stderr\n")
    assert 0 < done.exit.nanoseconds < 5e9


@pytest.mark.parametrize("signal", [6, 9, 11])
def test_a_signal_is_no_exit_status(one: Callable[..., Done], signal: int) -> None:
    done = one("raise", str(signal))
    assert (done.exit.how, done.exit.value) == (StepEnd.SIGNALLED, signal)


def test_what_cannot_start_says_why(run: Run) -> None:
    absent, homeless = run(Step("a", ("/no/such",)), Step("b", ("true",), cwd="/nowhere")).steps
    assert (absent.exit.how, absent.exit.value) == (StepEnd.NOT_STARTED, 2)
    assert absent.notes == "exec: /no/such: No such file or directory"
    assert (homeless.exit.how, homeless.exit.value) == (StepEnd.NOT_STARTED, 2)
    assert homeless.notes == "chdir: /nowhere: No such file or directory"


def test_a_program_is_found_on_the_path(run: Run) -> None:
    assert run(Step("true", ("true",))).steps[0].exit.how is StepEnd.EXITED


@pytest.mark.slow
def test_a_hang_ends_at_its_deadline_with_what_it_waits_for(one: Callable[..., Done]) -> None:
    done = one("hang", timeout=0.5)
    assert (done.exit.how, done.exit.value) == (StepEnd.TIMEOUT, 0)
    assert 0.5e9 <= done.exit.nanoseconds < 5e9
    assert done.stdout == b"before\n"
    assert "(odd), state S" in done.notes


def test_a_stopped_program_is_a_hang(one: Callable[..., Done]) -> None:
    done = one("raise", "19", timeout=0.3)
    assert done.exit.how is StepEnd.TIMEOUT
    assert "(odd), state T" in done.notes


@pytest.mark.slow
def test_heartbeats_come_while_a_step_hangs(run: Run, odd: Path) -> None:
    beats = run(Step("hang", (str(odd), "hang"), timeout=1.0), heartbeat=0.1).beats
    assert 5 <= len(beats) <= 10
    assert beats == sorted(beats)


@pytest.mark.slow
def test_nothing_survives_its_step(run: Run, odd: Path) -> None:
    def step(*args: str) -> Step:
        return Step(" ".join(args), (str(odd), *args), timeout=0.5)

    daemon, after_daemon, hang, after_hang = run(
        step("daemon"), step("others"), step("daemon-hang"), step("others")
    ).steps
    assert (daemon.exit.how, daemon.stdout) == (StepEnd.EXITED, b"daemon is up\n")
    assert (hang.exit.how, hang.exit.value) == (StepEnd.TIMEOUT, 0)
    assert after_daemon.stdout == after_hang.stdout == b"others 0\n"


def test_a_daemon_that_holds_the_pipes_does_not_hold_up_the_step(one: Callable[..., Done]) -> None:
    start = time.monotonic()
    assert one("daemon", timeout=60.0).exit.how is StepEnd.EXITED
    assert time.monotonic() - start < 20


@pytest.mark.slow
def test_what_cannot_be_killed_is_said_once_and_the_job_goes_on(host_arch: Arch, odd: Path, tmp_path: Path) -> None:
    """Nothing on a sound kernel is like that, so kill() is replaced by one that spares a certain process."""
    runner = runner_program(host_arch, HERE / "spare.c", flags=("-Wl,--wrap=kill",))
    hang = Step("immortal", (str(odd), "immortal"), timeout=0.3)
    start = time.monotonic()
    steps = (hang, Step("say", (str(odd), "say")), Step("hang", (str(odd), "hang"), timeout=0.3), hang)
    first, second, third, fourth = run_job(runner, tmp_path, GuestJob("n", steps, heartbeat=0.1)).steps
    assert (first.exit.how, first.exit.value) == (StepEnd.TIMEOUT, 1)
    assert re.search(r"^process \d+ \(immortal\), state S, could not be killed$", first.notes, re.MULTILINE)
    assert (second.exit.how, second.exit.value, second.notes) == (StepEnd.EXITED, 3, "")
    assert (third.exit.how, third.exit.value) == (StepEnd.TIMEOUT, 0)
    assert (fourth.exit.how, fourth.exit.value) == (StepEnd.TIMEOUT, 1)
    assert time.monotonic() - start > 2 * GRACE


def test_init_outlives_a_test_that_kills_everything(run: Run, odd: Path) -> None:
    killer, after = run(Step("kill", (str(odd), "killall")), Step("say", (str(odd), "say"))).steps
    assert (killer.exit.how, killer.exit.value) == (StepEnd.EXITED, 0)
    assert after.exit.value == 3


def test_a_step_starts_in_plain_surroundings(one: Callable[..., Done]) -> None:
    done = one("surroundings", env=(("MARK", "a b"), ("HOME", "/h")), cwd="/tmp")
    first, second = done.stdout.decode().splitlines()
    assert first.startswith("leader 1 cwd /tmp umask 022 fds 0 masked 0 handled 0 input 1 ")
    assert first.endswith(" oom 0")
    assert second == "HOME=/h MARK=a b"


def test_long_output_keeps_its_head_and_its_tail(one: Callable[..., Done]) -> None:
    lines = 500_000  # of 16 bytes
    done = one("chatter", str(lines), timeout=60.0)
    head, middle, tail = done.stdout.partition(b"\n[rig: ")
    left_out = int(tail.split(b" ", 1)[0])
    assert middle and len(head) == 4 << 20
    assert head.startswith(b"line 0000000000\nline 0000000001\n")
    kept = tail.partition(b" bytes left out here]\n")[2]
    assert len(kept) == 64 << 10 and kept.endswith(b"line %010d\n" % (lines - 1))
    assert left_out == 16 * lines - len(head) - len(kept)
    assert f"{left_out} bytes left out" in done.notes


@pytest.mark.parametrize("lines", [(4 << 20) // 16, (4 << 20) // 16 + 1, (4 << 20) // 16 + (64 << 10) // 16])
def test_output_that_just_fits_is_whole(one: Callable[..., Done], lines: int) -> None:
    done = one("chatter", str(lines), timeout=60.0)
    assert done.stdout == b"".join(b"line %010d\n" % number for number in range(lines))
    assert done.notes == ""


@pytest.mark.slow
def test_a_program_that_never_stops_writing_meets_its_deadline(one: Callable[..., Done]) -> None:
    done = one("spin", timeout=1.0)
    assert done.exit.how is StepEnd.TIMEOUT
    assert done.exit.nanoseconds < 20e9


def test_files_come_back(run: Run, tmp_path: Path) -> None:
    big, empty = tmp_path / "big", tmp_path / "empty"
    script = f"yes 12345678 | head -c 200000 > {big}; : > {empty}; exit 5"
    collect = (str(big), str(empty), str(tmp_path / "absent"))
    done = run(Step("write", ("sh", "-c", script), collect=collect)).steps[0]
    assert done.exit.value == 5
    assert done.files == {str(big): (b"12345678\n" * 22223)[:200000], str(empty): b""}
    assert done.notes == f"{tmp_path / 'absent'}: No such file or directory"


def test_the_runner_refuses_to_be_anything_but_process_1(runner: Path, tmp_path: Path) -> None:
    """It would kill every process of the machine."""
    job = tmp_path / "job"
    job.write_bytes(encode(GuestJob("n", (Step("true", ("true",)),))))
    done = subprocess.run([str(runner), str(job)], capture_output=True, timeout=30, check=False)
    assert done.returncode == 9
