# SPDX-License-Identifier: GPL-2.0-or-later
"""What the agent is to do: stacks of filters, and the calls to make under each. The agent's `batch.c` reads the file.

All numbers are u32 in the byte order of the guest unless said otherwise; a list is its length and its elements:

    0x42534752, which tells the byte order
    list of tables   { door  alone  6 x u64 args  list of { first count } }
    list of trials   { way  list of filters { length  length x 8 bytes }
                       list of works { table  list of skipped { first count } }
                       list of singles { door  nr  last  6 x u64 args }
                       list of betweens { filter  table  list of numbers } }
    the kernel's version and the names of the trials, UTF-8, each ended by a newline (the agent does not read them)
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TypeVar

from testcases.seccomp.bpf.instruction import BYTE_ORDERS, ByteOrder, Program, Stack, from_raw, to_raw
from testcases.seccomp.bpf.seccomp_data import ABIS

MAGIC = 0x42534752
PATH = "seccomp/batch"
"""Where the file stands in the image."""
MAX_FILTERS = 256
MAX_LENGTH = 0xFFFF
_T = TypeVar("_T")

Range = tuple[int, int]
"""First number and how many."""
Args = tuple[int, int, int, int, int, int]


class Door(IntEnum):
    """How a call enters the kernel: by the ABI's own instruction, or by that of its `second_entry`."""

    NATIVE = 0
    SECOND = 1

    def abi(self, own: str) -> str:
        """Whose call it is that a program of the ABI `own` makes so."""
        return ABIS[own].second_entry if self is Door.SECOND else own


class Way(IntEnum):
    """Who makes the calls: the task that attached; another of its threads (TSYNC); a child that it forked then; or a
    tracer, which turns the getppid of the task that attached into them once the filters returned TRACE for it."""

    PLAIN = 0
    THREAD = 1
    FORK = 2
    TRACER = 3


@dataclass(frozen=True, slots=True)
class CallTable:
    """Numbers that are called with the same arguments, in bulk or each `alone`, in a task of its own. The ranges
    ascend."""

    door: Door
    args: Args
    ranges: tuple[Range, ...]
    alone: bool = False

    @property
    def numbers(self) -> list[int]:
        return [number for first, count in self.ranges for number in range(first, first + count)]


@dataclass(frozen=True, slots=True)
class Work:
    """One table under a stack. `skip` are the numbers that are not called: left out of the sample, or such that would
    end the task, each time with a new one for the rest."""

    table: int
    skip: tuple[Range, ...] = ()

    @property
    def skipped(self) -> frozenset[int]:
        return frozenset(number for first, count in self.skip for number in range(first, first + count))


@dataclass(frozen=True, slots=True)
class Single:
    """One call, in a task of its own, or as the `last` of the task that makes those in bulk. What it comes to without a
    filter is not asked."""

    door: Door
    nr: int
    args: Args
    last: bool = False


@dataclass(frozen=True, slots=True)
class CallsBetween:
    """Numbers of a table that are called once the filter of this index is there and the next one is not: what such a
    call leaves behind must not outlive the next filter."""

    filter: int
    table: int
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """A named stack and what to do under it."""

    name: str
    stack: Stack
    works: tuple[Work, ...]
    singles: tuple[Single, ...] = ()
    way: Way = Way.PLAIN
    between: tuple[CallsBetween, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """`kernel` is the version (`6.12`) whose facts hold for the kernel under test."""

    tables: tuple[CallTable, ...]
    trials: tuple[Trial, ...]
    kernel: str = ""


def joined(one: Batch, other: Batch) -> Batch:
    """All trials of both, those of `one` first."""
    shift = len(one.tables)
    moved = (
        replace(
            trial,
            works=tuple(replace(work, table=work.table + shift) for work in trial.works),
            between=tuple(replace(made, table=made.table + shift) for made in trial.between),
        )
        for trial in other.trials
    )
    return Batch((*one.tables, *other.tables), (*one.trials, *moved), one.kernel)


def encode(batch: Batch, order: ByteOrder = "little") -> bytes:
    """The file of `batch` for a guest of this byte order. Raises ValueError for what the agent cannot hold."""
    names = (trial.name for trial in batch.trials)
    writer = _Writer(order)
    parts = [writer.words(MAGIC), writer.list(batch.tables, writer.table), writer.list(batch.trials, writer.trial)]
    return b"".join(parts) + "".join(f"{line}\n" for line in (batch.kernel, *names)).encode()


@dataclass(frozen=True, slots=True)
class _Writer:
    """The parts of a file in one byte order."""

    order: ByteOrder

    def words(self, *numbers: int) -> bytes:
        return struct.pack(f"{BYTE_ORDERS[self.order]}{len(numbers)}I", *numbers)

    def args(self, args: Args) -> bytes:
        return struct.pack(f"{BYTE_ORDERS[self.order]}6Q", *args)

    def list(self, items: Sequence[_T], encoded: Callable[[_T], bytes]) -> bytes:
        return self.words(len(items)) + b"".join(encoded(item) for item in items)

    def range(self, item: Range) -> bytes:
        return self.words(*item)

    def table(self, table: CallTable) -> bytes:
        return self.words(table.door, table.alone) + self.args(table.args) + self.list(table.ranges, self.range)

    def single(self, call: Single) -> bytes:
        return self.words(call.door, call.nr, call.last) + self.args(call.args)

    def between(self, made: CallsBetween) -> bytes:
        return self.words(made.filter, made.table) + self.list(made.numbers, self.words)

    def trial(self, trial: Trial) -> bytes:
        if len(trial.stack) > MAX_FILTERS or any(len(program) > MAX_LENGTH for program in trial.stack):
            raise ValueError(f"{trial.name}: at most {MAX_FILTERS} filters of at most {MAX_LENGTH} instructions")
        return b"".join(
            (
                self.words(trial.way),
                self.list(trial.stack, lambda program: self.words(len(program)) + to_raw(program, self.order)),
                self.list(trial.works, lambda work: self.words(work.table) + self.list(work.skip, self.range)),
                self.list(trial.singles, self.single),
                self.list(trial.between, self.between),
            )
        )


class _Reader:
    """The file from the front to the end, in the byte order that its first word shows."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 4
        orders: tuple[ByteOrder, ...] = ("little", "big")
        found = [order for order in orders if int.from_bytes(data[:4], order) == MAGIC]
        if len(data) < 4 or not found:
            raise ValueError("not a batch")
        self.order: ByteOrder = found[0]

    def take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) != size:
            raise ValueError("the batch is cut off")
        self._at += size
        return part

    def word(self) -> int:
        return int.from_bytes(self.take(4), self.order)

    def args(self) -> Args:
        return as_args(struct.unpack(f"{BYTE_ORDERS[self.order]}6Q", self.take(48)))

    def list(self, read: Callable[[], _T]) -> tuple[_T, ...]:
        return tuple(read() for _ in range(self.word()))

    def range(self) -> Range:
        return self.word(), self.word()

    def table(self) -> CallTable:
        door, alone = Door(self.word()), bool(self.word())
        return CallTable(door, self.args(), self.list(self.range), alone)

    def program(self) -> Program:
        data = self.take(8 * self.word())
        return from_raw(data, self.order) if data else ()

    def single(self) -> Single:
        door, nr, last = Door(self.word()), self.word(), bool(self.word())
        return Single(door, nr, self.args(), last)

    def trial(self) -> Trial:
        way = Way(self.word())
        stack = self.list(self.program)
        works = self.list(lambda: Work(self.word(), self.list(self.range)))
        singles = self.list(self.single)
        between = self.list(lambda: CallsBetween(self.word(), self.word(), self.list(self.word)))
        return Trial("", stack, works, singles, way, between)

    def rest(self) -> bytes:
        return self._data[self._at :]


def decode(data: bytes) -> Batch:
    """The batch of a file. Raises ValueError if it is none."""
    reader = _Reader(data)
    tables, trials = reader.list(reader.table), reader.list(reader.trial)
    kernel, *names = reader.rest().decode().splitlines()
    named = (replace(trial, name=name) for name, trial in zip(names, trials, strict=True))
    return Batch(tables, tuple(named), kernel)


def order_of_batch(data: bytes) -> ByteOrder:
    """The byte order of the guest that a file is for. Raises ValueError if it is none."""
    return _Reader(data).order


def as_args(values: Iterable[int]) -> Args:
    """Six of them. Raises ValueError for more or fewer."""
    one, two, three, four, five, six = values
    return one, two, three, four, five, six


def as_ranges(numbers: Iterable[int]) -> tuple[Range, ...]:
    """Sorted, and neighbours together."""
    found: list[Range] = []
    for number in sorted(set(numbers)):
        if found and sum(found[-1]) == number:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((number, 1))
    return tuple(found)
