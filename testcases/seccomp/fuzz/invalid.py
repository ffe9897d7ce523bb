# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters that the kernel must refuse, each next to one that it takes."""

from collections.abc import Callable
from random import Random

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf import opcodes
from testcases.seccomp.bpf.instruction import MAXINSNS, MEMWORDS, WORD, Instruction, Program
from testcases.seccomp.bpf.seccomp_data import SIZE
from testcases.seccomp.bpf.validate import Refusal, refusal
from testcases.seccomp.fuzz.generate import random_program
from testcases.seccomp.fuzz.surgery import with_inserted

_REFUSED = (
    bpf.LD | bpf.H | bpf.ABS,
    bpf.LD | bpf.B | bpf.ABS,
    bpf.LD | bpf.W | bpf.IND,
    bpf.LDX | bpf.B | bpf.MSH,
    bpf.LDX | bpf.W | bpf.ABS,
    bpf.ALU | bpf.MOD | bpf.K,
    bpf.ALU | bpf.MOD | bpf.X,
    bpf.RET | bpf.X,
    bpf.JMP | 0x50,
    bpf.ALU | 0xF0,
    0xFFFF,
)
"""Classic BPF that seccomp refuses, and codes that mean nothing to it."""


def random_invalid(rng: Random) -> tuple[Program, Refusal]:
    """A filter that is refused, and why."""
    while True:
        program = rng.choice(_FAULTS)(rng, random_program(rng))
        found = refusal(program) if program is not None else None
        if program is not None and found is not None:
            return program, found


def _put(rng: Random, program: Program, insn: Instruction) -> Program | None:
    return with_inserted(program, rng.randrange(len(program)), insn)


def _code(rng: Random, program: Program) -> Program | None:
    return _put(rng, program, Instruction(rng.choice(_REFUSED), k=rng.choice((0, 1, 4))))


def _jump(rng: Random, program: Program) -> Program | None:
    index = rng.randrange(len(program))
    beyond = len(program) - index - 1 + rng.choice((0, 1))
    if rng.random() < 0.5:
        insn = Instruction(opcodes.JA, k=rng.choice((beyond, WORD, WORD - index)))
    else:
        skip = min(255, beyond)
        insn = Instruction(rng.choice(sorted(opcodes.TESTS)), *rng.choice(((skip, 0), (0, skip))))
    return (*program[:index], insn, *program[index + 1 :])


def _constant(rng: Random, program: Program) -> Program | None:
    shift = Instruction(rng.choice((opcodes.LSH_K, opcodes.RSH_K)), k=rng.choice((32, 33, WORD)))
    return _put(rng, program, rng.choice((shift, Instruction(opcodes.DIV_K))))


def _scratch(rng: Random, program: Program) -> Program | None:
    code = rng.choice(sorted(opcodes.SCRATCH))
    return _put(rng, program, Instruction(code, k=rng.choice((rng.randrange(MEMWORDS), MEMWORDS, WORD))))


def _load(rng: Random, program: Program) -> Program | None:
    offsets = (1, 2, 3, SIZE - 1, SIZE, SIZE + 4, WORD - 3, rng.getrandbits(32))
    return _put(rng, program, Instruction(opcodes.LD_ABS, k=rng.choice(offsets)))


def _open(rng: Random, program: Program) -> Program | None:
    return (*program, Instruction(rng.choice((opcodes.LD_ABS, opcodes.TAX, opcodes.JA))))


def _length(rng: Random, program: Program) -> Program | None:
    return rng.choice(((), program * (MAXINSNS // len(program) + 1)))


def _unwritten_on_one_way(_rng: Random, program: Program) -> Program | None:
    """The word is written on one way to its read only."""
    way = (Instruction(opcodes.JEQ_K, 0, 1, 1), Instruction(opcodes.ST, k=3), Instruction(opcodes.LD_MEM, k=3))
    return (*way, *program)


_FAULTS: tuple[Callable[[Random, Program], Program | None], ...] = (
    _code,
    _jump,
    _constant,
    _scratch,
    _load,
    _open,
    _length,
    _unwritten_on_one_way,
)
