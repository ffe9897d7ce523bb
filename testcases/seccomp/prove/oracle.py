# SPDX-License-Identifier: GPL-2.0-or-later
"""What a stack does with a number, whatever the arguments and the instruction pointer are: exact, with witnesses.

Sets answer where they suffice (`outline`, `boxes`), z3 elsewhere (`symbolic`). Over a whole ABI, numbers that behave
alike are asked about once.
"""

import threading
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.interpret import combine, decide
from testcases.seccomp.bpf.seccomp_data import ACTION_FULL, ARCH, IP, NR, RET_ALLOW, SIZE
from testcases.seccomp.prove import box_domain as boxes
from testcases.seccomp.prove.box_domain import Beyond, EntryPoint, Known
from testcases.seccomp.prove.number_classes import alike
from testcases.seccomp.prove.number_flow import Outline, outline
from testcases.seccomp.prove.u32set import NumberSet, joined

Method = Literal["sets", "z3"]

_ONE_SOLVER = threading.Lock()
"""Suites are prepared and read in several threads, and z3 is corrupted by two at once (a rig died of it). Nothing of z3
is left when the lock is."""


class Allowance(StrEnum):
    """Whether the call is allowed: the decision's action is ALLOW, with or without data."""

    ALWAYS_ALLOW = "always allow"
    NEVER_ALLOW = "never allow"
    DEPENDS = "depends"


@dataclass(frozen=True, slots=True)
class Witness:
    """A call, and what the stack returns for it."""

    call: Call
    value: int

    @property
    def allowed(self) -> bool:
        return self.value & ACTION_FULL == RET_ALLOW


@dataclass(frozen=True, slots=True)
class Classification:
    """`witnesses`: at least one for each return value that is possible, up to 16 of these, and always one for allowed
    and one for not allowed where both are possible. `method` says what found it."""

    answer: Allowance
    witnesses: tuple[Witness, ...]
    method: Method

    def about(self, number: int) -> "Classification":
        """The same for another number that behaves alike."""
        moved = tuple(
            Witness(Call(number, witness.call.arch, witness.call.ip, witness.call.args), witness.value)
            for witness in self.witnesses
        )
        return Classification(self.answer, moved, self.method)


NARROW = dict.fromkeys(range(IP + 4, SIZE, 8), 0)
"""The upper halves of the arguments and of the instruction pointer, zero: what the calls of a 32-bit program have.
(A 64-bit program that calls through `int 0x80` can have others.)"""


class Oracle:
    """Answers for one stack of valid filters; remembers what it worked out.

    `known` confines the calls to those with these words, by their offset: `NARROW`, or a fixed instruction pointer.
    """

    def __init__(self, stack: Stack, known: Known = MappingProxyType({})) -> None:
        self._known = known
        # The newest filter comes first in all that follows. One that repeats a newer one never decides anything.
        self._filters = tuple(dict.fromkeys(reversed(stack)))
        self._outlines: dict[int, tuple[Outline, ...]] = {}

    def prove(self, nr: int, arch: int) -> Classification:
        """The answer for one number (u32) under one audit arch. Raises MachineError if z3 gives up (never seen)."""
        starts = self._starts(nr, arch)
        known = {**self._known, NR: nr, ARCH: arch}
        try:
            return proof(boxes.outcomes(starts, known), "sets")
        except Beyond:
            with _ONE_SOLVER:
                from testcases.seccomp.prove import symbolic  # z3 takes a third of a second to load

                return proof(symbolic.outcomes(starts, known), "z3")

    def classes(self, arch: int, among: NumberSet) -> tuple[tuple[NumberSet, Classification], ...]:
        """The numbers of `among` in classes that behave alike, each with the proof for its smallest number.

        `among` may be large, but where arithmetic on the number itself decides, each number is asked about alone.
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
        return tuple(
            (whole, self.prove(whole.first, arch))
            for whole in (joined(block for part in same for block in part.blocks) for same in by_start.values())
        )

    def always_allowed(self, arch: int, among: NumberSet) -> NumberSet:
        """The numbers of `among` that are allowed whatever the arguments are."""
        result = NumberSet()
        for part, found in self.classes(arch, among):
            if found.answer is Allowance.ALWAYS_ALLOW:
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


def proof(outcomes: dict[int, list[Call]], method: Method) -> Classification:
    """What follows from all values that are possible."""
    witnesses = tuple(Witness(call, value) for value, calls in sorted(outcomes.items()) for call in calls)
    allowed = {witness.allowed for witness in witnesses}
    answer = (
        Allowance.DEPENDS
        if len(allowed) == 2
        else Allowance.ALWAYS_ALLOW
        if allowed == {True}
        else Allowance.NEVER_ALLOW
    )
    return Classification(answer, witnesses, method)


def prove(stack: Stack, arch: int, nr: int) -> Classification:
    """One question, without anything remembered."""
    return Oracle(stack).prove(nr, arch)


def holds(stack: Stack, found: Classification) -> bool:
    """Whether interpreting every witness gives what it claims."""
    return all(decide(stack, witness.call) == witness.value for witness in found.witnesses)
