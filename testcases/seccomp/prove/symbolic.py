# SPDX-License-Identifier: GPL-2.0-or-later
"""What a stack can return for one number, by z3: exact for every valid filter, if z3 gets the time.

One pass over each filter, in the order of the program, number and architecture as constants, so that most branches
vanish before z3 sees them. States that meet are merged with if-then-else: the terms stay as large as the program, and
no way through it is unrolled.
"""

import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import z3

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.actions import CallFate, fate_of
from testcases.seccomp.bpf.call import Call, from_words
from testcases.seccomp.bpf.instruction import MEMWORDS
from testcases.seccomp.bpf.interpret import alu, behind, combine, execute, test
from testcases.seccomp.bpf.opcodes import (
    DIV_X,
    JA,
    JEQ_K,
    OP,
    RET_K,
    RETURNS,
    TESTS,
    TESTS_K,
)
from testcases.seccomp.bpf.seccomp_data import ACTION_FULL, ARCH, RET_ALLOW, RET_LOG, SIZE, shift_mask
from testcases.seccomp.prove.box_domain import EntryPoint, Known

Term = Any
"""A constant of Python or a bit-vector of 32 bits; z3 has no types to say so."""

TIMEOUT = 120_000
"""Milliseconds for one question, if nothing else is said."""


@dataclass(slots=True)
class _State:
    """Under which condition an instruction is reached, and what the registers hold then."""

    reached: Term
    a: Term
    x: Term
    scratch: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Values with calls that have them returned. `decided`: whether it is known which of allowed, logged and denied are
    possible. `complete`: every value is there, or the limit was reached."""

    calls: dict[int, list[Call]]
    decided: bool
    complete: bool


def outcomes(
    starts: Iterable[EntryPoint | int], known: Known, milliseconds: int | None = None, limit: int = 16
) -> Outcomes:
    """Values that the stack can return where these words are known: one of each kind (allowed, logged, denied) that is
    possible, and every value if these are at most `limit`.

    The same question has the same answer whatever was asked before: each has a context of its own. `milliseconds`
    bounds the whole question; what was found until then is kept, and random calls are tried in place of the proof.
    """
    starts = tuple(starts)
    context = z3.Context()
    words = [known[at] if at in known else z3.BitVec(f"w{at}", 32, context) for at in range(0, SIZE, 4)]
    best: Term = RET_ALLOW
    possible: frozenset[int] | None = frozenset({RET_ALLOW})
    for start in starts:
        value, values = (start, frozenset({start})) if isinstance(start, int) else _returned(start, words)
        best, possible = _lower(value, best), _combined(possible, values)
    if isinstance(best, int):
        return Outcomes({best: [from_words(tuple(known.get(at, 0) for at in range(0, SIZE, 4)))]}, True, True)
    search = _Search(
        best,
        words,
        possible,
        time.monotonic() + (TIMEOUT if milliseconds is None else milliseconds) / 1000,
        limit,
        context,
    )
    found = search.run()
    if found.complete:
        return found
    for value, call in _tried(starts, known):
        found.calls.setdefault(value, [call])
    return Outcomes(found.calls, found.decided or search.undecided() == frozenset(), False)


_MOST_COMBINED = 20_000
"""More pairs of values are not looked at to tell what a stack can return at all."""
_TRIES = 256


def _combined(one: frozenset[int] | None, other: frozenset[int] | None) -> frozenset[int] | None:
    """What can come of two filters that return these values; None is anything."""
    if one is None or other is None or len(one) * len(other) > _MOST_COMBINED:
        return None
    return frozenset(combine((newer, older)) for newer in one for older in other)


def _tried(starts: tuple[EntryPoint | int, ...], known: Known) -> Iterator[tuple[int, Call]]:
    """Calls with edges and random numbers for words, and what the stack returns for each; the same ones every time."""
    dice = random.Random(0)
    constants = [
        insn.k + off
        for start in starts
        if isinstance(start, EntryPoint)
        for insn in start.program
        for off in (-1, 0, 1)
    ]
    edges = [0, 1, 0x7FFFFFFF, 0x80000000, bpf.WORD, *(value & bpf.WORD for value in constants)]
    for turn in range(_TRIES):
        words = tuple(
            known[at] if at in known else dice.choice(edges) if turn % 2 else dice.getrandbits(32)
            for at in range(0, SIZE, 4)
        )
        values = (
            start if isinstance(start, int) else execute(start.program, words, start.index, start.a) for start in starts
        )
        yield combine(values), from_words(words)


@dataclass(slots=True)
class _Search:
    """One question to z3: what can `best` be?"""

    best: Term
    words: list[Term]
    possible: frozenset[int] | None
    until: float
    limit: int
    context: Any
    found: dict[int, list[Call]] = field(default_factory=dict)
    impossible: set[CallFate] = field(default_factory=set)

    def run(self) -> Outcomes:
        solver = z3.SolverFor("QF_BV", self.context)
        solver.set("ctrl_c", False)  # else it takes SIGINT for itself while it works, and the rig never hears of it
        for kind in CallFate:
            if any(fate_of(value) is kind for value in self.found):
                continue
            if self.possible is not None and all(fate_of(value) is not kind for value in self.possible):
                self.impossible.add(kind)
                continue
            solver.push()
            solver.add(self._is(kind))
            if self._ask(solver) == z3.unsat:
                self.impossible.add(kind)
            solver.pop()
        solver.add(*(self.best != value for value in self.found))
        complete = False
        while not complete and len(self.found) < self.limit:
            answer = self._ask(solver) if self.possible is None or self.possible - set(self.found) else z3.unsat
            if answer == z3.unknown:
                break
            complete = answer == z3.unsat
        complete = complete or len(self.found) >= self.limit
        return Outcomes(self.found, complete or not self.undecided(), complete)

    def undecided(self) -> frozenset[CallFate]:
        """Of which kinds nobody knows whether they are possible."""
        return frozenset(CallFate) - self.impossible - {fate_of(value) for value in self.found}

    def _ask(self, solver: Any) -> Any:
        """z3's answer; a value that it finds is noted and excluded from what is asked next."""
        left = int(1000 * (self.until - time.monotonic()))
        if left <= 0:
            return z3.unknown
        solver.set("timeout", left)
        answer = solver.check()
        if answer == z3.sat:
            model = solver.model()
            value = _number(model, self.best)
            self.found[value] = [from_words(tuple(_number(model, word) for word in self.words))]
            solver.add(self.best != value)
        return answer

    def _is(self, kind: CallFate) -> Term:
        action = self.best & ACTION_FULL
        allowed, logged = action == RET_ALLOW, action == RET_LOG
        return {CallFate.ALLOWED: allowed, CallFate.LOGGED: logged, CallFate.DENIED: z3.Not(z3.Or(allowed, logged))}[
            kind
        ]


def _number(model: Any, term: Term) -> int:
    return term if isinstance(term, int) else int(model.eval(term, model_completion=True).as_long())


def _lower(value: Term, best: Term) -> Term:
    """What the kernel keeps of the newer filters' `best` and this filter's value."""
    if isinstance(value, int) and isinstance(best, int):
        return combine((best, value))
    value, best = _terms(value, best)
    return z3.If((value & ACTION_FULL) < (best & ACTION_FULL), value, best)


def _terms(*values: Term) -> list[Term]:
    """Constants as bit-vectors, in the context of the first that is none."""
    context = next(value.ctx for value in values if not isinstance(value, int))
    return [z3.BitVecVal(value, 32, context) if isinstance(value, int) else value for value in values]


def _returned(start: EntryPoint, words: list[Term]) -> tuple[Term, frozenset[int] | None]:
    """The return value of one filter, and the values of all returns that can be reached, None if one is computed."""
    pending: dict[int, _State] = {start.index: _State(True, start.a, 0, (0,) * MEMWORDS)}
    returns: list[tuple[Term, Term]] = []
    arch = words[ARCH // 4]
    compute = partial(_alu, shift_mask(arch if isinstance(arch, int) else 0))
    for index in range(start.index, len(start.program)):
        state = pending.pop(index, None)
        if state is None or state.reached is False:
            continue
        insn = start.program[index]
        if insn.code in RETURNS:
            returns.append((state.reached, insn.k if insn.code == RET_K else state.a))
        elif insn.code == JA:
            _arrive(pending, index + 1 + insn.k, state)
        elif insn.code in TESTS:
            condition = _test(insn.code, state.a, insn.k if insn.code in TESTS_K else state.x)
            for skip, taken in ((insn.jt, condition), (insn.jf, _not(condition))):
                reached = _and(state.reached, taken)
                _arrive(pending, index + 1 + skip, _State(reached, state.a, state.x, state.scratch))
        else:
            if insn.code == DIV_X:
                zero = _test(JEQ_K, state.x, 0)
                returns.append((_and(state.reached, zero), 0))
                state.reached = _and(state.reached, _not(zero))
                if state.reached is False:
                    continue
            state.a, state.x, state.scratch = behind(
                insn, state.a, state.x, state.scratch, lambda offset: words[offset // 4], compute
            )
            _arrive(pending, index + 1, state)
    value: Term = returns[-1][1]
    for reached, other in reversed(returns[:-1]):
        value = _if(reached, other, value)
    computed = any(not isinstance(other, int) for _, other in returns)
    return value, None if computed else frozenset(other for _, other in returns)


def _arrive(pending: dict[int, _State], index: int, state: _State) -> None:
    """Merges what arrives at an instruction with what is there."""
    if state.reached is False:
        return
    there = pending.get(index)
    if there is None:
        pending[index] = state
        return
    there.a = _if(state.reached, state.a, there.a)
    there.x = _if(state.reached, state.x, there.x)
    there.scratch = tuple(_if(state.reached, new, old) for new, old in zip(state.scratch, there.scratch, strict=True))
    there.reached = _or(there.reached, state.reached)


def _test(code: int, a: Term, operand: Term) -> Term:
    if isinstance(a, int) and isinstance(operand, int):
        return test(code, a, operand)
    a, operand = _terms(a, operand)
    op = code & OP
    if op == bpf.JEQ:
        return a == operand
    if op == bpf.JGE:
        return z3.UGE(a, operand)
    if op == bpf.JGT:
        return z3.UGT(a, operand)
    return a & operand != 0


def _alu(shifts: int, op: int, a: Term, operand: Term) -> Term:
    if isinstance(a, int) and isinstance(operand, int):
        return alu(op, a, operand, shifts) if operand or op != bpf.DIV else 0
    a, operand = _terms(a, operand)
    if op in {bpf.LSH, bpf.RSH}:
        amount = operand & shifts
        return a << amount if op == bpf.LSH else z3.LShR(a, amount)
    if op == bpf.DIV:
        return z3.UDiv(a, operand)
    return {
        bpf.ADD: a.__add__,
        bpf.SUB: a.__sub__,
        bpf.MUL: a.__mul__,
        bpf.AND: a.__and__,
        bpf.OR: a.__or__,
        bpf.XOR: a.__xor__,
    }[op](operand)


def _and(one: Term, other: Term) -> Term:
    if one is False or other is False:
        return False
    if one is True or other is True:
        return other if one is True else one
    return z3.And(one, other)


def _or(one: Term, other: Term) -> Term:
    return True if one is True or other is True else z3.Or(one, other)


def _not(one: Term) -> Term:
    return not one if isinstance(one, bool) else z3.Not(one)


def _if(condition: Term, one: Term, other: Term) -> Term:
    if condition is True or one is other or (isinstance(one, int) and isinstance(other, int) and one == other):
        return one
    if condition is False:
        return other
    return z3.If(*_terms(condition, one, other))
