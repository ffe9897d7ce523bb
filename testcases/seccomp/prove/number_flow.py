# SPDX-License-Identifier: GPL-2.0-or-later
"""What a filter does for every number of one architecture, as far as number and architecture alone decide it.

A filter is a DAG: jumps lead forward. One pass carries, from instruction to instruction, the set of numbers that
reach it; each number takes one way, and ends at one instruction: a return, or the first that the pass cannot follow.
All 2^32 numbers are answered by that pass. Inside, a set is an integer with one bit for each `atom`: a class of numbers
that every test so far treats alike.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from testcases.seccomp.bpf.instruction import WORD, Program
from testcases.seccomp.bpf.interpret import test
from testcases.seccomp.bpf.opcodes import AND_K, JA, JEQ_K, JGE_K, JGT_K, JSET_K, LD_ABS, RET_K, TESTS_K
from testcases.seccomp.bpf.seccomp_data import ARCH, NR
from testcases.seccomp.prove.u32set import NumberSet, joined, masked, ranges

NUMBER = 1 << 32
"""Marks a form of A that is `nr & mask`; a form below it is a constant."""
_NR = NUMBER | WORD
OPS = {JEQ_K: "==", JGT_K: ">", JGE_K: ">=", JSET_K: "&"}

EMULATED = frozenset({LD_ABS, RET_K, JA, AND_K, *TESTS_K})
"""What the merged emulator follows (`seccomp_is_const_allow`, kernel/seccomp.c of 6.12); of LD only nr and arch."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Where numbers end: the instruction's index and, for a return, its value (else None). `mask` and `constant` tell
    what A holds there: the constant if `mask` is 0, else the number's bits of `mask`."""

    index: int
    value: int | None
    mask: int
    constant: int

    def a(self, number: int) -> int:
        """A before the instruction, for a number that ends here."""
        return number & self.mask if self.mask else self.constant


@dataclass(slots=True)
class Atoms:
    """The classes: base atoms are the ranges between `cuts`, in order; a split one gets further ones behind them."""

    cuts: list[int]
    sets: list[NumberSet | None]
    parent: list[int]

    def numbers(self, atom: int) -> NumberSet:
        """A base atom's set is written only when it is asked for."""
        found = self.sets[atom]
        if found is None:
            high = self.cuts[atom + 1] - 1 if atom + 1 < len(self.cuts) else WORD
            found = self.sets[atom] = ranges((self.cuts[atom], high))
        return found

    def compare(self, arriving: int, code: int, k: int) -> int:
        """Those of `arriving` for which the test of the whole number holds; every atom answers as one."""
        base = len(self.cuts)
        if code == JEQ_K:
            at = bisect_right(self.cuts, k) - 1
            found = arriving & (1 << at)
        else:
            if code == JGT_K:
                if k == WORD:
                    return 0
                k += 1
            at = bisect_right(self.cuts, k) - 1
            found = arriving >> at << at & ((1 << base) - 1)
        for extra in range(base, len(self.parent)):
            parent = self.parent[extra]
            if arriving >> extra & 1 and (parent == at if code == JEQ_K else parent >= at):
                found |= 1 << extra
        return found

    def split(self, arriving: int, condition: NumberSet) -> tuple[int, int]:
        """`arriving` (grown by the atoms that had to be split) and those of it for which `condition` holds."""
        found = 0
        for atom in indices(arriving & self.touched(condition)):
            whole = self.numbers(atom)
            inside = whole & condition
            if not inside:
                continue
            outside = whole - condition
            if not outside:
                found |= 1 << atom
                continue
            self.sets[atom] = outside
            self.sets.append(inside)
            self.parent.append(self.parent[atom])
            arriving |= 1 << (len(self.parent) - 1)
            found |= 1 << (len(self.parent) - 1)
        return arriving, found

    def touched(self, condition: NumberSet) -> int:
        """The base atoms that `condition` may share numbers with, and every further atom."""
        bits = -1 << len(self.cuts)
        for part in condition.blocks:
            first, last = bisect_right(self.cuts, part.low) - 1, bisect_right(self.cuts, part.high)
            bits |= (1 << last) - (1 << first)
        return bits


def indices(bits: int) -> list[int]:
    """The positions of the bits that are set."""
    found = []
    while bits:
        low = bits & -bits
        found.append(low.bit_length() - 1)
        bits ^= low
    return found


@dataclass(frozen=True)
class Outline:
    """The result of the pass: which numbers end where. `at` and `numbers` answer for one number and one ending."""

    atoms: Atoms
    ended: dict[Ending, int]

    @property
    def endings(self) -> tuple[Ending, ...]:
        """In the order of the program."""
        return tuple(self.ended)

    def numbers(self, ending: Ending) -> NumberSet:
        """The numbers that end there."""
        return self._set(self.ended[ending])

    def returning(self, value: int) -> NumberSet:
        """The numbers for which exactly this value is returned whatever the arguments are."""
        bits = 0
        for ending, ended in self.ended.items():
            if ending.value == value:
                bits |= ended
        return self._set(bits)

    def at(self, number: int) -> Ending:
        """Where this number ends."""
        return self._ending_of[self.atom(number)]

    def atom(self, number: int) -> int:
        """The class of this number: all numbers of one end alike."""
        base = bisect_right(self.atoms.cuts, number) - 1
        family = self._family.get(base)
        return base if family is None else next(atom for atom in family if number in self.atoms.numbers(atom))

    def whole(self, number: int) -> bool:
        """Whether all numbers between the same two cuts are of this one's class."""
        return bisect_right(self.atoms.cuts, number) - 1 not in self._family

    def refine(self, atom: int, condition: NumberSet) -> None:
        """Splits an atom that has ended into those that fulfil the condition and the rest."""
        grown, _ = self.atoms.split(1 << atom, condition)
        for ending, bits in self.ended.items():
            if bits >> atom & 1:
                self.ended[ending] = bits | grown
        for name in ("_ending_of", "_family", "borders"):
            vars(self).pop(name, None)

    @cached_property
    def borders(self) -> list[int]:
        """Where numbers begin to end elsewhere than the one before, and the cuts around split ones; ascending."""
        base, found = len(self.atoms.cuts), []
        for atom in range(base):
            split = atom in self._family or atom - 1 in self._family
            if not atom or split or self._ending_of[atom] != self._ending_of[atom - 1]:
                found.append(self.atoms.cuts[atom])
        return found

    @cached_property
    def _ending_of(self) -> dict[int, Ending]:
        return {atom: ending for ending, bits in self.ended.items() for atom in indices(bits)}

    @cached_property
    def _family(self) -> dict[int, tuple[int, ...]]:
        """The atoms that a base atom was split into, where it was."""
        found: dict[int, tuple[int, ...]] = {}
        for extra in range(len(self.atoms.cuts), len(self.atoms.parent)):
            parent = self.atoms.parent[extra]
            found[parent] = (*found.get(parent, (parent,)), extra)
        return found

    def _set(self, bits: int) -> NumberSet:
        atoms = self.atoms
        base = len(atoms.cuts)
        pairs = []
        rest = bits & ((1 << base) - 1)
        for extra in atoms.parent[base:]:
            if rest >> extra & 1:
                return joined(part for atom in indices(bits) for part in atoms.numbers(atom).blocks)
        start = 0
        while rest:
            skip = (rest & -rest).bit_length() - 1
            rest >>= skip
            start += skip
            run = (~rest & (rest + 1)).bit_length() - 1
            end = start + run
            pairs.append((atoms.cuts[start], atoms.cuts[end] - 1 if end < base else WORD))
            rest >>= run
            start = end
        found = ranges(*pairs)
        extras = bits >> base
        if not extras:
            return found
        return joined((*found.blocks, *(b for i in indices(extras) for b in atoms.numbers(base + i).blocks)))


def outline(program: Program, arch: int, emulated: frozenset[int] = EMULATED) -> Outline:
    """Follows all numbers through a valid program under `arch`, over the codes of `emulated` alone."""
    tested = {insn.k for insn in program if insn.code in TESTS_K}
    cuts = sorted({0} | tested | {k + 1 for k in tested if k < WORD})
    atoms = Atoms(cuts, [None] * len(cuts), list(range(len(cuts))))
    start = (1 << len(cuts)) - 1
    return Outline(atoms, _follow(program, arch, emulated, atoms, start))


def _follow(program: Program, arch: int, emulated: frozenset[int], atoms: Atoms, start: int) -> dict[Ending, int]:
    pending: list[dict[int, int] | None] = [None] * len(program)
    pending[0] = {0: start}
    ended: dict[Ending, int] = {}

    def go(index: int, form: int, bits: int) -> None:
        if bits:
            forms = pending[index]
            if forms is None:
                pending[index] = {form: bits}
            else:
                forms[form] = forms.get(form, 0) | bits

    for index, insn in enumerate(program):
        forms = pending[index]
        if forms is None:
            continue
        code, k = insn.code, insn.k
        for form, arriving in forms.items():
            if code not in emulated or (code == LD_ABS and k not in {NR, ARCH}):
                ended[_ending(index, None, form)] = arriving
            elif code in TESTS_K:
                bits, taken = _test(atoms, arriving, form, code, k)
                go(index + 1 + insn.jt, form, taken)
                go(index + 1 + insn.jf, form, bits ^ taken)
            elif code == LD_ABS:
                go(index + 1, _NR if k == NR else arch, arriving)
            elif code == RET_K:
                ended[_ending(index, k, form)] = arriving
            elif code == JA:
                go(index + 1 + k, form, arriving)
            else:
                kept = form & k & WORD
                go(index + 1, kept | NUMBER if form & NUMBER and kept else kept, arriving)
        pending[index] = None
    return ended


def _ending(index: int, value: int | None, form: int) -> Ending:
    return Ending(index, value, form & WORD, 0) if form & NUMBER else Ending(index, value, 0, form)


def _test(atoms: Atoms, arriving: int, form: int, code: int, k: int) -> tuple[int, int]:
    """`arriving`, perhaps in more atoms than before, and those for which the jump is taken."""
    if form == _NR and code != JSET_K:
        return arriving, atoms.compare(arriving, code, k)
    if form & NUMBER:
        return atoms.split(arriving, masked(form & WORD, k, OPS[code]))
    return arriving, arriving if test(code, form, k) else 0
