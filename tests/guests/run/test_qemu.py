# SPDX-License-Identifier: GPL-2.0-or-later
"""The descriptors of a QEMU, with a program in its place."""

import io
import sys

from guests.run.qemu import Qemu

TALKER = """
import os
os.set_blocking(1, False)  # as QEMU does
for _ in range(65536):
    os.write(1, b"x")
"""
"""Writes as much as six boots do, a byte at a time, and fails where the reader is not fast enough."""
ECHO = "import os; os.write(1, os.read(0, 64).upper())"


def run(program: str, keys: bytes = b"") -> tuple[int, bytes, bytes]:
    """Exit status, console and log of a program that nobody listens to until it has ended."""
    log = io.BytesIO()
    with Qemu(lambda _results, _qmp, _initrd: (sys.executable, "-c", program), 0, log) as qemu:
        if keys:
            qemu.send(keys)
        status = qemu.process.wait(30)
        console = qemu.read_console()
    return status, console, log.getvalue()


def test_a_guest_never_waits_for_the_reader_of_its_console() -> None:
    status, console, log = run(TALKER)
    assert status == 0
    assert console == log == b"x" * 65536


def test_what_is_sent_arrives() -> None:
    assert run(ECHO, b"t\n")[1] == b"T\n"
