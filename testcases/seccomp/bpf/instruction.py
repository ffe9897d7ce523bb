# SPDX-License-Identifier: GPL-2.0-or-later
"""One instruction of classic BPF, as the kernel's `struct sock_filter` holds it, and what every other module builds on.

The numbers are those of `include/uapi/linux/bpf_common.h` and `include/uapi/linux/filter.h`.
"""

from dataclasses import dataclass

LD, LDX, ST, STX, ALU, JMP, RET, MISC = range(8)
"""Classes: the low three bits of a code."""
W, H, B = 0x00, 0x08, 0x10
IMM, ABS, IND, MEM, LEN, MSH = 0x00, 0x20, 0x40, 0x60, 0x80, 0xA0
ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, NEG, MOD, XOR = range(0x00, 0xB0, 0x10)
JA, JEQ, JGT, JGE, JSET = range(0x00, 0x50, 0x10)
K, X, A = 0x00, 0x08, 0x10
TAX, TXA = 0x00, 0x80

MEMWORDS = 16
MAXINSNS = 4096
WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Instruction:
    """`struct sock_filter`: u16 `code`, u8 `jt` and `jf` (instructions to skip after the next), u32 `k`."""

    code: int
    jt: int = 0
    jf: int = 0
    k: int = 0


Program = tuple[Instruction, ...]
"""One filter. Nothing says that the kernel would take it: see `validate`."""

Stack = tuple[Program, ...]
"""Filters in the order in which they are attached: the last is the newest, and is run first."""
