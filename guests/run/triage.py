# SPDX-License-Identifier: GPL-2.0-or-later
"""What the console of a finished guest says: its faults with decoded traces, its tail, where its processors stood."""

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from guests.crash.frames import Place
from guests.crash.log import LogLine
from guests.crash.outcome import NO_LOG, End, Fault
from guests.crash.scan import LogReport, scan, split_lines
from guests.crash.splats import default_table
from guests.crash.symbolise import Symboliser
from guests.run.drive import LOG, Driven
from guests.run.request import GuestRequest

TAIL = 40
"""Lines of the console that go into the outcome."""
TRACED = 50
"""Reports of one log whose call traces are decoded; who wants to see more has the console."""
_BANNER = "Linux version "
_TAINTS = {
    5: ("B", "found a damaged page or object"),
    7: ("D", "had an oops"),
    9: ("W", "warned"),
    14: ("L", "had a soft lockup"),
}
"""Bits of the kernel's taint word (include/linux/panic.h) that stand for a fault, and what they say."""


@dataclass(frozen=True, slots=True)
class Triage:
    """`tail` are lines as printed; `state` one line for each processor of a guest that hung; `notes` what the reader of
    the rest must know."""

    faults: tuple[Fault, ...]
    tail: tuple[str, ...]
    state: tuple[str, ...]
    notes: tuple[str, ...]


def triage(request: GuestRequest, driven: Driven) -> Triage:
    """Reads the console's log of a run that has ended."""
    lines = split_lines((request.folder / LOG).read_bytes())
    names = [step.name for step in request.job.steps]
    when = _ByTime(driven, names)
    reports = scan(lines, default_table(), names, when)
    counters = driven.inspection.counters
    faults, state, notes = _decoded(request, reports, counters) if reports or counters else ((), (), ())
    faults = (*faults, *_untold(driven.watch.taint, reports))
    if driven.end is End.FINISHED and not lines.holding((_BANNER,)):
        faults = (*faults, _unscanned())
    return Triage(
        faults=faults,
        tail=tail(lines),
        state=state,
        notes=notes,
    )


def _decoded(
    request: GuestRequest, reports: Sequence[LogReport], counters: Sequence[tuple[int, int]]
) -> tuple[tuple[Fault, ...], tuple[str, ...], tuple[str, ...]]:
    symboliser = Symboliser(request.vmlinux, request.arch)
    traces = {places: symboliser.places(places) for places in _first(report.places for report in reports)}
    faults = tuple(replace(report.fault, trace=traces.get(report.places, ())) for report in reports)
    state = tuple(f"CPU {cpu}: {symboliser.counter(address)}" for cpu, address in counters)
    return faults, state, (symboliser.problem,) if symboliser.problem else ()


def _first(places: Iterable[tuple[Place, ...]]) -> list[tuple[Place, ...]]:
    """The different traces, as many of them as are decoded."""
    return list(dict.fromkeys(places))[:TRACED]


def _untold(taint: int, reports: Iterable[LogReport]) -> tuple[Fault, ...]:
    """What the kernel knows of itself and did not print, or printed in a form that the table does not know."""
    told = {letter for report in reports for letter in report.taints}
    return tuple(
        Fault(
            kind="taint",
            title=f"the kernel {words} ({letter} in its taint word), and no report in its log says so",
            lines=(f"/proc/sys/kernel/tainted: {taint}",),
        )
        for bit, (letter, words) in _TAINTS.items()
        if taint >> bit & 1 and letter not in told
    )


def tail(lines: Sequence[LogLine]) -> tuple[str, ...]:
    """The last lines that are not empty."""
    found: list[str] = []
    for index in range(len(lines) - 1, -1, -1):
        line = lines[index]
        if line.text.strip():
            found.append(line.raw)
        if len(found) == TAIL:
            break
    return tuple(reversed(found))


def _unscanned() -> Fault:
    """A scan that had nothing to read must not look like a clean one (decision 4)."""
    title = "the kernel's log did not reach the console: nothing could be scanned for reports"
    return Fault(kind=NO_LOG, title=title, lines=())


class _ByTime:
    """The step that ran when a byte of the log arrived."""

    def __init__(self, driven: Driven, names: Sequence[str]) -> None:
        self._offsets = [offset for offset, _seconds in driven.arrivals]
        self._seconds = [seconds for _offset, seconds in driven.arrivals]
        self._starts = driven.starts
        self._names = names

    def __call__(self, offset: int) -> str:
        piece = bisect.bisect_right(self._offsets, offset) - 1
        if piece < 0:
            return ""
        begun = [step for seconds, step in self._starts if seconds <= self._seconds[piece]]
        return self._names[begun[-1]] if begun else ""
