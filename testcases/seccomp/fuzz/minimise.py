# SPDX-License-Identifier: GPL-2.0-only
"""Makes a failing stack small: fewest filters, then fewest instructions, then simplest constants."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from testcases.seccomp.fuzz.surgery import without
from testcases.seccomp.instruction import Instruction, Program, Stack
from testcases.seccomp.opcodes import JA, LD_ABS, RET_K, TESTS
from testcases.seccomp.seccomp_data import ACTION_FULL, ARCH, RET_ALLOW, RET_ERRNO
from testcases.seccomp.validate import attach

Predicate = Callable[[Stack], bool]


def minimise(stack: Stack, fails: Predicate, attempts: int = 5000) -> Stack:
    """The smallest stack found for which `fails` still holds, asking it at most `attempts` times.

    The stack given must fail. If all its filters are valid, all those of the answer are. Deterministic: the same
    stack and predicate give the same answer.
    """
    search = _Search(stack, fails, attempts)
    before: Stack = ()
    while before != search.stack and search.left > 0:
        before = search.stack
        search.fewer_filters()
        search.fewer_instructions()
        search.simpler()
    return search.stack


class _Search:
    def __init__(self, stack: Stack, fails: Predicate, attempts: int) -> None:
        self.stack = stack
        self.left = attempts
        self._fails = fails
        self._valid = not any(attach(stack))
        self._tried: set[Stack] = set()

    def fewer_filters(self) -> None:
        size = len(self.stack)
        while size >= 1:
            start = 0
            while start < len(self.stack) and len(self.stack) > 1:
                if not self._accept((*self.stack[:start], *self.stack[start + size :])):
                    start += size
            size //= 2

    def fewer_instructions(self) -> None:
        for position in range(len(self.stack)):
            size = len(self.stack[position])
            while size >= 1:
                start = 0
                while start < len(self.stack[position]):
                    smaller = without(self.stack[position], range(start, start + size))
                    if smaller is None or not self._accept(self._replaced(position, smaller)):
                        start += size
                size //= 2

    def simpler(self) -> None:
        for position in range(len(self.stack)):
            for index in range(len(self.stack[position])):
                self._simpler_at(position, index)

    def _simpler_at(self, position: int, index: int) -> None:
        """The first of the simpler instructions that still fails."""
        for insn in _simpler(self.stack[position][index]):
            program = self.stack[position]
            if self._accept(self._replaced(position, (*program[:index], insn, *program[index + 1 :]))):
                return

    def _replaced(self, position: int, program: Program) -> Stack:
        return (*self.stack[:position], program, *self.stack[position + 1 :])

    def _accept(self, candidate: Stack) -> bool:
        if not candidate or candidate in self._tried or self.left <= 0:
            return False
        self._tried.add(candidate)
        if self._valid and any(attach(candidate)):
            return False
        self.left -= 1
        if not self._fails(candidate):
            return False
        self.stack = candidate
        return True


def _simpler(insn: Instruction) -> Iterator[Instruction]:
    """Simpler instructions that may do instead, the simplest first; none leads back, so that a search ends."""
    if insn.code == RET_K:
        order = (RET_ALLOW, RET_ERRNO | 1, insn.k & ACTION_FULL)
        yield from (Instruction(RET_K, k=k) for k in order[: order.index(insn.k) if insn.k in order else None])
        return
    if insn.code == JA:
        return
    if insn.code in TESTS and insn.jt and insn.jf:
        yield from (replace(insn, jt=0), replace(insn, jf=0))
    if insn.code == LD_ABS:
        yield from (replace(insn, k=k) for k in (0, ARCH) if k < insn.k)
        return
    smaller = [0, 1, insn.k & (insn.k - 1) if insn.k else 0, insn.k >> 1, insn.k - 1]
    yield from (replace(insn, k=k) for k in dict.fromkeys(smaller) if 0 <= k < insn.k)
