# SPDX-License-Identifier: GPL-2.0-or-later
"""Which field of `struct seccomp_data` an instruction finds in A, for readers of a filter."""

from testcases.seccomp.bpf import opcodes
from testcases.seccomp.bpf.instruction import Program
from testcases.seccomp.bpf.opcodes import JEQ_K, LD_ABS, skips
from testcases.seccomp.bpf.seccomp_data import ARCH

OTHER = -1
_CHANGES_A = (opcodes.ALU_K | opcodes.ALU_X | opcodes.LOADS_A | {opcodes.NEG, opcodes.TXA}) - {LD_ABS, opcodes.AND_K}


def held(program: Program) -> list[int]:
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
    fields = held(program)
    compared = (insn.k for insn, field in zip(program, fields, strict=True) if insn.code == JEQ_K and field == ARCH)
    return tuple(dict.fromkeys(compared))
