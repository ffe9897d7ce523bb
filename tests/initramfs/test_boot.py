# SPDX-License-Identifier: GPL-2.0-or-later
"""The init in real guests: the architectures of the kernel that the tests build, every machine of each."""

import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from configs.loader import load_arch, load_profile
from configs.model import Arch
from initramfs.base import native_abi
from initramfs.cpio import archive, file, node, program
from initramfs.job import GuestJob, Mode, Step
from initramfs.records import StepEnd
from initramfs.toolchain import compile_static
from tests.initramfs.boot import Boot, boot, command, initrd
from tests.initramfs.conftest import odd_program
from tests.initramfs.transcript import Transcript
from util.stop import Stop

pytestmark = pytest.mark.real
MACHINES = [
    (arch, name)
    for arch in load_profile("boot").archs
    for name, machine in load_arch(arch).machines.items()
    if machine.boots_any_kernel
]
BootJob = Callable[..., Boot]


@pytest.fixture(params=MACHINES, ids="-".join)
def place(request: pytest.FixtureRequest) -> tuple[Arch, str]:
    return load_arch(request.param[0]), request.param[1]


@pytest.fixture
def boot_job(place: tuple[Arch, str], kernel_image: Callable[[str], Path], tmp_path: Path) -> BootJob:
    arch, machine = place

    def boot_job(job: GuestJob, *, shell: bool = False, port: str = "rig.results") -> Boot:
        files = [program("opt/odd", odd_program(arch).read_bytes()), file("opt/data", b"data\n")]
        argv = command(arch, machine, kernel_image(arch.name), tmp_path, port=port)
        return boot(argv, tmp_path, initrd(arch, job, files, shell=shell))

    return boot_job


def odd(*args: str, timeout: float = 20.0) -> Step:
    return Step(" ".join(args), ("/opt/odd", *args), timeout=timeout, collect=("/proc/uptime",))


def test_an_empty_job_ends_well(boot_job: BootJob) -> None:
    transcript = Transcript(boot_job(GuestJob("0123abcd")).records)
    assert (transcript.nonce, transcript.steps, transcript.notes) == ("0123abcd", [], "")


def test_steps_run_and_nothing_they_do_stops_the_next(boot_job: BootJob) -> None:
    steps = (
        odd("say"),
        odd("surroundings"),
        odd("snoop"),
        odd("hang", timeout=0.5),
        odd("daemon-hang", timeout=0.5),
        odd("others"),
        odd("killall"),
        odd("raise", "11"),
        odd("chatter", "200000", timeout=60.0),
        odd("wreck"),
        Step("say in a wreck", ("/opt/odd", "say")),
    )
    sysctls = (("kernel.hostname", "renamed"), ("no.such", "1"))
    result = boot_job(GuestJob("n", steps, heartbeat=0.2, sysctls=sysctls))
    transcript = Transcript(result.records)
    done = dict(zip((step.name for step in steps), transcript.steps, strict=True))
    assert (done["say"].exit.value, done["say"].stdout, done["say"].stderr) == (3, b"to stdout\n", b"to stderr\n")
    plain = b"leader 1 cwd / umask 022 fds 0 masked 0 handled 0 input 1 core 0 oom 0\nHOME=/root MARK=(null)\n"
    assert done["surroundings"].stdout == plain
    assert done["snoop"].stdout == b"port Device or resource busy job gone\n"
    assert done["hang"].exit.how is done["daemon-hang"].exit.how is StepEnd.TIMEOUT
    assert done["hang"].exit.value == done["daemon-hang"].exit.value == 0
    assert "(odd), state S" in done["hang"].notes
    assert done["others"].stdout == b"others 0\n"
    assert done["killall"].exit.value == 0
    assert (done["raise 11"].exit.how, done["raise 11"].exit.value) == (StepEnd.SIGNALLED, 11)
    assert done["chatter 200000"].stdout == b"".join(b"line %010d\n" % number for number in range(200000))
    assert done["wreck"].stdout == b"wrecked\n"
    assert (done["say in a wreck"].exit.value, done["say in a wreck"].stdout) == (3, b"to stdout\n")
    assert float(done["say"].files["/proc/uptime"].split()[0]) > 0
    assert transcript.beats
    assert transcript.notes == "sysctl no/such: No such file or directory"
    for number, step in enumerate(steps[:-1]):
        assert f"rig: step {number}: {step.name}" in result.console


def test_busybox_serves_scripts(boot_job: BootJob) -> None:
    script = "test $$ != 1 && hostname && cat /opt/data && ping -c1 -W5 127.0.0.1 >&2 && id -u"
    # The root has a parent, unlike the kernel's first file system, so that it can be left.
    leave = "mkdir /mnt/n && mount -t tmpfs n /mnt/n && mkdir /mnt/n/old && unshare -m pivot_root /mnt/n /mnt/n/old"
    steps = (Step("script", ("sh", "-c", script)), Step("leave", ("sh", "-c", leave)))
    transcript = Transcript(boot_job(GuestJob("n", steps), shell=True).records)
    done, left = transcript.steps
    assert (done.exit.value, done.stdout) == (0, b"rig\ndata\n0\n")
    assert b"0% packet loss" in done.stderr
    assert (left.exit.value, left.stderr) == (0, b"")


def test_without_a_result_channel_init_says_so_and_ends(boot_job: BootJob) -> None:
    result = boot_job(GuestJob("n"), port="another.name")
    assert result.records == b""
    assert "rig-init: cannot go on: result channel rig.results: No such device or address" in result.console


def test_without_a_job_init_says_so_and_ends(
    place: tuple[Arch, str], kernel_image: Callable[[str], Path], tmp_path: Path
) -> None:
    arch, machine = place
    image = initrd(arch, GuestJob("n")) + archive([file("rig/job", b"rig-job/0\0")])
    result = boot(command(arch, machine, kernel_image(arch.name), tmp_path), tmp_path, image)
    assert "rig-init: cannot go on: /rig/job: is of another version than this init" in result.console


def test_a_host_that_never_reads_does_not_hold_the_guest(kernel_image: Callable[[str], Path], tmp_path: Path) -> None:
    """The channel is a socket to which nobody connects. One machine will do: it takes init's whole patience."""
    arch, machine = load_arch(MACHINES[0][0]), MACHINES[0][1]
    argv = command(arch, machine, kernel_image(arch.name), tmp_path)
    (tmp_path / "records").touch()
    socket = f"socket,id=results,path={tmp_path / 's'},server=on,wait=off"
    argv = [socket if word.startswith("file,id=results") else word for word in argv]
    result = boot(argv, tmp_path, initrd(arch, GuestJob("n")))
    assert "rig-init: cannot go on: the host does not read the result channel" in result.console
    assert 25 < result.seconds < 100


def test_a_host_that_was_stopped_misses_nothing(kernel_image: Callable[[str], Path], tmp_path: Path) -> None:
    """For longer than the step may take, and beyond the end of the guest's job."""
    arch, machine = load_arch(MACHINES[0][0]), MACHINES[0][1]
    argv = command(arch, machine, kernel_image(arch.name), tmp_path)
    ours, theirs = socket.socketpair()
    got = bytearray()

    def host() -> None:
        got.extend(ours.recv(1))
        time.sleep(11.0)
        while data := ours.recv(1 << 16):
            got.extend(data)

    reader = threading.Thread(target=host)
    reader.start()
    argv = [f"socket,id=results,fd={theirs.fileno()}" if word.startswith("file,id=results") else word for word in argv]
    steps = tuple(Step(f"{number}", ("/opt/odd", "chatter", "250000"), timeout=8.0) for number in range(3))
    files = [program("opt/odd", odd_program(arch).read_bytes())]
    (tmp_path / "records").touch()
    boot(argv, tmp_path, initrd(arch, GuestJob("n", steps), files), keep=(theirs.fileno(),))
    theirs.close()
    reader.join()
    ours.close()
    done = Transcript(bytes(got)).steps
    assert [(step.exit.how, step.exit.value) for step in done] == [(StepEnd.EXITED, 0)] * 3
    assert [len(step.stdout.splitlines()) for step in done] == [250000] * 3


def test_the_shell_is_interactive_and_ends_the_guest(
    place: tuple[Arch, str], kernel_image: Callable[[str], Path], tmp_path: Path
) -> None:
    arch, machine = place
    shell = Step("shell", ("/bin/busybox", "sh"), env=(("PS1", "rig> "), ("LINES", "33"), ("COLUMNS", "111")))
    image = initrd(arch, GuestJob("n", (shell,), mode=Mode.SHELL), [file("opt/data", b"data\n")], shell=True)
    (tmp_path / "initrd").write_bytes(image)
    argv = command(arch, machine, kernel_image(arch.name), tmp_path)
    # The kernel is silent: a late message of its own could stand between two words of the shell.
    argv[argv.index("-append") + 1] += " loglevel=1"
    argv += ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
    terminal = pexpect.spawn(argv[0], argv[1:], timeout=60, encoding="utf-8")
    try:
        terminal.expect("rig> ")
        terminal.sendline("cat /opt/data; stty size; tty | tr a-z A-Z")
        terminal.expect("data\r+\n33 111\r+\n/DEV/TTY")
        terminal.expect("rig> ")
        terminal.sendline("sh -c 'echo U\"\"P; sleep 1000'")
        terminal.expect("UP\r")
        terminal.send("\x03")  # job control: the interrupt ends the sleep and not the shell
        terminal.expect("rig> ")
        terminal.sendline("exit")
        terminal.expect(pexpect.EOF)
        terminal.wait()
        assert terminal.exitstatus == 0
    finally:
        terminal.close(force=True)


def test_init_costs_little_beside_a_bare_boot(
    place: tuple[Arch, str], kernel_image: Callable[[str], Path], tmp_path: Path
) -> None:
    """An empty job against an init that only ends the guest, counted in guest instructions: exact on any machine."""
    arch, machine = place
    source = tmp_path / "bare.c"
    source.write_text("#include <sys/reboot.h>\nint main(void) { return reboot(RB_AUTOBOOT); }\n")
    bare = compile_static(native_abi(arch).toolchain, [source], "bare", flags=("-Os", "-s"), stop=Stop())
    argv = command(arch, machine, kernel_image(arch.name), tmp_path)
    argv[argv.index("-append") + 1] += " nokaslr printk.time=1"
    argv += ["-icount", "shift=4,sleep=off"]
    ends = [
        last_time(boot(argv, tmp_path, image).console)
        for image in (
            archive([program("init", bare.read_bytes()), node("dev/console", 5, 1)]),
            initrd(arch, GuestJob("n", answer=0.0)),
        )
    ]
    print(f"{arch.name} {machine}: bare {ends[0]} s, rig {ends[1]} s, at 16 ns for each instruction")
    assert ends[1] < 1.1 * ends[0]


def last_time(console: str) -> float:
    """Guest seconds at which the kernel restarts the machine."""
    found = re.findall(r"^\[ *([0-9.]+)\] reboot: Restarting system", console, re.MULTILINE)
    assert len(found) == 1
    return float(found[0])


def test_the_archives_read_with_another_program(place: tuple[Arch, str], tmp_path: Path) -> None:
    arch, _machine = place
    image = initrd(arch, GuestJob("n"))
    done = subprocess.run(["cpio", "-itv", "--quiet"], input=image, capture_output=True, check=True, cwd=tmp_path)
    assert any(line.endswith(b" init") and line.startswith(b"-rwxr-xr-x") for line in done.stdout.splitlines())
