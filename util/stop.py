# SPDX-License-Identifier: GPL-2.0-or-later
"""When to end: one stop signal for a whole run, which Ctrl-C sets and every long stage checks; a point in time at which
work has to be given up."""

import threading
import time


class Stopped(Exception):  # noqa: N818 - not an error: somebody asked
    """The run was asked to end. Whoever holds a process ends it and lets this pass."""


class Stop:
    """Set once, from a signal handler or a failing stage; read from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep for at most `seconds`; True as soon as the stop is set."""
        return self._event.wait(seconds)

    def check(self) -> None:
        """Raises `Stopped` once the stop is set."""
        if self._event.is_set():
            raise Stopped


class Linked(Stop):
    """A stop for one part of a run: set by itself or by that of the whole, which it never sets."""

    POLL = 0.1

    def __init__(self, whole: Stop) -> None:
        super().__init__()
        self._whole = whole

    def is_set(self) -> bool:
        return super().is_set() or self._whole.is_set()

    def wait(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not self.is_set():
            left = until - time.monotonic()
            if left <= 0:
                return False
            super().wait(min(self.POLL, left))
        return True

    def check(self) -> None:
        if self.is_set():
            raise Stopped


class Deadline:
    """So many seconds from now on; infinite ones never end."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds; negative when the time is over."""
        return self._end - time.monotonic()
