# SPDX-License-Identifier: GPL-2.0-or-later
"""Locks between runs of the rig: flock(2), shared or exclusive, on files that are never deleted.

The kernel drops a lock with its last open descriptor, so a killed run leaves none behind; a child that inherits
`Lock.fd` (see `util.children.program`) keeps it until the child has ended too. Two threads of one run exclude one
another as well, because each opens the file for itself. The package filelock knows no shared mode, which worktrees
need.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from util.events import Event, Listener, Phase, silent
from util.stop import Stop

POLL = 0.1


class Lock:
    """One open lock file, or an existing folder. Use `locked`, or `attempt` for one try."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_dir():
            self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def attempt(self, *, shared: bool = False) -> bool:
        """Take the lock, or turn a held one into the other kind; False if somebody else has it.

        A failed conversion loses the lock that was held (flock(2)): the caller closes or tries again.
        """
        try:
            fcntl.flock(self.fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def wait(self, stop: Stop | None, *, shared: bool = False, emit: Listener = silent, step: str = "") -> None:
        """Take the lock, however long it needs. Raises Stopped."""
        told, stop = False, stop or Stop()
        while not self.attempt(shared=shared):
            stop.check()
            stop.wait(POLL)
            if step and not told:
                emit(Event(step, Phase.NOTE, "waits for another run that is doing the same"))
                told = True

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@contextmanager
def locked(
    path: Path, stop: Stop | None, *, shared: bool = False, emit: Listener = silent, step: str = ""
) -> Iterator[Lock]:
    """Hold the lock file `path` for the length of the block."""
    lock = Lock(path)
    try:
        lock.wait(stop, shared=shared, emit=emit, step=step)
        yield lock
    finally:
        lock.close()
