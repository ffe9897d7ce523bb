# SPDX-License-Identifier: GPL-2.0-or-later
"""A clock that stops while the guest's virtual processors wait for a processor of the host, or nobody looks.

A guest beside a kernel build gets a part of a processor. A deadline in wall time would then call a slow guest a hung
one; this clock leaves out the time in which some thread of QEMU was ready to run and had to wait, as the kernel counts
it (second field of /proc/PID/task/TID/schedstat, Documentation/scheduler/sched-stats.rst, in nanoseconds). Where the
kernel does not count it, the clock is wall time.

It also leaves out the time in which its reader stood still: the rig stopped by Ctrl-Z or a debugger, or starved. What a
guest sent meanwhile was not read, so that it must not be called silent for it.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

UNSEEN = 2.0
"""Seconds between two looks at the clock from which on its reader stood still; so many of them count."""
BUSY = 0.15
"""The share of one processor from which a process counts as busy."""


class FairClock:
    """Seconds since it was made: wall time less what the thread that waited longest has waited in all, and less what
    lay between two looks beyond UNSEEN.

    The kernel accounts for a wait when it is over, so that a long one is seen late and at once; the clock then stops
    until it is correct again. It advances only when `now` is called; call it a few times a second.
    """

    def __init__(self, pid: int, wall: Callable[[], float] = time.monotonic, proc: Path = Path("/proc")) -> None:
        self._tasks = proc / str(pid) / "task"
        self._wall = wall
        self._start = self._looked = wall()
        self._unseen = 0.0
        self._waited: dict[str, float] = {}
        self._now = 0.0

    def now(self) -> float:
        wall, before = self._wall(), max(self._waited.values(), default=0.0)
        for thread in _names(self._tasks):
            try:
                nanoseconds = int((self._tasks / thread / "schedstat").read_bytes().split()[1])
            except (OSError, IndexError, ValueError):
                continue
            self._waited[thread] = nanoseconds / 1e9
        longest = max(self._waited.values(), default=0.0)
        waited = longest - before  # is left out as such
        self._unseen += max(0.0, wall - self._looked - waited - UNSEEN)
        self._looked = wall
        self._now = max(self._now, wall - self._start - longest - self._unseen)
        return self._now


class IdleMeter:
    """For how long a process has used next to no processor time, in seconds of a clock that the caller reads. What a
    guest's idle ticks and heartbeats use is next to none; a guest that waits for the host's processors stands still on
    a fair clock as well, and is not idle, and nobody is whose processor time cannot be seen (`used` gives None)."""

    def __init__(self, pid: int, used: Callable[[int], float | None]) -> None:
        self._pid, self._used = pid, used
        self._since = 0.0
        self._looked, self._last = 0.0, 0.0

    def seconds(self, now: float) -> float:
        """Call it a few times a second."""
        if now - self._looked >= 1.0:
            cpu = self._used(self._pid)
            if cpu is None or cpu - self._last > BUSY * (now - self._looked):
                self._since = now
            self._looked, self._last = now, cpu or 0.0
        return now - self._since


def cpu_seconds(pid: int) -> float:
    """Processor time, user and system, that a process has used so far; 0.0 if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names only, a few times a second
    except OSError:
        return []
