# SPDX-License-Identifier: GPL-2.0-or-later
"""What a stack can return for one number, by sets of values for each word of the arguments.

As long as every test compares one word, perhaps masked, with a constant, the calls that take one way through a filter
are a box: a set of values for each word, independent of each other. Then every outcome is exact, and a witness is any
member of each set. Anything else (arithmetic on a word, two words compared) is left to `symbolic`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.call import Call, from_words
from testcases.seccomp.bpf.instruction import MEMWORDS, WORD, Instruction, Program
from testcases.seccomp.bpf.interpret import alu, behind, combine, test
from testcases.seccomp.bpf.opcodes import JA, JEQ_K, JGE_K, JGT_K, JSET_K, RET_A, RETURNS, TESTS, TESTS_K, with_constant
from testcases.seccomp.bpf.registers import A, X, live_registers
from testcases.seccomp.bpf.seccomp_data import ARCH, RET_ALLOW, SIZE, shift_mask
from testcases.seccomp.prove.u32set import ALL, NumberSet, masked

Value = int | tuple[int, int]
"""A constant, or (offset, mask): a word of arguments or IP, masked."""
Box = tuple[tuple[int, NumberSet], ...]
"""The words that are confined, by offset; every other word is free."""
ANYTHING: Box = ()
Known = Mapping[int, int]
"""Words whose value is known, by offset; those of nr and arch always are."""

_OPS = {JEQ_K: "==", JGT_K: ">", JGE_K: ">=", JSET_K: "&"}


class Beyond(Exception):  # noqa: N818 - no error: another way has to be taken
    """Boxes do not suffice, or there would be too many."""


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """Where a filter is entered: its first instruction, or where an `Ending` says, with A there."""

    program: Program
    index: int = 0
    a: int = 0


@dataclass(frozen=True, slots=True)
class _State:
    box: Box
    a: Value
    x: Value = 0
    scratch: tuple[Value, ...] = (0,) * MEMWORDS


def outcomes(starts: Iterable[EntryPoint | int], known: Known, limit: int = 3000) -> dict[int, list[Call]]:
    """Every value that the stack can return where these words are known, with calls that have it returned: at least
    one. Raises Beyond as `regions` does."""
    found = regions(starts, known, limit)
    return {value: [_member(box, known) for box in sorted(boxes, key=_order)[:4]] for value, boxes in found.items()}


def regions(starts: Iterable[EntryPoint | int], known: Known, limit: int = 3000) -> dict[int, set[Box]]:
    """Every value that the stack can return where these words are known, with the calls for which it does: the boxes of
    all values are disjoint and cover every call.

    `starts` are the filters, the newest first; an integer stands for one that is known to return it. Raises Beyond
    after `limit` steps through branches, or at an instruction that makes a word of the arguments something else.
    """
    walk = _Walk(known, limit)
    found: dict[int, set[Box]] = {RET_ALLOW: {ANYTHING}}
    for start in starts:
        after: dict[int, set[Box]] = {}
        for value, boxes in found.items():
            for box in boxes:
                ends = [(start, box)] if isinstance(start, int) else walk.through(start, box)
                for returned, narrower in ends:
                    after.setdefault(combine((value, returned)), set()).add(narrower)
        found = after
    return found


def _order(box: Box) -> tuple[tuple[int, int], ...]:
    return tuple((offset, values.first) for offset, values in box)


def _member(box: Box, known: Known) -> Call:
    """The smallest call of a box."""
    words = [known.get(offset, 0) for offset in range(0, SIZE, 4)]
    for offset, values in box:
        words[offset // 4] = values.first
    return from_words(tuple(words))


@dataclass(slots=True)
class _Walk:
    known: Known
    left: int

    def through(self, start: EntryPoint, box: Box) -> Iterator[tuple[int, Box]]:
        """Every value that one filter returns for calls of `box`, and the part of the box for which it does."""
        pending: dict[int, set[_State]] = {start.index: {_State(box, start.a)}}
        needed = live_registers(start.program)
        for index in range(start.index, len(start.program)):
            insn = start.program[index]
            for state in pending.pop(index, ()):
                self.left -= 1
                if self.left < 0:
                    raise Beyond
                if insn.code in RETURNS or _divides_by_zero(insn, state):
                    yield _returned(insn, state), state.box
                    continue
                for target, after in self._step(insn, index, state):
                    pending.setdefault(target, set()).add(_forgotten(after, needed[target]))

    def _step(self, insn: Instruction, index: int, state: _State) -> list[tuple[int, _State]]:
        if insn.code == JA:
            return [(index + 1 + insn.k, state)]
        if insn.code not in TESTS:
            return [(index + 1, self._plain(insn, state))]
        operand = insn.k if insn.code in TESTS_K else state.x
        if not isinstance(operand, int):
            raise Beyond
        taken, fallen = index + 1 + insn.jt, index + 1 + insn.jf
        if isinstance(state.a, int):
            return [(taken if test(insn.code, state.a, operand) else fallen, state)]
        if taken == fallen:
            return [(taken, state)]
        offset, mask = state.a
        condition = masked(mask, operand, _OPS[with_constant(insn.code)])
        values = dict(state.box).get(offset, ALL)
        inside = values & condition
        sides = [(taken, inside), (fallen, values if not inside else values - condition)]
        return [(target, _confined(state, offset, side)) for target, side in sides if side]

    def _plain(self, insn: Instruction, state: _State) -> _State:
        """The state behind an instruction that neither jumps nor returns."""
        return _State(
            state.box,
            *behind(
                insn,
                state.a,
                state.x,
                state.scratch,
                self._load,
                partial(_computed, shift_mask(self.known.get(ARCH, 0))),
            ),
        )

    def _load(self, offset: int) -> Value:
        return self.known.get(offset, (offset, WORD))


def _forgotten(state: _State, needed: int) -> _State:
    """The state with every register 0 that no way from there reads, so that states which differ in none that is read
    are one."""
    scratch = state.scratch
    if any(scratch):
        scratch = tuple(value if needed >> word & 1 else 0 for word, value in enumerate(scratch))
    return _State(state.box, state.a if needed & A else 0, state.x if needed & X else 0, scratch)


def _computed(shifts: int, op: int, a: Value, operand: Value) -> Value:
    if isinstance(a, int) and isinstance(operand, int):
        return alu(op, a, operand, shifts)
    if op == bpf.AND and isinstance(a, int):
        a, operand = operand, a
    if op == bpf.AND and isinstance(a, tuple) and isinstance(operand, int):
        return (a[0], a[1] & operand) if a[1] & operand else 0
    raise Beyond


def _divides_by_zero(insn: Instruction, state: _State) -> bool:
    return insn.code == bpf.ALU | bpf.DIV | bpf.X and state.x == 0


def _returned(insn: Instruction, state: _State) -> int:
    if insn.code not in RETURNS:
        return 0
    value = state.a if insn.code == RET_A else insn.k
    if not isinstance(value, int):
        raise Beyond
    return value


def _confined(state: _State, offset: int, values: NumberSet) -> _State:
    box = {**dict(state.box), offset: values}
    return _State(tuple(sorted(box.items(), key=lambda item: item[0])), state.a, state.x, state.scratch)
