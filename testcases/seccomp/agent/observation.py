# SPDX-License-Identifier: GPL-2.0-or-later
"""What the agent saw: its stream of records (`agent/stream.h`), as far as it got."""

import os
import signal
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from testcases.seccomp.bpf.instruction import BYTE_ORDERS, ByteOrder

VERSION = 1
TOTAL_BITS = 8
_UNNAMED = 200
"""No errno from here on has a name (include/uapi/asm-generic/errno.h)."""


class Record(IntEnum):
    HELLO = 1
    NATURAL = 2
    BEGIN = 3
    ATTACH = 4
    CACHE = 5
    RUNS = 6
    CALL = 7
    DONE = 8
    END = 9
    BETWEEN = 10


class AnswerKind(IntEnum):
    """What came of a call; `value` is in brackets."""

    NOTHING = 0
    """not made"""
    SAME = 1
    """returned what it returns without a filter"""
    RETURNED = 2
    """returned (the value)"""
    TRAPPED = 3
    """SIGSYS (si_errno) that names this call"""
    TRAPPED_ODDLY = 4
    """SIGSYS that names another (si_syscall), another arch or address"""
    SIGNALLED = 5
    """another signal (which) reached the task"""
    KILLED = 6
    """ended the task by a signal (which)"""
    EXITED = 7
    """ended the task (status)"""
    BLOCKED = 8
    """had not come back in time"""
    LEFT_OUT = 9
    """not made, since earlier ones ended every task that there was for it"""


class CallAnswer(NamedTuple):
    kind: AnswerKind
    value: int = 0

    def __str__(self) -> str:
        if self.kind is AnswerKind.RETURNED:
            return f"gave {errno_text(-self.value)}" if self.value < 0 else f"returned {self.value}"
        if self.kind is AnswerKind.KILLED:
            return f"was killed by {_signal(self.value)}"
        return _WORDS[self.kind].format(self.value)


_WORDS = {
    AnswerKind.NOTHING: "was not made",
    AnswerKind.SAME: "returned what it returns without a filter",
    AnswerKind.TRAPPED: "raised SIGSYS with errno {}",
    AnswerKind.TRAPPED_ODDLY: "raised SIGSYS with wrong fields (si_syscall {})",
    AnswerKind.SIGNALLED: "raised signal {}",
    AnswerKind.EXITED: "ended the task with status {}",
    AnswerKind.BLOCKED: "had not come back in time",
    AnswerKind.LEFT_OUT: "was left out",
}


def errno_text(number: int) -> str:
    """`errno 13 (Permission denied)`."""
    return f"errno {number} ({os.strerror(number)})" if number < _UNNAMED else f"errno {number}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@lru_cache(maxsize=4096)
def _answer(kind: int, value: int) -> CallAnswer:
    """The few answers that a stream has come a hundred thousand times. Raises ValueError for no kind."""
    return CallAnswer(AnswerKind(kind), value)


class AnswerRun(NamedTuple):
    """So many numbers of a table, one behind the other, that all got this answer."""

    length: int
    answer: CallAnswer


@dataclass(frozen=True, slots=True)
class CacheSection:
    """One architecture of `/proc/PID/seccomp_cache`: its name there, how many numbers it lists, and those that are
    ALLOW."""

    name: str
    size: int
    allowed: frozenset[int]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The file after an attempt to attach a filter; `error` is the errno of reading it, EBADMSG for a line that is not
    of its format."""

    error: int
    blocks: tuple[CacheSection, ...]


@dataclass(frozen=True, slots=True)
class AttachAttempt:
    """To attach one filter: what came of the call, and the address of the `sock_fprog` that it was given."""

    answer: CallAnswer
    address: int

    @property
    def ended(self) -> bool:
        """Whether it ended the task, or one thread of it for which the others wait."""
        return self.answer.kind in (AnswerKind.KILLED, AnswerKind.BLOCKED)


@dataclass(slots=True)
class Seen:
    """One trial. `runs` holds answers for all numbers of a table; `done` is False where the guest ended before."""

    attempts: list[AttachAttempt] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    runs: dict[int, list[AnswerRun]] = field(default_factory=dict)
    singles: dict[int, CallAnswer] = field(default_factory=dict)
    between: dict[int, list[CallAnswer]] = field(default_factory=dict)
    done: bool = False
    calls: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Observation:
    """A whole stream. `addresses` are the instruction pointers that filters see, by door; `natural` the answers of
    each table without a filter; `trials` by index, those that began; `problem` says what is wrong with the stream."""

    addresses: tuple[int, ...] = ()
    natural: dict[int, list[CallAnswer]] = field(default_factory=dict)
    trials: dict[int, Seen] = field(default_factory=dict)
    complete: bool = False
    problem: str = ""

    @property
    def broken_off(self) -> int | None:
        """The trial that had begun when the stream ended without its end."""
        return next((index for index, seen in reversed(self.trials.items()) if not seen.done), None)


def observe(stream: bytes, order: ByteOrder = "little") -> Observation:
    """Reads as much as there is, written by a guest of this byte order; a stream that ends in the middle of a record
    has lost that record only."""
    reader = _Reader(order)
    try:
        for record, payload in reader.records(stream):
            reader.take(record, payload)
    except (ValueError, struct.error, KeyError) as error:
        reader.found.problem = f"the agent's stream is damaged: {error}"
    return reader.found


class _Reader:
    """A stream in one byte order, and what was found in it so far."""

    def __init__(self, order: ByteOrder) -> None:
        self.found = Observation()
        mark = BYTE_ORDERS[order]
        self._word, self._long = struct.Struct(f"{mark}I"), struct.Struct(f"{mark}Q")
        self._header, self._answers = struct.Struct(f"{mark}II"), struct.Struct(f"{mark}Ii")
        self._run, self._hello = struct.Struct(f"{mark}IIi"), struct.Struct(f"{mark}IQQ")
        self._done, self._snapshots = struct.Struct(f"{mark}IQ"), struct.Struct(f"{mark}III")
        self._block = struct.Struct(f"{mark}16sI")

    def records(self, stream: bytes) -> Iterator[tuple[Record, bytes]]:
        at = 0
        while at + self._header.size <= len(stream):
            kind, size = self._header.unpack_from(stream, at)
            at += self._header.size
            if at + size > len(stream):
                return
            yield Record(kind), stream[at : at + size]
            at += size

    def take(self, record: Record, payload: bytes) -> None:
        found = self.found
        if record is Record.HELLO:
            version, *addresses = self._hello.unpack(payload)
            if version != VERSION:
                raise ValueError(f"version {version} instead of {VERSION}")
            found.addresses = tuple(addresses)
            return
        if record is Record.END:
            found.complete = True
            return
        (index,) = self._word.unpack_from(payload)
        rest = payload[4:]
        if record is Record.NATURAL:
            found.natural[index] = [run.answer for run in self._runs(rest) for _ in range(run.length)]
        elif record is Record.BEGIN:
            found.trials[index] = Seen()
        else:
            self._take_seen(found.trials[index], record, rest)

    def _take_seen(self, seen: Seen, record: Record, payload: bytes) -> None:
        (index,) = self._word.unpack_from(payload)
        if record is Record.ATTACH:
            seen.attempts.append(AttachAttempt(self._answer(payload, 4), *self._long.unpack_from(payload, 12)))
        elif record is Record.CACHE:
            seen.snapshots.append(self._snapshot(payload))
        elif record is Record.RUNS:
            seen.runs[index] = self._runs(payload[4:])
        elif record is Record.CALL:
            seen.singles[index] = self._answer(payload, 4)
        elif record is Record.BETWEEN:
            answers = self._answers.iter_unpack(payload[4:])
            seen.between[index] = [_answer(kind, value) for kind, value in answers]
        elif record is Record.DONE:
            seen.calls, nanoseconds = self._done.unpack(payload)
            seen.done, seen.seconds = True, nanoseconds / 1e9

    def _answer(self, data: bytes, at: int) -> CallAnswer:
        kind, value = self._answers.unpack_from(data, at)
        return _answer(kind, value)

    def _runs(self, data: bytes) -> list[AnswerRun]:
        runs = self._run.iter_unpack(data)
        return [AnswerRun(length, _answer(kind, value)) for length, kind, value in runs]

    def _snapshot(self, data: bytes) -> Snapshot:
        _filter, error, count = self._snapshots.unpack_from(data)
        at, blocks = self._snapshots.size, []
        for _ in range(count):
            name, size = self._block.unpack_from(data, at)
            at += self._block.size
            bits = int.from_bytes(data[at : at + (size + 7) // TOTAL_BITS], "little")  # bit 0 of byte 0 is number 0
            at += (size + 7) // TOTAL_BITS
            allowed = frozenset(number for number, bit in enumerate(reversed(f"{bits:b}"[-size:])) if bit == "1")
            blocks.append(CacheSection(name.rstrip(b"\0").decode("ascii", "replace"), size, allowed))
        return Snapshot(error, tuple(blocks))
