# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes a failing stack small: fewest filters, then fewest instructions, then simplest constants.

Who judges a candidate may be a function on the host or a guest that tries hundreds of them in one boot; so candidates
come in rounds, and only the answers of a whole round lead on.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from testcases.seccomp.bpf.instruction import Instruction, Program, Stack
from testcases.seccomp.bpf.opcodes import JA, LD_ABS, RET_K, TESTS, skips
from testcases.seccomp.bpf.seccomp_data import ACTION_FULL, ARCH, RET_ALLOW, RET_ERRNO
from testcases.seccomp.bpf.validate import attach
from testcases.seccomp.fuzz.surgery import without

Predicate = Callable[[Stack], bool]
_REACH = 0xFF
ROUND = 200
"""Candidates of one round: as many as a guest tries in the time in which it boots."""

_SHIFTS, _STEPS = (1, 2, 4, 8, 16), (1, 4, 16, 64)
"""By how many bits, and by how much, a constant is made smaller: each round halves what is left to go."""

_Edit = dict[tuple[int, int], Instruction | None]
"""By filter and index, what an instruction becomes; None: it goes. A filter without instructions is gone too. Edits of
one stack can be laid over each other."""


class Minimiser:
    """A search from one failing stack. `stack` is the smallest known to fail; ask for `candidates` and `take` the
    answers until there are none. Deterministic. If all filters are valid, all those of every candidate are.

    A round tries single changes, each alone; the next one those that still failed, many at a time.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._tried: set[Stack] = {stack}
        self._asked: list[tuple[_Edit, Stack]] = []
        self._won: list[tuple[_Edit, Stack]] = []

    def candidates(self, most: int = ROUND) -> tuple[Stack, ...]:
        """At most so many smaller stacks to be judged; none if nothing smaller is left to try."""
        if len(self._won) > 1:
            self._asked = list(islice(self._new(_unions([edit for edit, _stack in self._won])), most))
            if self._asked:
                return tuple(stack for _edit, stack in self._asked)
        if self._won:
            self._settle()
        self._asked = list(islice(self._new(_edits(self.stack)), most))
        return tuple(stack for _edit, stack in self._asked)

    def take(self, answers: Sequence[bool | None]) -> None:
        """For each of the last `candidates` whether it fails as the first stack did; None: not known, and it may come
        again. Raises ValueError for a wrong number of answers."""
        for asked, answer in zip(self._asked, answers, strict=True):
            if answer is None:
                self._tried.discard(asked[1])
        first = not self._won
        self._won += [asked for asked, answer in zip(self._asked, answers, strict=True) if answer]
        if self._won and not (first and len(self._won) > 1):
            self._settle()

    def _settle(self) -> None:
        """Goes on from the smallest that failed."""
        self.stack = min((stack for _edit, stack in self._won), key=_size)
        self._won = []

    def _new(self, edits: Iterator[_Edit]) -> Iterator[tuple[_Edit, Stack]]:
        """What was not tried before and is smaller."""
        valid, size = not any(attach(self.stack)), _size(self.stack)
        for edit in edits:
            stack = _edited(self.stack, edit)
            if not stack or stack in self._tried or _size(stack) >= size:
                continue
            self._tried.add(stack)
            if not (valid and any(attach(stack))):
                yield edit, stack


def minimise(stack: Stack, fails: Predicate, attempts: int = 5000) -> Stack:
    """The smallest stack found for which `fails` still holds, asking it at most `attempts` times. The stack given must
    fail."""
    search, left = Minimiser(stack), attempts
    while found := search.candidates(min(left, ROUND)):
        search.take([fails(candidate) for candidate in found])
        left -= len(found)
    return search.stack


def size_text(stack: Stack) -> str:
    """`2 filters of 7 instructions`, for people."""
    filters, instructions, _weight = _size(stack)
    return f"{filters} filter{'s'[: filters != 1]} of {instructions} instruction{'s'[: instructions != 1]}"


def _size(stack: Stack) -> tuple[int, int, int]:
    """What is to be made small, the most important first."""
    weight = sum(_weight(insn) for program in stack for insn in program)
    return len(stack), sum(map(len, stack)), weight


def _weight(insn: Instruction) -> int:
    """Falls with every step of `_simpler`."""
    if insn.code == RET_K:
        order = _returns(insn)
        return order.index(insn.k) if insn.k in order else len(order)
    return insn.jt + insn.jf + (0 if insn.code == JA else insn.k)


def _edited(stack: Stack, edit: _Edit) -> Stack | None:
    """The stack after an edit, or None if a jump would lead nowhere."""
    touched = {position for position, _index in edit}
    result: list[Program] = []
    for position, program in enumerate(stack):
        if position not in touched:
            result.append(program)
            continue
        changed = [edit.get((position, index), insn) for index, insn in enumerate(program)]
        gone = {index for index, insn in enumerate(changed) if insn is None}
        if len(gone) == len(program):
            continue
        kept = tuple(insn or program[index] for index, insn in enumerate(changed))
        smaller = without(kept, gone) if gone else kept
        if smaller is None:
            return None
        result.append(smaller)
    return tuple(result)


def _edits(stack: Stack) -> Iterator[_Edit]:
    """Single changes, those that make it much smaller first."""
    for first, last in _runs(len(stack)):
        yield {(position, index): None for position in range(first, last) for index in range(len(stack[position]))}
    spans = {
        (last - first, position, first): None
        for position, program in enumerate(stack)
        for first, last in (*_runs(len(program)), *_skipped(program))
    }
    for length, position, first in sorted(spans, key=lambda span: -span[0]):
        yield {(position, index): None for index in range(first, first + length)}
    for position, program in enumerate(stack):
        for changed in _threaded(program):
            yield {(position, index): insn for index, insn in changed.items()}
    for position, program in enumerate(stack):
        for index, insn in enumerate(program):
            for simpler in _simpler(insn):
                yield {(position, index): simpler}


def _runs(length: int) -> Iterator[tuple[int, int]]:
    """First and end of neighbours: all, each half, each quarter, ..., each one alone."""
    size = length
    while size:
        yield from ((first, min(first + size, length)) for first in range(0, length, size))
        size //= 2


def _skipped(program: Program) -> Iterator[tuple[int, int]]:
    """A jump with all that it may jump over: what is left always goes that way."""
    for index, insn in enumerate(program):
        if insn.code == JA or insn.code in TESTS:
            yield from ((index, index + 1 + skip) for skip in skips(insn) if index + 1 + skip < len(program))


def _threaded(program: Program) -> Iterator[dict[int, Instruction | None]]:
    """A `ja` is gone, and jumps to it lead where it led."""
    for index, insn in enumerate(program):
        if insn.code != JA:
            continue
        changed: dict[int, Instruction | None] = {index: None}
        for before, test in enumerate(program[:index]):
            if test.code in TESTS and index - 1 - before in (test.jt, test.jf):
                jt, jf = (skip + (1 + insn.k) * (skip == index - 1 - before) for skip in (test.jt, test.jf))
                changed[before] = Instruction(test.code, jt, jf, test.k)
        if all(found is None or max(found.jt, found.jf) <= _REACH for found in changed.values()):
            yield changed


def _unions(edits: Sequence[_Edit]) -> Iterator[_Edit]:
    """Several at a time, as many as possible first: from the first on, then neighbours."""
    ordered = sorted(edits, key=len, reverse=True)
    for count in range(len(ordered), 1, -1):
        yield _union(ordered[:count])
    for first, last in _runs(len(ordered)):
        yield _union(ordered[first:last])


def _union(edits: Sequence[_Edit]) -> _Edit:
    """Where two differ, an instruction goes; else the first has its way."""
    whole: _Edit = {}
    for edit in edits:
        for place, insn in edit.items():
            if insn is None or place not in whole:
                whole[place] = insn
    return whole


def _returns(insn: Instruction) -> tuple[int, ...]:
    return (RET_ALLOW, RET_ERRNO | 1, insn.k & ACTION_FULL)


def _simpler(insn: Instruction) -> Iterator[Instruction]:
    """Simpler instructions that may do instead, the simplest first; none leads back, so that a search ends."""
    if insn.code == RET_K:
        yield from (Instruction(RET_K, k=k) for k in _returns(insn)[: _weight(insn)])
        return
    if insn.code == JA:
        return
    if insn.code in TESTS and insn.jt and insn.jf:
        yield Instruction(insn.code, 0, insn.jf, insn.k)
        yield Instruction(insn.code, insn.jt, 0, insn.k)
    if insn.code == LD_ABS:
        yield from (Instruction(insn.code, k=k) for k in (0, ARCH) if k < insn.k)
        return
    smaller = {0, 1, insn.k & (insn.k - 1) if insn.k else 0}
    smaller |= {insn.k >> by for by in _SHIFTS} | {insn.k - by for by in _STEPS}
    yield from (Instruction(insn.code, insn.jt, insn.jf, k) for k in sorted(smaller) if 0 <= k < insn.k)
