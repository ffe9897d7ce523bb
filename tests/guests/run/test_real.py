# SPDX-License-Identifier: GPL-2.0-or-later
"""Real kernels under the real QEMU: the ends that need no faulty kernel to be seen."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from guests.crash.outcome import End, Outcome
from guests.run.guest_state import Deadlines
from guests.run.interactive import boot_interactive
from guests.run.request import GuestRequest, reproduce
from guests.run.run import run_guest
from initramfs.cpio import program
from initramfs.job import Step
from tests.guests.real import BuiltKernel, poke, real_request
from util.children.program import LEASH
from util.events import silent
from util.paths import ROOT
from util.stop import Stop

pytestmark = pytest.mark.real
ARCHS = ("x86_64", "aarch64")
MACHINES = (("x86_64", "microvm"), ("x86_64", "q35"), ("aarch64", "virt"))


def _boot(request: GuestRequest) -> Outcome:
    return run_guest(request, silent, Stop())


@pytest.mark.parametrize(("arch", "machine"), MACHINES)
def test_an_empty_job(built_kernel: BuiltKernel, tmp_path: Path, arch: str, machine: str) -> None:
    outcome = _boot(real_request(built_kernel(arch), arch, tmp_path, machine=machine))
    assert (outcome.end, outcome.faults) == (End.FINISHED, ())
    assert 0 < outcome.ready_seconds < 30


@pytest.mark.parametrize("arch", ARCHS)
def test_steps_and_a_timeout(built_kernel: BuiltKernel, tmp_path: Path, arch: str) -> None:
    steps = [poke("one", "hello"), poke("two", "spin", timeout=0.2), Step("three", ("/absent",)), poke("four")]
    outcome = _boot(real_request(built_kernel(arch), arch, tmp_path, steps, scale=2.0))
    assert outcome.end is End.FINISHED
    assert [step.how for step in outcome.steps] == ["exited", "timeout", "not-started", "exited"]
    assert outcome.steps[0].stdout == b"hello \n"
    assert 0.4 <= outcome.steps[1].seconds < 20


@pytest.mark.parametrize("arch", ARCHS)
def test_the_taint_word_is_read_when_all_is_done(built_kernel: BuiltKernel, tmp_path: Path, arch: str) -> None:
    """Root may taint the kernel by hand: bit 7 is an oops of which the log says nothing, bit 6 is no fault."""
    taint = [("kernel.tainted", "192")]
    outcome = _boot(real_request(built_kernel(arch), arch, tmp_path, [poke("one")], sysctls=taint))
    assert outcome.end is End.FINISHED
    (fault,) = outcome.faults
    assert fault.title == "the kernel had an oops (D in its taint word), and no report in its log says so"
    assert fault.lines == ("/proc/sys/kernel/tainted: 192",)


@pytest.mark.parametrize("arch", ARCHS)
def test_a_panic_with_its_trace(built_kernel: BuiltKernel, tmp_path: Path, arch: str) -> None:
    steps = [poke("before"), poke("crash", "sysrq", "c"), poke("after")]
    outcome = _boot(real_request(built_kernel(arch), arch, tmp_path, steps))
    assert outcome.end is End.PANIC
    assert outcome.message == "Kernel panic - not syncing: sysrq triggered crash (during step `crash`)"
    assert [step.how for step in outcome.steps] == ["exited", "unfinished", "never-ran"]
    (fault,) = outcome.faults
    assert (fault.kind, fault.title) == ("panic", "panic: sysrq triggered crash")
    assert (fault.step, fault.fatal) == ("crash", True)
    assert any(line.startswith("sysrq_handle_crash at drivers/tty/sysrq.c:") for line in fault.trace)
    assert "Kernel panic" in "\n".join(outcome.tail)


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize(("what", "end"), [("reset", End.RESET), ("power-off", End.POWERED_OFF)])
def test_leaving_without_the_end_marker(
    built_kernel: BuiltKernel, tmp_path: Path, arch: str, what: str, end: End
) -> None:
    outcome = _boot(real_request(built_kernel(arch), arch, tmp_path, [poke("leave", what)]))
    assert outcome.end is end


@pytest.mark.parametrize("arch", ARCHS)
def test_init_that_cannot_start(built_kernel: BuiltKernel, tmp_path: Path, arch: str) -> None:
    no_program = real_request(built_kernel(arch), arch, tmp_path, files=[program("init", b"no program at all")])
    outcome = _boot(no_program)
    assert outcome.end is End.NO_INIT, outcome.message
    gone = real_request(built_kernel(arch), arch, tmp_path, append=("rdinit=/absent",))
    outcome = _boot(gone)
    assert outcome.end is End.NO_INIT, outcome.message


@pytest.mark.parametrize("arch", ARCHS)
def test_init_that_dies(built_kernel: BuiltKernel, tmp_path: Path, arch: str) -> None:
    request = real_request(built_kernel(arch), arch, tmp_path, append=("rdinit=/poke",))
    outcome = _boot(request)
    assert outcome.end is End.NO_INIT
    assert "Attempted to kill init!" in outcome.message


def test_reports_written_by_a_program_are_found(built_kernel: BuiltKernel, tmp_path: Path) -> None:
    """A line as the kernel prints it, through the real log and the real serial port."""
    text = "<4>BUG: sleeping function called from invalid context at kernel/fake.c:1\n"
    steps = [poke("one"), poke("two", "kmsg", text), poke("three")]
    outcome = _boot(real_request(built_kernel("x86_64"), "x86_64", tmp_path, steps))
    assert outcome.end is End.FINISHED
    assert [(fault.kind, fault.step) for fault in outcome.faults] == [("sleep-in-atomic", "two")]


def test_a_guest_that_stands_still_is_hung(built_kernel: BuiltKernel, tmp_path: Path) -> None:
    """SIGSTOP: no processor of the guest moves, and QEMU does not answer either."""
    limits = Deadlines(first_byte=60, boot=60, lifeless=4, grace=60, farewell=5, total=120)
    request = real_request(
        built_kernel("x86_64"), "x86_64", tmp_path, [poke("spin", "spin", timeout=60)], limits=limits
    )
    stopper = threading.Thread(target=_signal_qemu, args=(tmp_path, signal.SIGSTOP))
    stopper.start()
    outcome = _boot(request)
    stopper.join()
    assert outcome.end is End.HUNG
    assert outcome.steps[0].how == "unfinished"


def test_qemu_killed_from_outside(built_kernel: BuiltKernel, tmp_path: Path) -> None:
    request = real_request(built_kernel("x86_64"), "x86_64", tmp_path, [poke("spin", "spin", timeout=60)])
    killer = threading.Thread(target=_signal_qemu, args=(tmp_path, signal.SIGKILL))
    killer.start()
    outcome = _boot(request)
    killer.join()
    assert (outcome.end, outcome.message) == (End.QEMU_DIED, "QEMU was killed by SIGKILL (during step `spin`)")


def test_a_steps_hang_beyond_the_guests_own_power(built_kernel: BuiltKernel, tmp_path: Path) -> None:
    """The guest is healthy and talks; only the host's deadline, made shorter than the guest's here, is over."""
    limits = Deadlines(first_byte=60, boot=60, lifeless=30, grace=-50, farewell=5, total=120)
    request = real_request(
        built_kernel("x86_64"), "x86_64", tmp_path, [poke("beat", "beat", timeout=53.0)], scale=1.0, limits=limits
    )
    outcome = _boot(request)
    assert outcome.end is End.TEST_HUNG
    assert len(outcome.state) == 2  # both processors were asked
    assert "Show Blocked State" in outcome.console.read_text(errors="replace")  # and the magic key was served


def test_no_guest_outlives_a_killed_rig(built_kernel: BuiltKernel, tmp_path: Path) -> None:
    code = (
        "import sys, threading\nfrom pathlib import Path\nfrom util.events import silent\n"
        "from util.stop import Stop\nfrom guests.run.run import run_guest\nfrom tests.guests.real import *\n"
        "request = real_request(Path(sys.argv[1]), 'x86_64', Path(sys.argv[2]), [poke('spin', 'spin', timeout=60)])\n"
        "threading.Thread(target=run_guest, args=(request, silent, Stop())).start()\n"
    )
    rig = subprocess.Popen([sys.executable, "-c", code, str(built_kernel("x86_64")), str(tmp_path)], cwd=ROOT)
    pid = _qemu(tmp_path)
    os.kill(rig.pid, signal.SIGKILL)
    rig.wait()
    end = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_qemu_gives_up_without_the_rigs_initrd(built_kernel: BuiltKernel, tmp_path: Path) -> None:
    kernel = real_request(built_kernel("x86_64"), "x86_64", tmp_path).kernel
    command = ["qemu-system-x86_64", "-M", "microvm", "-display", "none", "-kernel", str(kernel)]
    absent = f"/proc/{2**22 + 1}/fd/3"
    done = _run([*LEASH, *command, "-initrd", absent])
    assert done.returncode != 0
    assert absent.encode() in done.stderr


@pytest.mark.parametrize("arch", ARCHS)
def test_the_command_by_hand_does_the_same(built_kernel: BuiltKernel, tmp_path: Path, arch: str) -> None:
    request = real_request(built_kernel(arch), arch, tmp_path, [poke("one", "hello")])
    reproduce(request, tmp_path)
    done = _run([str(tmp_path / "run.sh")])
    assert done.returncode == 0
    assert b"Run /init as init process" in done.stdout
    assert b"hello" in (tmp_path / "results.bin").read_bytes()


def test_the_console_without_a_terminal(built_kernel: BuiltKernel, tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        assert boot_interactive(real_request(built_kernel("aarch64"), "aarch64", tmp_path), out) == 0
    assert b"Linux version" in (tmp_path / "out").read_bytes()


def _run(command: list[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)


def _qemu(folder: Path) -> int:
    """The process id of the guest of a folder, once its first step runs."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        log = folder / "console.log"
        if log.exists() and b"rig: step 0" in log.read_bytes():
            return next(pid for pid in _pids() if f"x86_64 {folder.name}".encode() in _command(pid))
        time.sleep(0.05)
    raise AssertionError("the guest did not reach its first step")


def _signal_qemu(folder: Path, number: signal.Signals) -> None:
    os.kill(_qemu(folder), number)


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _command(pid: int) -> bytes:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
    return command if command.startswith(b"qemu-system") else b""
