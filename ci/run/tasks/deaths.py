# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that dies the same way in guest after guest is not booted a dozen times.

Two guests of one kernel with the same end, fault and place make it a suspect: its next guests are tried one by one. The
first that dies the same way, alone, is the last one; the others are not booted, and say why. One that lives clears it.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ci.model.stages import CellResult
from ci.verdict.guest_tests import Death, death
from guests.crash.outcome import End

ENOUGH = 2
"""Guests that have to die the same way before the next ones are tried one by one."""
Kernel = tuple[str, str, str]
"""Variant, architecture and flavour."""


@dataclass(frozen=True, slots=True)
class Admission:
    """`reason` says why a guest is not to be booted, empty if it is; `alone`: no other of its kernel is, meanwhile;
    `ended` is to be called with the guest's end before another one gets its turn."""

    reason: str
    alone: bool
    ended: Callable[[End], None] = lambda _end: None


class Deaths:
    """How the guests of each kernel ended. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Kernel, Counter[Death]] = {}
        self._dead: dict[Kernel, Death] = {}
        self._alone: dict[Kernel, threading.Lock] = {}
        self._others: Counter[Kernel] = Counter()
        self._unjudged: Counter[Kernel] = Counter()
        """Guests that have not finished, and of which it is not known yet what base's did."""
        self._other_left = threading.Condition(self._lock)

    @contextmanager
    def admitted(self, kernel: Kernel) -> Iterator[Admission]:
        """Inside of it a guest of this kernel may be booted, unless the admission says why not. Where the kernel is a
        suspect it waits for the one that is being tried, and for those that were admitted before."""
        with self._other_left:
            self._other_left.wait_for(lambda: not self._unjudged[kernel])
            suspect = self._suspected(kernel) is not None
            self._others[kernel] += not suspect
            alone = self._alone.setdefault(kernel, threading.Lock())
        if suspect:
            with alone:
                with self._other_left:
                    self._other_left.wait_for(lambda: not self._others[kernel])
                yield Admission(self._reason(kernel), alone=True)
            return
        died = threading.Event()

        def ended(end: End) -> None:
            with self._lock:
                if end is not End.FINISHED and not died.is_set():
                    died.set()
                    self._unjudged[kernel] += 1

        try:
            yield Admission(self._reason(kernel), alone=False, ended=ended)
        finally:
            with self._other_left:
                self._others[kernel] -= 1
                self._unjudged[kernel] -= died.is_set()
                self._other_left.notify_all()

    def suspects(self, kernel: Kernel) -> bool:
        """Whether its guests are to be tried one by one, or wait until it is known how one is to be taken."""
        with self._lock:
            return bool(self._unjudged[kernel]) or self._suspected(kernel) is not None

    def add(self, kernel: Kernel, result: CellResult, base: CellResult | None) -> None:
        """Takes note of a guest's end. What ends base's own guest as well (`base`) is not this kernel's death."""
        how = death(result)
        if how is None:
            if result.end:
                with self._lock:
                    self._counts.pop(kernel, None)
            return
        if base is not None and death(base) is not None:
            return
        with self._lock:
            if self._suspected(kernel) == how:
                self._dead[kernel] = how
            self._counts.setdefault(kernel, Counter())[how] += 1

    def _suspected(self, kernel: Kernel) -> Death | None:
        counts = self._counts.get(kernel, Counter())
        return next((how for how, count in counts.items() if count >= ENOUGH), None)

    def _reason(self, kernel: Kernel) -> str:
        with self._lock:
            how = self._dead.get(kernel)
        if how is None:
            return ""
        end, title, place = how
        what = f"{title or end}{f' at {place}' if place else ''}"
        return f"not booted: {ENOUGH + 1} guests of this kernel had ended the same way before ({what})"
