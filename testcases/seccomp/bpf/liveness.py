# SPDX-License-Identifier: GPL-2.0-or-later
"""Which registers still matter at each instruction of a filter."""

from functools import lru_cache

from testcases.seccomp.bpf import opcodes
from testcases.seccomp.bpf.instruction import Instruction, Program
from testcases.seccomp.bpf.opcodes import LD_MEM, LDX_MEM, NEG, RET_A, ST, STX, TAX, TESTS, TESTS_X, TXA, skips

A, X = 1 << 16, 1 << 17
"""Bits of a set of registers; bit n below them is scratch word n."""
_WRITES_A = frozenset({opcodes.LD_ABS, opcodes.LD_LEN, opcodes.LD_IMM, LD_MEM, TXA})
_WRITES_X = frozenset({opcodes.LDX_LEN, opcodes.LDX_IMM, LDX_MEM, TAX})


@lru_cache(maxsize=256)
def live(program: Program) -> tuple[int, ...]:
    """For each instruction the registers whose value before it some way from there reads."""
    found = [0] * len(program)
    for index in range(len(program) - 1, -1, -1):
        insn = program[index]
        after = 0
        for skip in skips(insn):
            after |= found[index + 1 + skip]
        found[index] = after & ~_written(insn) | _read(insn)
    return tuple(found)


def _written(insn: Instruction) -> int:
    if insn.code in _WRITES_A:
        return A
    if insn.code in _WRITES_X:
        return X
    return 1 << insn.k if insn.code in {ST, STX} else 0


def _read(insn: Instruction) -> int:
    code = insn.code
    found = 1 << insn.k if code in {LD_MEM, LDX_MEM} else 0
    if code in opcodes.ALU_K or code in opcodes.ALU_X or code in TESTS or code in {NEG, RET_A, ST, TAX}:
        found |= A
    if code in opcodes.ALU_X or code in TESTS_X or code in {STX, TXA}:
        found |= X
    return found
