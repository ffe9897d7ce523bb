# SPDX-License-Identifier: GPL-2.0-or-later
"""What a stack does with a number, whatever the arguments and the instruction pointer are: exact, with witnesses.

Sets answer where they suffice (`outline`, `boxes`), z3 elsewhere (`symbolic`). Over a whole ABI, numbers that behave
alike are asked about once.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from testcases.seccomp.bpf.actions import CallFate, fate_of
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import ByteOrder, Stack
from testcases.seccomp.bpf.interpret import combine, decide
from testcases.seccomp.bpf.seccomp_data import ACTION_FULL, ARCH, IP, NR, RET_ALLOW, SIZE, high_half
from testcases.seccomp.prove import box_domain as boxes
from testcases.seccomp.prove.box_domain import Beyond, Box, EntryPoint, Known
from testcases.seccomp.prove.number_classes import alike
from testcases.seccomp.prove.number_flow import Outline, outline
from testcases.seccomp.prove.u32set import NumberSet, joined
from util.errors import MachineError
from util.stop import Deadline

Method = Literal["sets", "z3"]

_SHARE = 1 / 8
"""Of many questions, one may take this part of the time, so that those behind it are asked too."""
_ONE_SOLVER = threading.Lock()
"""Suites are prepared and read in several threads, and z3 is corrupted by two at once (a rig died of it). Nothing of z3
is left when the lock is."""


class CallPermission(StrEnum):
    """Whether the call is made: the decision's action is ALLOW, with or without data, or LOG."""

    ALWAYS_ALLOW = "always allow"
    ALWAYS_LOG = "always allow, and log"
    """Made whatever the arguments are, but with a line in the log for all or some of them: no cache may answer."""
    NEVER_ALLOW = "never allow"
    DEPENDS = "depends"
    UNKNOWN = "not known"
    """The time was over."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A call, and what the stack returns for it."""

    call: Call
    value: int

    @property
    def allowed(self) -> bool:
        """Whether it is made without a line in the log."""
        return self.value & ACTION_FULL == RET_ALLOW


@dataclass(frozen=True, slots=True)
class Classification:
    """`witnesses`: at least one for each return value that is possible, up to 16 of these, and always one for allowed,
    logged and denied where these are possible. `method` says what found it. Not `complete`: the time was over before it
    was known whether there are further values; the answer holds nevertheless, unless it is UNKNOWN."""

    answer: CallPermission
    witnesses: tuple[Witness, ...]
    method: Method
    complete: bool = True

    def about(self, number: int) -> "Classification":
        """The same for another number that behaves alike."""
        moved = tuple(
            Witness(Call(number, witness.call.arch, witness.call.ip, witness.call.args), witness.value)
            for witness in self.witnesses
        )
        return Classification(self.answer, moved, self.method, self.complete)


def narrow(order: ByteOrder) -> Known:
    """The upper halves of the arguments and of the instruction pointer, zero: what the calls of a 32-bit program have.
    (A 64-bit program that calls through `int 0x80` can have others.)"""
    return dict.fromkeys(range(high_half(IP, order), SIZE, 8), 0)


class Oracle:
    """Answers for one stack of valid filters; remembers what it worked out.

    `known` confines the calls to those with these words, by their offset: `narrow`, or a fixed instruction pointer.
    """

    def __init__(self, stack: Stack, known: Known = MappingProxyType({}), until: Deadline | None = None) -> None:
        self._known = known
        self._until = until
        # The newest filter comes first in all that follows. One that repeats a newer one never decides anything.
        self._filters = tuple(dict.fromkeys(reversed(stack)))
        self._outlines: dict[int, tuple[Outline, ...]] = {}

    def prove(self, nr: int, arch: int, share: float = 1) -> Classification:
        """The answer for one number (u32) under one audit arch. Without a deadline, raises MachineError if z3 gives up;
        with one, the answer is then UNKNOWN; `share` is how much of the deadline's whole time z3 may take."""
        starts = self._starts(nr, arch)
        known = {**self._known, NR: nr, ARCH: arch}
        try:
            return proof(boxes.outcomes(starts, known), "sets")
        except Beyond:
            with _ONE_SOLVER:
                return self._by_z3(starts, known, share)

    def _by_z3(self, starts: list[EntryPoint | int], known: Known, share: float) -> Classification:
        from testcases.seccomp.prove import symbolic  # z3 takes a third of a second to load

        if self._until is None:
            found = symbolic.outcomes(starts, known)
        else:
            seconds = min(self._until.left(), self._until.seconds * share)
            found = symbolic.outcomes(starts, known, int(1000 * max(0, seconds)))
        whole = proof(found.calls, "z3", found.complete)
        if found.decided or whole.answer is CallPermission.DEPENDS:
            return whole
        if self._until is None:
            raise MachineError("z3 gives up on this filter: its time is over")
        return Classification(CallPermission.UNKNOWN, whole.witnesses, "z3", complete=False)

    def regions(self, nr: int, arch: int) -> dict[int, set[Box]] | None:
        """For each return value the calls that get it, as disjoint boxes that cover every call; None where boxes do not
        suffice."""
        try:
            return boxes.regions(self._starts(nr, arch), {**self._known, NR: nr, ARCH: arch})
        except Beyond:
            return None

    def classes(
        self, arch: int, among: NumberSet, tell: Callable[[int, int], None] = lambda _done, _all: None
    ) -> tuple[tuple[NumberSet, Classification], ...]:
        """The numbers of `among` in classes that behave alike, each with the proof for its smallest number.

        `among` may be large, but where arithmetic on the number itself decides, each number is asked about alone.
        `tell` is called before each proof.
        """
        parts: list[NumberSet] = [among]
        for program, outlined in zip(self._filters, self._outline(arch), strict=True):
            classes = tuple(alike(program, outlined, arch, among))
            parts = [both for part in parts for one in classes if (both := part & one)]
        by_start: dict[tuple[str, int], list[NumberSet]] = {}
        for part in parts:
            starts = self._starts(part.first, arch)
            constants = [start for start in starts if isinstance(start, int)]
            decided = len(constants) == len(starts)
            key = ("value", combine(constants)) if decided else ("part", len(by_start))
            by_start.setdefault(key, []).append(part)
        wholes = [joined(block for part in same for block in part.blocks) for same in by_start.values()]
        found = []
        for done, whole in enumerate(wholes):
            tell(done, len(wholes))
            found.append((whole, self._within_time(whole.first, arch)))
        return tuple(found)

    def _within_time(self, nr: int, arch: int) -> Classification:
        """The answer, or UNKNOWN without a try if the time is over."""
        if self._until is not None and self._until.left() <= 0:
            return Classification(CallPermission.UNKNOWN, (), "z3", complete=False)
        return self.prove(nr, arch, _SHARE)

    def always_allowed(self, arch: int, among: NumberSet) -> NumberSet:
        """The numbers of `among` that are allowed whatever the arguments are."""
        result = NumberSet()
        for part, found in self.classes(arch, among):
            if found.answer is CallPermission.ALWAYS_ALLOW:
                result |= part
        return result

    def _outline(self, arch: int) -> tuple[Outline, ...]:
        if arch not in self._outlines:
            self._outlines[arch] = tuple(outline(program, arch) for program in self._filters)
        return self._outlines[arch]

    def _starts(self, nr: int, arch: int) -> list[EntryPoint | int]:
        """Each filter, the newest first: its value, or where it gets to before the first argument is read."""
        found: list[EntryPoint | int] = []
        for program, outlined in zip(self._filters, self._outline(arch), strict=True):
            ending = outlined.at(nr)
            found.append(EntryPoint(program, ending.index, ending.a(nr)) if ending.value is None else ending.value)
        return found


def proof(outcomes: dict[int, list[Call]], method: Method, complete: bool = True) -> Classification:
    """What follows from all values that are possible."""
    witnesses = tuple(Witness(call, value) for value, calls in sorted(outcomes.items()) for call in calls)
    kinds = {fate_of(value) for value in outcomes}
    if CallFate.DENIED not in kinds:
        answer = CallPermission.ALWAYS_LOG if CallFate.LOGGED in kinds else CallPermission.ALWAYS_ALLOW
    else:
        answer = CallPermission.DEPENDS if len(kinds) > 1 else CallPermission.NEVER_ALLOW
    return Classification(answer, witnesses, method, complete)


def prove(stack: Stack, arch: int, nr: int) -> Classification:
    """One question, without anything remembered."""
    return Oracle(stack).prove(nr, arch)


def holds(stack: Stack, found: Classification) -> bool:
    """Whether interpreting every witness gives what it claims."""
    return all(decide(stack, witness.call) == witness.value for witness in found.witnesses)
