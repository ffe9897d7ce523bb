# SPDX-License-Identifier: GPL-2.0-or-later
"""One QEMU process: its descriptors, its console as pexpect streams, its death.

What a guest prints goes into a pipe of CONSOLE_ROOM bytes. The 16550 of a PC tries a byte again later when nobody takes
it, and the guest waits for that: a reader that gets no processor would be felt. A terminal holds 12 kB, and a boot
prints ten; here it is only for what is sent to the guest.

No QEMU outlives the rig. The child is started through setpriv(1), which makes it die with the thread that started it
(PR_SET_PDEATHSIG, prctl(2)); a worker thread stays with its guest from start to end. The moment before that setting
takes effect is covered too: the initrd is an anonymous file, opened by QEMU through this process's own /proc entry, so
that a QEMU that comes too late finds nothing to boot and gives up. Nothing of a guest is on disk but its log.
"""

import contextlib
import fcntl
import functools
import os
import pty
import signal
import socket
import subprocess
import termios
from types import TracebackType
from typing import IO

import pexpect
from pexpect.fdpexpect import fdspawn

from guests.host.host import LOCAL, Host, Start
from util.children.program import LEASH
from util.errors import MachineError
from util.paths import called_as

CONSOLE_ROOM = 1 << 20
"""Bytes that a pipe may hold without privileges (pipe(7))."""


class Qemu:
    """A running QEMU. `command` is what was executed, without the leash. Use as a context manager: leaving it kills
    the process if it still runs, waits for it and closes every descriptor.

    Raises MachineError if the program cannot be started.
    """

    def __init__(self, start: Start, initrd: int, log: IO[bytes]) -> None:
        """`start` makes the command, `log` gets the console's bytes."""
        master, slave = pty.openpty()
        self.results, results_there = socket.socketpair()
        self.qmp, qmp_there = socket.socketpair()
        self.results.setblocking(False)
        self._stderr = os.memfd_create("stderr", os.MFD_CLOEXEC)
        read, console_there = _roomy_pipe()
        self._keys, self._stream, self._before = fdspawn(master, timeout=None), fdspawn(read, timeout=None), b""
        self._log = self._stream.logfile_read = log
        make_raw(slave)
        self.command = start(results_there.fileno(), qmp_there.fileno(), f"/proc/{os.getpid()}/fd/{initrd}")
        try:
            self.process = subprocess.Popen(
                [*LEASH, *self.command],
                stdin=slave,
                stdout=console_there,
                stderr=self._stderr,
                pass_fds=(results_there.fileno(), qmp_there.fileno()),
                start_new_session=True,
            )
        except OSError as error:
            self._close()
            raise MachineError(f"{LEASH[0]}: {error.strerror}; install util-linux") from None
        finally:
            os.close(slave)
            os.close(console_there)
            results_there.close()
            qmp_there.close()
        self.pidfd = os.pidfd_open(self.process.pid)

    def __enter__(self) -> "Qemu":
        return self

    def __exit__(self, _k: type[BaseException] | None, _v: BaseException | None, _t: TracebackType | None) -> None:
        self.kill()
        os.close(self.pidfd)
        self._close()

    def kill(self) -> int:
        """Ends the process if it still runs; the return code as subprocess gives it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        return self.process.wait()

    def read_console(self) -> bytes:
        """What the console holds now; `b""` if nothing, or if QEMU is gone and all was read."""
        chunks = [self._before]
        self._before = b""
        with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
            while True:
                chunks.append(self._stream.read_nonblocking(CONSOLE_ROOM, timeout=0))  # type: ignore[arg-type]
        return b"".join(chunks)

    @property
    def console(self) -> int:
        """The descriptor that says when there is something to read; -1 when all is closed."""
        return self._stream.child_fd

    def already(self, console: bytes) -> None:
        """What a copy of a saved guest had printed before: `read_console` has it first."""
        self._before = console
        self._log.write(console)

    def send(self, data: bytes) -> None:
        """Types on the console."""
        self._keys.send(data)

    def read_results(self) -> bytes:
        """What the result channel holds now, likewise."""
        chunks = []
        try:
            while chunk := self.results.recv(1 << 18):
                chunks.append(chunk)
        except (BlockingIOError, ConnectionError):
            pass
        return b"".join(chunks)

    def complaints(self) -> str:
        """What QEMU itself wrote to standard error."""
        size = os.fstat(self._stderr).st_size
        return os.pread(self._stderr, size, 0).decode("utf-8", "replace").strip()

    def _close(self) -> None:
        self._keys.close()
        self._stream.close()
        self.results.close()
        self.qmp.close()
        os.close(self._stderr)


def _roomy_pipe() -> tuple[int, int]:
    """Where QEMU's output is read, without waiting, and where it is written."""
    read, write = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(read, False)
    with contextlib.suppress(OSError):  # a user who has too much in pipes already gets the usual size
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, CONSOLE_ROOM)
    return read, write


def make_raw(slave: int) -> None:
    """QEMU sets its terminal nearly raw but keeps output processing; the guest sends CR LF itself."""
    attributes = termios.tcgetattr(slave)
    attributes[0] = attributes[1] = attributes[3] = 0
    termios.tcsetattr(slave, termios.TCSANOW, attributes)


@functools.cache
def qemu_version(program: str, host: Host = LOCAL) -> str:
    """The version of a QEMU program, for example `7.2.22`. Raises MachineError if it cannot be run."""
    done = host.run(program, "--version")
    if done.status:
        there = f" on {host.name}: install it there" if host.name else f"; `{called_as()} doctor` says what to install"
        raise MachineError(f"{program}: {done.stderr or f'exit status {done.status}'}{there}")
    first = done.stdout.splitlines()[0] if done.stdout else ""
    return first.removeprefix("QEMU emulator version ").split(" ")[0]
