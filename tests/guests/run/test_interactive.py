# SPDX-License-Identifier: GPL-2.0-or-later
"""The console on a terminal: keys arrive, the escape ends the guest, the terminal is left as it was."""

import io
import os
import signal
import sys
import termios
from dataclasses import replace
from pathlib import Path

import pexpect
import pytest

from guests.qemu.initrd import anonymous_initrd
from guests.run.interactive import boot_interactive
from tests.guests.support import fake_request
from util.paths import ROOT

ECHO = """#!/usr/bin/env python3
import sys
if "--version" in sys.argv:
    print("QEMU emulator version 7.2.99")
    sys.exit()
open(sys.argv[sys.argv.index("-initrd") + 1], "rb").read()
print("guest is up", flush=True)
def lines():
    line = b""
    while key := sys.stdin.buffer.raw.read(1):  # a terminal's Enter is a carriage return
        line = b"" if key == b"\\r" else line + key
        if key == b"\\r":
            yield done.decode()
        done = line
for line in lines():
    print("heard", line, flush=True)
    if "poweroff" in line:
        sys.exit(int(line.split()[1]))
"""
RIG = """
import sys
from pathlib import Path
from dataclasses import replace
from guests.run.interactive import boot_interactive
from tests.guests.support import fake_request
request = fake_request(Path(sys.argv[1]), "shell")
request = replace(request, arch=request.arch.model_copy(update={"qemu": sys.argv[1] + "/qemu"}))
print("status", boot_interactive(request), flush=True)
"""


@pytest.fixture
def qemu(tmp_path: Path) -> Path:
    path = tmp_path / "qemu"
    path.write_text(ECHO)
    path.chmod(0o755)
    return path


def _rig(tmp_path: Path) -> "pexpect.spawn[str]":
    return pexpect.spawn(sys.executable, ["-c", RIG, str(tmp_path)], cwd=str(ROOT), encoding="utf-8", timeout=30)


@pytest.mark.slow
def test_keys_arrive_and_the_guest_ends_by_itself(tmp_path: Path, qemu: Path) -> None:
    assert qemu.exists()
    rig = _rig(tmp_path)
    rig.expect("guest is up")
    rig.send("hello\r")
    rig.expect("heard hello")
    rig.send("poweroff 3\r")
    rig.expect("status 3")
    rig.expect(pexpect.EOF)
    rig.close()


@pytest.mark.slow
def test_the_escape_ends_it_and_the_terminal_is_sane(tmp_path: Path, qemu: Path) -> None:
    assert qemu.exists()
    rig = _rig(tmp_path)
    before = termios.tcgetattr(rig.child_fd)
    rig.expect("guest is up")
    raw = termios.tcgetattr(rig.child_fd)
    assert not raw[3] & termios.ICANON  # it was raw while the guest had it
    rig.send("\x1d")
    rig.expect(r"status -?\d+")
    assert termios.tcgetattr(rig.child_fd)[:4] == before[:4]
    rig.expect(pexpect.EOF)
    rig.close()


@pytest.mark.slow
def test_a_rig_that_is_ended_leaves_the_terminal_sane_and_no_guest(tmp_path: Path, qemu: Path) -> None:
    assert qemu.exists()
    rig = _rig(tmp_path)
    before = termios.tcgetattr(rig.child_fd)
    rig.expect("guest is up")
    assert not termios.tcgetattr(rig.child_fd)[3] & termios.ICANON
    rig.kill(signal.SIGTERM)
    rig.expect(pexpect.EOF)
    rig.wait()
    assert rig.exitstatus == 128 + signal.SIGTERM
    assert termios.tcgetattr(rig.child_fd)[:4] == before[:4]
    rig.close()
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if _holds(path, str(qemu))]


def _holds(path: Path, word: str) -> bool:
    try:
        return word in path.read_text(errors="replace")
    except OSError:
        return False


def test_without_a_terminal_the_console_is_copied(tmp_path: Path) -> None:
    qemu = tmp_path / "qemu"
    qemu.write_text(ECHO.replace("for line in lines():", "sys.exit(5)\nfor line in ():"))
    qemu.chmod(0o755)
    request = fake_request(tmp_path, "")
    out = io.BytesIO()
    with_qemu = replace(request, arch=request.arch.model_copy(update={"qemu": str(qemu)}))
    assert boot_interactive(with_qemu, out) == 5
    assert b"guest is up" in out.getvalue()


def test_the_initrd_is_whole_and_in_memory() -> None:
    descriptor = anonymous_initrd((b"abc", b"d" * 512))
    try:
        assert Path(f"/proc/{os.getpid()}/fd/{descriptor}").read_bytes() == b"abc" + b"\0" * 509 + b"d" * 512
    finally:
        os.close(descriptor)
