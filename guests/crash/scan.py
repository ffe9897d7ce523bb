# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the kernel's reports about itself in a console log. Text in, faults out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from guests.crash.outcome import Fault
from guests.crash.splats import SplatKind, SplatTable

_STAMP = re.compile(r"^(?:<\d+>)?(?:\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?)?")
_LANDMARK = re.compile(r"^rig: step (\d+): ")
_PLACE = r"(?P<place>[A-Za-z_][\w.]*\+0x[0-9a-f]+/0x[0-9a-f]+)"
_FRAME = re.compile(rf"^ *(?P<maybe>\? )?{_PLACE}(?: \[\w+\])?(?: \(.*\))? *$")
_COUNTER = re.compile(rf"^(?:RIP: [0-9a-f]{{4}}:|pc : ){_PLACE}")
_TRACE = re.compile(r"^ *Call [Tt]race:")
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{8,16}\b|\b(?:pid|PID|CPU|cpu)[:#= ]*\d+|#\d+|\[\d+\]")
_FOLDERS = "arch block certs crypto drivers fs include init io_uring ipc kernel lib mm net rust security sound virt"
_TREE = re.compile(rf"^(?:\.{{0,2}}/)\S*?(?=(?:{'|'.join(_FOLDERS.split())})/)")
_CLONE = re.compile(r"\.(?:isra|constprop|part|cold|llvm)(?:\.\d+)?\b")


UNKNOWN = "unknown function"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log: `text` without time stamp and line end, `raw` as printed, `offset` in bytes."""

    text: str
    raw: str
    offset: int


@dataclass(frozen=True, slots=True)
class LogReport:
    """One report. `places` are `function+0x1/0x2` from the innermost outwards: first where it happened (False), then
    the return addresses on the stack (True)."""

    fault: Fault
    places: tuple[tuple[str, bool], ...]
    offset: int


def split_lines(log: bytes) -> list[LogLine]:
    """The lines of a console log, whatever bytes it holds."""
    lines, offset = [], 0
    for piece in log.split(b"\n"):
        raw = piece.decode("utf-8", "replace").strip("\r")
        lines.append(LogLine(_STAMP.sub("", raw), raw, offset))
        offset += len(piece) + 1
    return lines


def scan(
    lines: Sequence[LogLine], table: SplatTable, steps: Sequence[str], by_time: Callable[[int], str]
) -> list[LogReport]:
    """The reports in a log, in order. `steps` are the names of the job's steps; `by_time` gives the step's name for an
    offset in the log, for as long as init's own landmarks (`rig: step 3: name`) do not."""
    reports: list[LogReport] = []
    step: str | None = None
    index = 0
    while index < len(lines):
        line = lines[index]
        landmark = _LANDMARK.match(line.text)
        if landmark and int(landmark[1]) < len(steps):
            step = steps[int(landmark[1])]
        started = table.start_of(line.text)
        if not started:
            index += 1
            continue
        kind, match = started
        length = _length(lines, index, kind, table)
        block = _without_empty_end(lines[index : index + length])
        where = step if step is not None else by_time(line.offset)
        reports.append(_report(kind, match, block, table, where))
        index += length
    return reports


def _length(lines: Sequence[LogLine], start: int, kind: SplatKind, table: SplatTable) -> int:
    """The number of lines of the report that starts at `start`."""
    limit = min(table.longest, len(lines) - start)
    traced = False
    for count in range(1, limit):
        text = lines[start + count].text
        other = table.start_of(text)
        if _LANDMARK.match(text) or (other and other[0].name not in kind.absorbs):
            return count
        if kind.end.search(text):
            return count + 1
        if traced and not kind.own_end and not table.stack.match(text):
            return count
        traced = traced or bool(_TRACE.match(text))
    return limit if traced else min(limit, table.untraced)


def _without_empty_end(block: Sequence[LogLine]) -> Sequence[LogLine]:
    length = len(block)
    while length > 1 and not block[length - 1].text.strip():
        length -= 1
    return block[:length]


def _report(kind: SplatKind, match: re.Match[str], block: Sequence[LogLine], table: SplatTable, step: str) -> LogReport:
    places = _places([line.text for line in block])
    groups = {name: _stable(text) for name, text in match.groupdict(default="").items()}
    title = kind.title.format(**groups, frame=_frame(places, table)).removesuffix(f" in {UNKNOWN}").strip()
    fault = Fault(
        kind=kind.name,
        title=" ".join(title.split()),
        lines=tuple(line.raw for line in block),
        fatal=kind.fatal,
        step=step,
    )
    return LogReport(fault, places, block[0].offset)


def _places(texts: Sequence[str]) -> tuple[tuple[str, bool], ...]:
    """Where it happened, then the frames of the first trace that are no mere guesses of the unwinder (`? func`)."""
    found: list[tuple[str, bool]] = []
    in_trace = traced = False
    for text in texts:
        counter = _COUNTER.match(text)
        if counter and not any(not is_return for _place, is_return in found):
            found.insert(0, (counter["place"], False))
        if _TRACE.match(text):
            in_trace, traced = not traced, True  # the first only
        frame = _FRAME.match(text)
        if in_trace and frame and not frame["maybe"]:
            found.append((frame["place"], True))
    return tuple(found)


def _frame(places: Sequence[tuple[str, bool]], table: SplatTable) -> str:
    """The innermost function that is not one of those that only report."""
    names = [_CLONE.sub("", place.partition("+")[0]) for place, _is_return in places]
    return next((name for name in names if not table.skip.match(name)), names[0] if names else UNKNOWN)


def _stable(text: str) -> str:
    """Without what differs from boot to boot, or from one build folder to the next."""
    return _CLONE.sub("", _NUMBERS.sub("", _TREE.sub("", text))).strip(" :,")
