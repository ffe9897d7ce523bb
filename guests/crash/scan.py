# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the kernel's reports about itself in a console log. Text in, faults out.

The title of a fault is the same in every boot and every build.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from guests.crash.frames import UNKNOWN, Place, function_of, places_in, without_clone
from guests.crash.log import Log, LogLine
from guests.crash.outcome import FLOOD, Fault
from guests.crash.splats import LOOKED_AT, Role, SplatKind, SplatTable

MOST = 5000
"""Reports that are read from one log. A kernel that says more says nothing new, and its log is not read to the end."""
_LANDMARK_TEXT = "rig: step "
_LANDMARK = re.compile(r"^rig: step (\d{1,6}): ")
_TRACE = re.compile(r"^ *Call [Tt]race:")
_HEADER = 40
"""Lines of a register dump before a call trace that no report claims."""
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-f]{8,16}\b|\b(?:pid|PID|CPU|cpu)[:#= ]*\d+|#\d+|\[\d+\]")
_LINE = re.compile(r"\b([\w./-]{1,80}\.[chS]):\d+")
_SOMEBODY = re.compile(r"(?<!\S)[\w-]{1,64}(?:/\w{1,16})?(?::\w{1,16})?(?:[:/]\d{1,10}|\[\d{1,10}\])(?!\w)")
"""A process as the kernel names it: `comm/pid`, `comm:pid`, `comm[pid]`; a worker's comm is `kworker/u4:6`."""
_ANY_NUMBER = re.compile(r"\(?\b\d+(?:\.\d+)?m?s?\b\)?")
_PLACE = re.compile(r"(?<![\w.$])([\d.$]*+[A-Za-z_][\w.$]*+)\+0x[0-9a-f]+/0x[0-9a-f]+")
_FOLDERS = "arch block certs crypto drivers fs include init io_uring ipc kernel lib mm net rust security sound virt"
_TREE = re.compile(rf"^(?:\.{{0,2}}/)\S{{0,500}}?(?=(?:{'|'.join(_FOLDERS.split())})/)")
_PROCESS = re.compile(r"\bPID: (\d{1,10}) Comm: (.{1,64}?) (?:Kdump|Not tainted|Tainted|[GP]\b)")
_LONGEST = 160


@dataclass(frozen=True, slots=True)
class LogReport:
    """One report. `places` are `function+0x1/0x2` from the innermost outwards: first where it happened (False), then
    the return addresses on the stack (True). `taints` are the letters of the taint word that it explains."""

    fault: Fault
    places: tuple[Place, ...]
    offset: int
    taints: str = ""


@dataclass(frozen=True, slots=True)
class _Start:
    """The line in which a report opens."""

    index: int
    kind: SplatKind
    match: re.Match[str]


def split_lines(log: bytes) -> Log:
    """The lines of a console log, whatever bytes it holds."""
    return Log(log)


def scan(lines: Log, table: SplatTable, steps: Sequence[str], by_time: Callable[[int], str]) -> list[LogReport]:
    """The reports in a log, in order. `steps` are the names of the job's steps; `by_time` gives the step's name for an
    offset in the log, for as long as init's own landmarks (`rig: step 3: name`) do not."""
    reports: list[LogReport] = []
    step: str | None = None
    end = 0
    for index in lines.holding((*table.needed, _LANDMARK_TEXT)):
        if index < end and not _is_lost(lines[index], table):
            continue  # part of the report before
        line = lines[index]
        landmark = _LANDMARK.match(line.text)
        if landmark and int(landmark[1]) < len(steps):
            step = steps[int(landmark[1])]
        opened = table.start_of(line.text)
        if not opened:
            continue
        start, length, kept = _extent(lines, _Start(index, *opened), table, end)
        end = max(end, index + length)
        if start.kind.role is Role.HARMLESS:
            continue
        block = _without_empty_end(lines[start.index : start.index + kept])
        where = step if step is not None else by_time(line.offset)
        reports.append(_report(start, block, table, where))
        if len(reports) == MOST:
            return [*reports, _flood(line.offset, where)]
    return reports


def _is_lost(line: LogLine, table: SplatTable) -> bool:
    opened = table.start_of(line.text)
    return opened is not None and opened[0].role is Role.LOST


def _extent(lines: Log, start: _Start, table: SplatTable, free: int) -> tuple[_Start, int, int]:
    """Where a report really starts, the lines from `start.index` on that belong to it, and the lines of it to keep.

    `free` is the first line that no report before has claimed."""
    index = start.index
    if start.kind.role is Role.LOST and index < free:
        return start, 0, 1  # in the middle of another report, which goes on
    if start.kind.role is Role.TRACE:
        before = _header(lines, index, free, table)
        length = _length(lines, index, start.kind, table)
        return _Start(index - before, start.kind, start.match), length, min(before + length, start.kind.longest)
    owner = _owner(lines, start, table)
    length = owner.index - index + _length(lines, owner.index, owner.kind, table)
    return _Start(index, owner.kind, owner.match), length, min(length, owner.kind.longest)


def _owner(lines: Log, start: _Start, table: SplatTable) -> _Start:
    """From 6.19 on a warning's own text may stand behind its first line, and says of what kind it is."""
    if start.kind.name != "warn":
        return start
    for index in range(start.index + 1, min(start.index + 3, len(lines))):
        opened = table.start_of(lines[index].text)
        if opened and "warn" in opened[0].absorbs and opened[0].name != "warn":
            return _Start(index, *opened)
    return start


def _header(lines: Log, index: int, free: int, table: SplatTable) -> int:
    """The number of lines of a register dump directly before `index`."""
    count = 0
    while count < _HEADER and index - count > free:
        text = lines[index - count - 1].text
        if not text.strip() or not table.is_stack(text):
            break
        count += 1
    return count


def _length(lines: Log, start: int, kind: SplatKind, table: SplatTable) -> int:
    """The number of lines of the report that starts at `start`."""
    left = len(lines) - start
    traced = bool(_TRACE.match(lines[start].text))
    talk, untraced = 0, 0
    blank = table.is_stack("")
    for count in range(1, left):
        if blank and lines.empty(start + count):
            continue
        text = lines[start + count].text[:LOOKED_AT]
        if _LANDMARK.match(text) or _interrupts(text, kind, table):
            break
        if kind.end.search(text):
            return count + 1
        traced = traced or bool(_TRACE.match(text))
        if table.is_stack(text):
            continue
        if traced and (not kind.own_end or count >= kind.longest):
            return count
        talk += 1
        if talk == table.untraced and not traced:
            untraced = count
            if not kind.patient:
                break
    else:
        count = left
    return untraced if untraced and not traced else count


def _interrupts(text: str, kind: SplatKind, table: SplatTable) -> bool:
    """Whether the line opens another report, which is no part of this one."""
    opened = table.start_of(text)
    if opened is None:
        return False
    other = opened[0]
    return other.name not in kind.absorbs and other.role not in (Role.TRACE, Role.LOST)


def _without_empty_end(block: Sequence[LogLine]) -> Sequence[LogLine]:
    length = len(block)
    while length > 1 and not block[length - 1].text.strip():
        length -= 1
    return block[:length]


def _report(start: _Start, block: Sequence[LogLine], table: SplatTable, step: str) -> LogReport:
    kind = start.kind
    texts = [line.text for line in block]
    places = places_in(texts)
    groups = {name: stable(name, text, texts) for name, text in start.match.groupdict(default="").items()}
    frame = function_of(_named(start, texts), places, table.skip)
    title = kind.title.format(**groups, frame=frame).removesuffix(f" in {UNKNOWN}").strip()
    fault = Fault(
        kind=kind.name,
        title=" ".join(title.split()),
        lines=tuple(line.raw for line in block),
        fatal=kind.fatal,
        step=step,
    )
    return LogReport(fault, places, block[0].offset, kind.taints)


def _named(start: _Start, texts: Sequence[str]) -> list[str]:
    """The functions that the report names outside of its call trace."""
    groups = start.match.groupdict()
    named = [groups[name] for name in ("func", "func2") if groups.get(name)]
    if start.kind.where:
        found = (start.kind.where.search(text[:LOOKED_AT]) for text in texts)
        named += [match["func"] for match in found if match][:1]
    return named


def _flood(offset: int, step: str) -> LogReport:
    title = f"more than {MOST} reports: the kernel's log was not read to its end"
    return LogReport(Fault(kind=FLOOD, title=title, lines=(), step=step), (), offset)


def stable(name: str, text: str, report: Iterable[str]) -> str:
    """What a named group of a kind's `start` gives to the title, without what differs from boot to boot, or from one
    build folder to the next. From the group `text`, of which nobody knows what it holds, more is taken away."""
    text = _PLACE.sub(r"\1", text[:_LONGEST])
    if name == "text":
        text = _anonymous(text, report)
    return without_clone(_NUMBERS.sub("", _TREE.sub("", text))).strip(" :,")


def _anonymous(text: str, report: Iterable[str]) -> str:
    """Without numbers and without the process that was running."""
    process = next((match for line in report if (match := _PROCESS.search(line[:300]))), None)
    if process:
        text = re.sub(rf"(?<!\w){re.escape(process[2])}(?:[/:]{process[1]})?(?!\w)", "", text)
    text = _SOMEBODY.sub("", _LINE.sub(r"\1", text))
    return _ANY_NUMBER.sub("", _NUMBERS.sub("", text))
