# SPDX-License-Identifier: GPL-2.0-or-later
"""Small changes of known filters: near to these lie the filters that a cache may get wrong."""

from collections.abc import Callable
from random import Random

from testcases.seccomp.bpf.instruction import WORD, Instruction, Program
from testcases.seccomp.bpf.opcodes import AND_K, JSET_K, LD_ABS, RET_K, TESTS, TESTS_K
from testcases.seccomp.bpf.seccomp_data import ARCH, ARGS, IP, NR
from testcases.seccomp.bpf.validate import refusal
from testcases.seccomp.fuzz.generate import plain_instruction
from testcases.seccomp.fuzz.surgery import with_inserted, without
from testcases.seccomp.fuzz.values import arch_value, number, operand, return_value

_ATTEMPTS = 30


def mutated(rng: Random, program: Program, changes: int = 3) -> Program:
    """A valid filter that differs from a valid one by 1 to `changes` changes; itself if none was found."""
    for _ in range(rng.randint(1, changes)):
        program = _changed(rng, program)
    return program


def _changed(rng: Random, program: Program) -> Program:
    for _ in range(_ATTEMPTS):
        candidate = rng.choice(_CHANGES)(rng, program)
        if candidate is not None and candidate != program and refusal(candidate) is None:
            return candidate
    return program


def _at(program: Program, index: int, insn: Instruction) -> Program:
    return (*program[:index], insn, *program[index + 1 :])


def _pick(rng: Random, program: Program, codes: frozenset[int]) -> int | None:
    """The index of one instruction with such a code."""
    places = [index for index, insn in enumerate(program) if insn.code in codes]
    return rng.choice(places) if places else None


def _other_constant(rng: Random, program: Program) -> Program | None:
    index = _pick(rng, program, TESTS_K | {AND_K})
    if index is None:
        return None
    k = program[index].k
    near = ((k + 1) & WORD, (k - 1) & WORD, k ^ 1 << rng.randrange(32), number(rng), operand(rng), arch_value(rng))
    return _at(program, index, program[index]._replace(k=rng.choice(near)))


def _other_return(rng: Random, program: Program) -> Program | None:
    index = _pick(rng, program, frozenset({RET_K}))
    return None if index is None else _at(program, index, program[index]._replace(k=return_value(rng)))


def _other_test(rng: Random, program: Program) -> Program | None:
    index = _pick(rng, program, TESTS)
    return None if index is None else _at(program, index, program[index]._replace(code=rng.choice(sorted(TESTS_K))))


def _exchanged(rng: Random, program: Program) -> Program | None:
    index = _pick(rng, program, TESTS)
    if index is None:
        return None
    insn = program[index]
    return _at(program, index, insn._replace(jt=insn.jf, jf=insn.jt))


def _other_target(rng: Random, program: Program) -> Program | None:
    index = _pick(rng, program, TESTS)
    if index is None:
        return None
    skip = rng.randint(0, min(255, len(program) - index - 2))
    return _at(program, index, program[index]._replace(**{rng.choice(("jt", "jf")): skip}))


def _other_load(rng: Random, program: Program) -> Program | None:
    index = _pick(rng, program, frozenset({LD_ABS}))
    offset = rng.choice((NR, ARCH, IP, ARGS, ARGS + 4, ARGS + 8 * rng.randrange(6)))
    return None if index is None else _at(program, index, Instruction(LD_ABS, k=offset))


def _removed(rng: Random, program: Program) -> Program | None:
    start = rng.randrange(len(program))
    return without(program, range(start, start + rng.choice((1, 1, 1, 2, 5))))


def _inserted(rng: Random, program: Program) -> Program | None:
    kinds = (Instruction(JSET_K, 0, 0, operand(rng)), Instruction(AND_K, k=operand(rng)), plain_instruction(rng, 0))
    return with_inserted(program, rng.randrange(len(program)), rng.choice(kinds))


_CHANGES: tuple[Callable[[Random, Program], Program | None], ...] = (
    _other_constant,
    _other_constant,
    _other_return,
    _other_return,
    _other_test,
    _exchanged,
    _other_target,
    _other_load,
    _removed,
    _inserted,
)
