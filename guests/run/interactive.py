# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest with its console on the user's terminal: `rig.py boot` and `rig.py shell`.

A serial line does not carry the size of a terminal: each change of it goes to init on the result channel, as a line of
two numbers (`initramfs/init/shell.c`), which sets the size of the guest's terminal and so sends SIGWINCH there.
"""

import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import BinaryIO, NoReturn

from guests.qemu.devices import disk_file
from guests.qemu.initrd import anonymous_initrd
from guests.qemu.machine import terminal_command
from guests.run.qemu import make_raw, qemu_version
from guests.run.request import GuestRequest, spec_of
from util.children.program import LEASH
from util.errors import MachineError

ESCAPE = b"\x1d"
ESCAPE_NAME = "Ctrl-]"
"""Ends the guest, whatever it does. Everything else, Ctrl-C included, goes to the guest."""
_CHUNK = 65536
_FAREWELL = 1.0
"""Seconds."""


def boot_interactive(request: GuestRequest, output: BinaryIO | None = None) -> int:
    """Boots the guest with its console on the terminal and returns when it ends, or when the user presses ESCAPE.

    Returns QEMU's exit status; negative: the signal. The terminal is as it was before, whatever happens, SIGTERM and
    SIGHUP included. If standard input is no terminal, the console is only copied to `output` (standard output by
    default). Call it from the main thread. Raises MachineError if QEMU cannot be run, UserError for a file that cannot
    be read.
    """
    qemu_version(request.arch.qemu)
    with disk_file(request.devices) as disks:
        return _boot(request, disks, output)


def _boot(request: GuestRequest, disks: str, output: BinaryIO | None) -> int:
    initrd = anonymous_initrd(request.initrd)
    console, inside = pty.openpty()
    control, control_inside = socket.socketpair()
    try:
        make_raw(inside)
        spec = spec_of(request, f"/proc/{os.getpid()}/fd/{initrd}", disks)
        process = _start(terminal_command(spec, control_inside.fileno()), inside, control_inside)
        os.close(inside)
        control_inside.close()
        try:
            if sys.stdin.isatty() and output is None:
                with _terminal(sys.stdin.fileno()), _resizing(control):
                    _converse(process, console, control, sys.stdout.buffer, sys.stdin.fileno())
            else:
                _converse(process, console, control, output or sys.stdout.buffer)
        finally:
            status = _end(process)
    finally:
        os.close(initrd)
        os.close(console)
        control.close()
    return status


def _start(command: tuple[str, ...], console: int, control: socket.socket) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            [*LEASH, *command], stdin=console, stdout=console, stderr=console, pass_fds=(control.fileno(),),
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise MachineError(f"{LEASH[0]}: {error.strerror}; install util-linux") from None


def _end(process: "subprocess.Popen[bytes]") -> int:
    """QEMU's status. It closes its console a moment before it is gone."""
    with suppress(subprocess.TimeoutExpired):
        return process.wait(timeout=_FAREWELL)
    process.kill()
    return process.wait()


@contextmanager
def _terminal(terminal: int) -> Iterator[None]:
    """The user's terminal in raw mode, and as it was afterwards."""
    before = termios.tcgetattr(terminal)
    handlers = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        tty.setraw(terminal, termios.TCSANOW)
        yield
    finally:
        with suppress(termios.error):  # a terminal that was closed
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def terminal_size() -> os.terminal_size:
    """What the terminal says itself; LINES and COLUMNS of the environment stay as they were when it grows."""
    for stream in (sys.stdin, sys.stdout):
        with suppress(OSError, ValueError):
            return os.get_terminal_size(stream.fileno())
    return shutil.get_terminal_size()


@contextmanager
def _resizing(control: socket.socket) -> Iterator[None]:
    """Tells the guest the terminal's size now and whenever it changes."""

    def tell(_number: int = 0, _frame: FrameType | None = None) -> None:
        size = terminal_size()
        with suppress(OSError):  # the guest has ended, or its buffer is full of sizes
            control.send(f"{size.lines} {size.columns}\n".encode(), socket.MSG_DONTWAIT)

    before = signal.signal(signal.SIGWINCH, tell)
    try:
        tell()
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def _converse(
    process: "subprocess.Popen[bytes]", console: int, control: socket.socket, out: BinaryIO, keys: int | None = None
) -> None:
    """Copies the console to `out` and what comes from `keys` to the console, until the guest ends or ESCAPE is
    pressed. What init reports is read and dropped, or init would wait for a reader."""
    os.set_blocking(console, False)
    pending = b""
    sources: list[int | socket.socket] = [console, control, *(() if keys is None else (keys,))]
    while True:
        readable, writable, _ = select.select(sources, [console] if pending else [], [])
        if control in readable and not _taken(control):
            sources.remove(control)
        if writable:
            with suppress(BlockingIOError):
                pending = pending[os.write(console, pending) :]
        if console in readable:
            try:
                data = os.read(console, _CHUNK)
            except OSError:  # EIO: QEMU has closed the other end
                return
            out.write(data)
            out.flush()
        if keys in readable and keys is not None:
            typed = os.read(keys, _CHUNK)
            if not typed or ESCAPE in typed:
                process.kill()
                return
            pending += typed


def _taken(control: socket.socket) -> bool:
    """Whether there was something, and may be more."""
    try:
        return bool(control.recv(_CHUNK))
    except ConnectionError:  # the guest has ended with a size unread
        return False
