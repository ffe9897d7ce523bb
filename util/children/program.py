# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a program to its end, checks the stop signal meanwhile, and ends the program when the rig ends.

Every child gets a process group of its own, so that Ctrl-C at the terminal reaches only the rig, and the parent-death
signal of prctl(2), through setpriv(1) of util-linux, so that even a rig that was killed leaves no child behind.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from util.errors import MachineError
from util.paths import called_as
from util.stop import Stop, Stopped

LEASH = ("setpriv", "--pdeathsig", "KILL", "--")
"""In front of a command that must end with the thread that started it. It does not reach the command's own children:
`kernels/sandbox/supervise.py` does."""
POLL = 0.1
"""Seconds between two looks at the stop signal."""
_UNLESS_ORPHANED = '[ "$PPID" = "$0" ] || exit 137; unset PWD OLDPWD SHLVL; exec "$@"'
"""What a shell sets for itself does not reach the command."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that has ended. `status` is its exit status, or minus the signal that ended it."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def words(self) -> str:
        """What the program said on stderr, else on stdout, as text without blank lines."""
        text = (self.stderr.strip() or self.stdout.strip()).decode("utf-8", "replace")
        return "\n".join(line for line in text.splitlines() if line.strip())


def leashed(argv: Sequence[str]) -> list[str]:
    """The command with the leash in front. It does not start at all where this process ended before the leash was on:
    no signal tells it of a death that came first."""
    if not shutil.which(LEASH[0]):
        return list(argv)
    return [*LEASH, "sh", "-c", _UNLESS_ORPHANED, str(os.getpid()), *argv]


def start(
    argv: Sequence[str],
    *,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | None = subprocess.PIPE,
    stderr: int | None = subprocess.PIPE,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    keep: Sequence[int] = (),
) -> "subprocess.Popen[bytes]":
    """Start a program, tied to this thread; whoever calls holds it in a `with ended(...)`.

    `keep` are descriptors that the child inherits: a lock that it holds keeps others out until the child is gone too.
    Raises MachineError when the program is not installed.
    """
    if shutil.which(argv[0], path=(env or os.environ).get("PATH")) is None:
        raise MachineError(f"{argv[0]} is not installed; `{called_as()} doctor` says what to install")
    return subprocess.Popen(
        leashed(argv),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env=env,
        cwd=cwd,
        pass_fds=tuple(keep),
        process_group=0,
    )


def end(process: "subprocess.Popen[bytes]") -> None:
    """Kill the process with its whole group, if it still runs, and reap it."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            with suppress(OSError):
                stream.close()


def run(
    argv: Sequence[str],
    *,
    stop: Stop | None = None,
    data: bytes | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    keep: Sequence[int] = (),
) -> Finished:
    """Run a program to its end with `data` on its standard input. Any exit status is a value.

    Raises Stopped (the program is gone by then) and MachineError when it is not installed.
    """
    if stop is not None:
        stop.check()
    with _input(data) as stdin:
        process = start(argv, stdin=stdin, env=env, cwd=cwd, keep=keep)
        try:
            stdout, stderr = _communicate(process, stop)
            return Finished(tuple(argv), process.returncode, stdout, stderr)
        finally:
            end(process)


@contextmanager
def _input(data: bytes | None) -> Iterator[int | IO[bytes]]:
    """What a child reads: a file without name, not a pipe. `communicate` forgets the rest of its input when its time
    runs out before all of it is written (CPython 3.11), and the child would wait for ever."""
    if data is None:
        yield subprocess.DEVNULL
        return
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        yield file


def _communicate(process: "subprocess.Popen[bytes]", stop: Stop | None) -> tuple[bytes, bytes]:
    while True:
        try:
            return process.communicate(timeout=POLL)
        except subprocess.TimeoutExpired:
            if stop is not None and stop.is_set():
                raise Stopped from None
