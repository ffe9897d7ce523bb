# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest with its console on the user's terminal: `rig.py boot` and `rig.py shell`."""

import os
import shutil
import sys
from contextlib import suppress
from typing import BinaryIO

import pexpect

from guests.qemu.initrd import anonymous_initrd
from guests.qemu.machine import terminal_command
from guests.run.qemu import qemu_version
from guests.run.request import GuestRequest, spec_of
from util.children.program import LEASH
from util.errors import MachineError

ESCAPE = b"\x1d"
ESCAPE_NAME = "Ctrl-]"
"""Ends the guest, whatever it does. Everything else, Ctrl-C included, goes to the guest."""


def boot_interactive(request: GuestRequest, output: BinaryIO | None = None) -> int:
    """Boots the guest with its console on the terminal and returns when it ends, or when the user presses ESCAPE.

    Returns QEMU's exit status; negative: the signal. The terminal is as it was before, whatever happens. If standard
    input is no terminal, the console is only copied to `output` (standard output by default). Call it from the main
    thread. Raises MachineError if QEMU cannot be run, UserError for a file that cannot be read.
    """
    qemu_version(request.arch.qemu)
    initrd = anonymous_initrd(request.initrd)
    try:
        command = terminal_command(spec_of(request, f"/proc/{os.getpid()}/fd/{initrd}"))
        child = _spawn([*LEASH, *command])
        try:
            if sys.stdin.isatty() and output is None:
                child.interact(escape_character=ESCAPE.decode())
            else:
                _copy(child, output or sys.stdout.buffer)
        finally:
            child.close(force=True)
    finally:
        os.close(initrd)
    return -child.signalstatus if child.signalstatus else int(child.exitstatus or 0)


def _spawn(command: list[str]) -> "pexpect.spawn[bytes]":
    columns, rows = shutil.get_terminal_size()
    try:
        return pexpect.spawn(command[0], command[1:], timeout=None, echo=False, dimensions=(rows, columns))
    except pexpect.ExceptionPexpect as error:
        raise MachineError(f"{command[0]}: {error}; install util-linux") from None


def _copy(child: "pexpect.spawn[bytes]", out: BinaryIO) -> None:
    with suppress(pexpect.EOF):
        while True:
            out.write(child.read_nonblocking(65536, timeout=None))
            out.flush()
