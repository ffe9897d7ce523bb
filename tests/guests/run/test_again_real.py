# SPDX-License-Identifier: GPL-2.0-or-later
"""Real guests of a cell of an earlier run: a shell on a terminal, commands from a pipe, a breakpoint in gdb."""

import os
import subprocess
from pathlib import Path

import pexpect
import pytest

from tests.command import USER, rig
from util.paths import ROOT

pytestmark = pytest.mark.real
CELL = "x86_64 x86_64 selftests/seccomp"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run of base alone."""
    folder = tmp_path_factory.mktemp("again") / "out"
    chosen = ("--arch", "x86_64", "--abi", "x86_64", "--suite", "selftests/seccomp", "--series", "none")
    done = rig("check", *chosen, "--out", str(folder), "--quiet")
    assert done.returncode == 0, done.stderr
    return folder


def test_a_shell_in_the_guest_of_a_cell(out: Path) -> None:
    """On a terminal: the suite's files, Ctrl-C, a terminal that grows; then the same cell with commands from a pipe."""
    command = ["shell", str(out), *CELL.split(), "--quiet"]
    terminal = pexpect.spawn(
        str(ROOT / "rig.py"), command, cwd=str(ROOT), env=dict(USER), encoding="utf-8", timeout=200, dimensions=(30, 90)
    )
    try:
        terminal.expect("/ # ")
        # From here on the kernel is silent: a late message of its own could stand in the middle of a word of the shell.
        terminal.sendline("dmesg -n 1; echo N >/sys/module/printk/parameters/ignore_loglevel")
        terminal.expect("/ # ")
        terminal.sendline("ls /kselftest/seccomp")
        terminal.expect("seccomp_bpf")
        for size in ((30, 90), (41, 133)):
            terminal.expect("/ # ")
            terminal.setwinsize(*size)
            # Until it is there: the guest may be slow to be told.
            terminal.sendline(f"until stty size | grep '{size[0]} {size[1]}'; do sleep 0.1; done; echo a''fter")
            terminal.expect("after\r")
        terminal.sendline("sh -c 'echo U\"\"P; sleep 1000'")
        terminal.expect("UP\r")
        terminal.send("\x03")
        terminal.expect("/ # ")
        terminal.sendline("exit")
        terminal.expect(pexpect.EOF)
        terminal.wait()
        assert terminal.exitstatus == 0
    finally:
        terminal.close(force=True)
    script = "uname -r; grep seccomp_bpf /root/steps; echo wrong >&2; exit 7\n"
    done = subprocess.run(
        [str(ROOT / "rig.py"), *command], input=script, capture_output=True, text=True, env=dict(USER), check=False
    )
    assert done.returncode == 7, done.stderr
    version, step = done.stdout.splitlines()
    assert version.startswith("5.10.")
    assert step == "(cd /kselftest/seccomp && ./seccomp_bpf)  # seccomp_bpf"
    assert done.stderr.strip() == "wrong"


def test_a_breakpoint_in_the_kernel_is_hit(out: Path, tmp_path: Path) -> None:
    commands = ("break seccomp_attach_filter", "continue", "bt 3", "list")
    words = [word for text in commands for word in ("-ex", text)]
    done = subprocess.run(
        [str(ROOT / "rig.py"), "gdb", str(out), *CELL.split(), *words, "--console", str(tmp_path / "log"), "--quiet"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=dict(USER), timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "hit Breakpoint 1, seccomp_attach_filter" in done.stdout
    assert "/src/kernel/seccomp.c" in done.stdout
    assert "Validate resulting filter length" in done.stdout  # from the checkout
    assert "nokaslr" in (tmp_path / "log").read_text()
    assert not _leftovers(str(tmp_path / "log"))


def _leftovers(word: str) -> list[str]:
    """Processes whose command line holds the word."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if word in line:
                found.append(line)
    return found
