# SPDX-License-Identifier: GPL-2.0-or-later
"""The registers of a filter, instruction by instruction: which of them still matter, and which field of
`struct seccomp_data` A holds."""

from functools import lru_cache

from testcases.seccomp.bpf import opcodes
from testcases.seccomp.bpf.instruction import Instruction, Program
from testcases.seccomp.bpf.opcodes import (
    JEQ_K,
    LD_ABS,
    LD_MEM,
    LDX_MEM,
    NEG,
    RET_A,
    ST,
    STX,
    TAX,
    TESTS,
    TESTS_X,
    TXA,
    skips,
)
from testcases.seccomp.bpf.seccomp_data import ARCH

A, X = 1 << 16, 1 << 17
"""Bits of a set of registers; bit n below them is scratch word n."""
_WRITES_A = frozenset({opcodes.LD_ABS, opcodes.LD_LEN, opcodes.LD_IMM, LD_MEM, TXA})
_WRITES_X = frozenset({opcodes.LDX_LEN, opcodes.LDX_IMM, LDX_MEM, TAX})
OTHER = -1
_CHANGES_A = (opcodes.ALU_K | opcodes.ALU_X | opcodes.LOADS_A | {opcodes.NEG, opcodes.TXA}) - {LD_ABS, opcodes.AND_K}


@lru_cache(maxsize=256)
def live_registers(program: Program) -> tuple[int, ...]:
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


def fields_in_a(program: Program) -> list[int]:
    """For each instruction the offset of the field that A holds before it, if it is the same on every way, else OTHER.
    What is left of a field by `and` counts as the field."""
    found: list[int | None] = [None] * len(program)
    found[0] = OTHER

    def arrive(index: int, field: int) -> None:
        if index < len(program):
            found[index] = field if found[index] in {None, field} else OTHER

    for index, insn in enumerate(program):
        field = found[index]
        if field is None:
            continue
        if insn.code == LD_ABS:
            field = insn.k
        elif insn.code in _CHANGES_A:
            field = OTHER
        for skip in skips(insn):
            arrive(index + 1 + skip, field)
    return [OTHER if field is None else field for field in found]


def archs_compared(program: Program) -> tuple[int, ...]:
    """The audit architectures that a filter compares its own with, in order, whether the rig knows them or not."""
    fields = fields_in_a(program)
    compared = (insn.k for insn, field in zip(program, fields, strict=True) if insn.code == JEQ_K and field == ARCH)
    return tuple(dict.fromkeys(compared))
