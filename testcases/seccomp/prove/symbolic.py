# SPDX-License-Identifier: GPL-2.0-or-later
"""What a stack can return for one number, by z3: exact for every valid filter.

One pass over each filter, in the order of the program, number and architecture as constants, so that most branches
vanish before z3 sees them. States that meet are merged with if-then-else: the terms stay as large as the program, and
no way through it is unrolled.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import z3

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.call import Call, from_words
from testcases.seccomp.bpf.instruction import MEMWORDS, Instruction
from testcases.seccomp.bpf.interpret import alu, combine, test
from testcases.seccomp.bpf.opcodes import (
    ALU_K,
    ALU_X,
    DIV_X,
    JA,
    JEQ_K,
    LD_ABS,
    LD_IMM,
    LD_LEN,
    LD_MEM,
    LDX_IMM,
    LDX_LEN,
    LDX_MEM,
    NEG,
    OP,
    RET_K,
    RETURNS,
    ST,
    STX,
    TAX,
    TESTS,
    TESTS_K,
    TXA,
)
from testcases.seccomp.bpf.seccomp_data import ACTION_FULL, RET_ALLOW, SIZE
from testcases.seccomp.prove.box_domain import EntryPoint, Known
from util.errors import MachineError

Term = Any
"""A constant of Python or a bit-vector of 32 bits; z3 has no types to say so."""

TIMEOUT = 120_000
"""Milliseconds for one question."""


@dataclass(slots=True)
class _State:
    """Under which condition an instruction is reached, and what the registers hold then."""

    reached: Term
    a: Term
    x: Term
    scratch: list[Term]


def outcomes(starts: Iterable[EntryPoint | int], known: Known, limit: int = 16) -> dict[int, list[Call]]:
    """Values that the stack can return where these words are known, each with a call that has it returned: one that
    is allowed and one that is not where both are possible, and every value if these are at most `limit`.

    The same question has the same answer whatever was asked before: each has a context of its own. Raises MachineError
    if z3 gives up.
    """
    context = z3.Context()
    words = [known[at] if at in known else z3.BitVec(f"w{at}", 32, context) for at in range(0, SIZE, 4)]
    best: Term = RET_ALLOW
    for start in starts:
        best = _lower(start if isinstance(start, int) else _returned(start, words), best)
    if isinstance(best, int):
        return {best: [from_words(tuple(known.get(at, 0) for at in range(0, SIZE, 4)))]}
    return _enumerated(best, words, limit, context)


def _enumerated(best: Term, words: list[Term], limit: int, context: Any) -> dict[int, list[Call]]:
    solver = z3.SolverFor("QF_BV", context)
    solver.set("timeout", TIMEOUT)
    found: dict[int, list[Call]] = {}
    allowed = best & ACTION_FULL == RET_ALLOW
    for condition in (allowed, z3.Not(allowed), None):
        solver.push()
        if condition is not None:
            solver.add(condition)
        solver.add(*(best != value for value in found))
        while len(found) < limit:
            answer = solver.check()
            if answer == z3.unknown:
                raise MachineError(f"z3 gives up on this filter: {solver.reason_unknown()}")
            if answer == z3.unsat:
                break
            model = solver.model()
            value = _number(model, best)
            found[value] = [from_words(tuple(_number(model, word) for word in words))]
            solver.add(best != value)
            if condition is not None:
                break
        solver.pop()
    return found


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


def _returned(start: EntryPoint, words: list[Term]) -> Term:
    """The return value of one filter."""
    pending: dict[int, _State] = {start.index: _State(True, start.a, 0, [0] * MEMWORDS)}
    returns: list[tuple[Term, Term]] = []
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
                _arrive(pending, index + 1 + skip, _State(reached, state.a, state.x, list(state.scratch)))
        else:
            if insn.code == DIV_X:
                zero = _test(JEQ_K, state.x, 0)
                returns.append((_and(state.reached, zero), 0))
                state.reached = _and(state.reached, _not(zero))
                if state.reached is False:
                    continue
            _plain(insn, state, words)
            _arrive(pending, index + 1, state)
    value: Term = returns[-1][1]
    for reached, other in reversed(returns[:-1]):
        value = _if(reached, other, value)
    return value


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
    there.scratch = [_if(state.reached, new, old) for new, old in zip(state.scratch, there.scratch, strict=True)]
    there.reached = _or(there.reached, state.reached)


def _plain(insn: Instruction, state: _State, words: list[Term]) -> None:
    """Executes an instruction that neither jumps nor returns."""
    code, k = insn.code, insn.k
    if code == LD_ABS:
        state.a = words[k // 4]
    elif code in ALU_K or code in ALU_X:
        state.a = _alu(code & OP, state.a, k if code in ALU_K else state.x)
    elif code == NEG:
        state.a = _alu(bpf.SUB, 0, state.a)
    elif code in {LD_IMM, LD_LEN, LD_MEM, TXA}:
        state.a = k if code == LD_IMM else SIZE if code == LD_LEN else state.x if code == TXA else state.scratch[k]
    elif code in {LDX_IMM, LDX_LEN, LDX_MEM, TAX}:
        state.x = k if code == LDX_IMM else SIZE if code == LDX_LEN else state.a if code == TAX else state.scratch[k]
    elif code in {ST, STX}:
        state.scratch[k] = state.a if code == ST else state.x


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


def _alu(op: int, a: Term, operand: Term) -> Term:
    if isinstance(a, int) and isinstance(operand, int):
        return alu(op, a, operand) if operand or op != bpf.DIV else 0
    a, operand = _terms(a, operand)
    if op in {bpf.LSH, bpf.RSH}:
        amount = operand & 31
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
