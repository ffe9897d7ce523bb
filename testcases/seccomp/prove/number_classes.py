# SPDX-License-Identifier: GPL-2.0-or-later
"""Which numbers a filter treats alike, also behind the first read of an argument.

There one number takes many ways. A second pass carries the numbers along all of them; two numbers behave alike if no
test of the number on any of these ways tells them apart. Where something computed from the number is tested, nothing
is claimed, and each number is a class of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.instruction import MEMWORDS, WORD, Instruction, Program
from testcases.seccomp.bpf.interpret import alu, behind, test
from testcases.seccomp.bpf.opcodes import DIV_X, JA, JSET_K, RET_A, RETURNS, TESTS, TESTS_K, with_constant
from testcases.seccomp.bpf.registers import A, X, live_registers
from testcases.seccomp.bpf.seccomp_data import ARCH, NR, shift_mask
from testcases.seccomp.prove.number_flow import NUMBER, OPS, Outline, indices
from testcases.seccomp.prove.u32set import NumberSet, joined, masked, numbers

_FREE = -1
"""A value that the arguments decide, not the number, once the way is known."""
_TAINTED = -2
"""A value that was computed from the number."""


_ATOMS = 5000
"""More classes of numbers than this are not told apart."""
_STATES = 32
"""More states than this at one instruction are joined to one."""


def alike(program: Program, outlined: Outline, arch: int, among: NumberSet) -> Iterator[NumberSet]:
    """Splits `among` into sets of numbers that `program` treats alike whatever the arguments are."""
    for value in dict.fromkeys(ending.value for ending in outlined.endings if ending.value is not None):
        found = outlined.returning(value) & among
        if found:
            yield found
    touched = outlined.atoms.touched(among)
    walk, classes = _walked(program, outlined, arch, touched)
    while walk.partial and len(outlined.atoms.parent) < _ATOMS:
        for atom, condition in walk.partial:
            outlined.refine(atom, condition)
        touched = outlined.atoms.touched(among)
        walk, classes = _walked(program, outlined, arch, touched)
    for arriving, taken in walk.splits:
        classes = [
            part for whole in classes for part in (whole & ~arriving, whole & taken, whole & arriving & ~taken) if part
        ]
    for bits in classes:
        found = _numbers(outlined, bits & ~walk.tainted) & among
        if found:
            yield found
        for number in _numbers(outlined, bits & walk.tainted) & among:
            yield numbers((number,))


def _walked(program: Program, outlined: Outline, arch: int, touched: int) -> tuple["_Walk", list[int]]:
    """A walk from every ending that is no return, and the atoms of each of these."""
    walk = _Walk(program, outlined, arch)
    classes: list[int] = []
    for ending, bits in outlined.ended.items():
        inside = bits & touched
        if ending.value is None and inside:
            walk.enter(ending.index, inside, ending.mask | NUMBER if ending.mask else ending.constant)
            classes.append(inside)
    walk.run()
    return walk, classes


def _numbers(outlined: Outline, bits: int) -> NumberSet:
    return joined(part for atom in indices(bits) for part in outlined.atoms.numbers(atom).blocks)


@dataclass(frozen=True, slots=True)
class _State:
    """What the registers hold: a form as in `outline`, _FREE or _TAINTED."""

    a: int
    x: int = 0
    scratch: tuple[int, ...] = (0,) * MEMWORDS

    def needed(self, registers: int) -> "_State":
        """The state with every register 0 that is not read any more."""
        scratch = self.scratch
        if any(scratch):
            scratch = tuple(form if registers >> word & 1 else 0 for word, form in enumerate(scratch))
        return _State(self.a if registers & A else 0, self.x if registers & X else 0, scratch)

    def joined(self, other: "_State") -> "_State":
        """What holds of either."""
        scratch = tuple(map(_joined, self.scratch, other.scratch))
        return _State(_joined(self.a, other.a), _joined(self.x, other.x), scratch)


@dataclass(slots=True)
class _Walk:
    program: Program
    outlined: Outline
    arch: int
    pending: dict[int, dict[_State, int]] = field(default_factory=dict)
    """Who reaches an instruction, with what."""
    splits: list[tuple[int, int]] = field(default_factory=list)
    """At each test of the number: who arrived, and who of them jumped."""
    partial: list[tuple[int, NumberSet]] = field(default_factory=list)
    """Atoms of which a part fulfils a condition: these have to be split, and the walk begun again."""
    tainted: int = 0
    """Who met a test of something computed from the number."""

    def enter(self, index: int, bits: int, a: int) -> None:
        self._arrive(index, _State(a), bits)

    def run(self) -> None:
        for index in range(len(self.program)):
            for state, bits in self.pending.pop(index, {}).items():
                self._step(index, state, bits)

    def _step(self, index: int, state: _State, bits: int) -> None:
        insn = self.program[index]
        if insn.code in RETURNS:
            if insn.code == RET_A and _of_number(state.a):
                self.tainted |= bits
        elif insn.code == JA:
            self._arrive(index + 1 + insn.k, state, bits)
        elif insn.code in TESTS:
            taken, fallen = self._test(insn, state, bits)
            self._arrive(index + 1 + insn.jt, state, taken)
            self._arrive(index + 1 + insn.jf, state, fallen)
        else:
            if insn.code == DIV_X and _of_number(state.x):
                self.tainted |= bits
            self._arrive(index + 1, self._plain(insn, state), bits)

    def _arrive(self, index: int, state: _State, bits: int) -> None:
        if not bits:
            return
        state = state.needed(live_registers(self.program)[index])
        states = self.pending.setdefault(index, {})
        states[state] = states.get(state, 0) | bits
        if len(states) > _STATES:
            everyone = 0
            for other, others in states.items():
                state, everyone = state.joined(other), everyone | others
            self.pending[index] = {state: everyone}

    def _test(self, insn: Instruction, state: _State, bits: int) -> tuple[int, int]:
        """Who may jump and who may not."""
        a = state.a
        operand = insn.k if insn.code in TESTS_K else state.x
        code = with_constant(insn.code)
        if a == _TAINTED or _of_number(operand):
            self.tainted |= bits
            return bits, bits
        if _FREE in {a, operand}:
            if _of_number(a):
                self.tainted |= bits
            return bits, bits
        if not a & NUMBER:
            return (bits, 0) if test(code, a, operand) else (0, bits)
        atoms = self.outlined.atoms
        if a & WORD == WORD and code != JSET_K and insn.code in TESTS_K:
            taken = atoms.compare(bits, code, operand)
        else:
            taken = self._partly(bits, masked(a & WORD, operand, OPS[code]))
        self.splits.append((bits, taken))
        return taken, bits & ~taken

    def _partly(self, bits: int, condition: NumberSet) -> int:
        """The numbers that satisfy the condition; atoms that satisfy it in part are noted, and tainted if they must
        stay whole."""
        taken = 0
        for atom in indices(bits):
            whole = self.outlined.atoms.numbers(atom)
            inside = whole & condition
            if inside and len(inside) == len(whole):
                taken |= 1 << atom
            elif inside:
                self.tainted |= 1 << atom
                self.partial.append((atom, condition))
        return taken

    def _plain(self, insn: Instruction, state: _State) -> _State:
        return _State(
            *behind(insn, state.a, state.x, state.scratch, self._load, partial(_computed, shift_mask(self.arch)))
        )

    def _load(self, offset: int) -> int:
        return WORD | NUMBER if offset == NR else self.arch if offset == ARCH else _FREE


def _of_number(form: int) -> bool:
    return form == _TAINTED or form >= NUMBER


def _joined(one: int, other: int) -> int:
    if one == other:
        return one
    return _TAINTED if _of_number(one) or _of_number(other) else _FREE


def _computed(shifts: int, op: int, a: int, operand: int) -> int:
    if 0 <= a <= WORD and 0 <= operand <= WORD:
        return alu(op, a, operand, shifts) if operand or op != bpf.DIV else 0
    if op == bpf.AND and 0 <= operand <= WORD and a >= NUMBER:
        return a & operand | NUMBER if a & operand else 0
    return _TAINTED if _of_number(a) or _of_number(operand) else _FREE
