# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the kernels that may be wanted next, on cores that are idle while a guest runs.

What is not wanted after all is stopped at once. Nothing of it is lost: an interrupted build goes on where it was if its
commit is asked later.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from ci.bisect.facts.steps import BisectStep
from util.stop import Linked, Stop

Work = Callable[[BisectStep, Stop], Sequence[str]]
"""Builds the kernels of a step; the keys of those that were not there yet."""


class Ahead:
    """One thread that works through some steps, one after the other. What goes wrong there is left for the step's own
    turn to say."""

    def __init__(self, work: Work, stop: Stop) -> None:
        self._work, self._stop = work, stop
        self._lock = threading.Lock()
        self._waiting: list[BisectStep] = []
        self._current: tuple[BisectStep, Linked] | None = None
        self._thread: threading.Thread | None = None
        self.made: set[str] = set()
        """The keys of all builds that were made ahead."""

    def start(self, steps: Sequence[BisectStep]) -> None:
        """Begins with these steps, unless it is at work already."""
        if steps and self._thread is None:
            self._waiting = list(steps)
            self._thread = threading.Thread(target=self._run, name="ahead")
            self._thread.start()

    def settle(self, wanted: BisectStep | None = None) -> None:
        """Stops everything but the wanted step, of which a build that has begun is waited for."""
        with self._lock:
            self._waiting.clear()
            if self._current and self._current[0] != wanted:
                self._current[1].set()
        if self._thread:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    return
                step, stop = self._waiting.pop(0), Linked(self._stop)
                self._current = step, stop
            with suppress(Exception):
                self.made.update(self._work(step, stop))
            with self._lock:
                self._current = None
