# SPDX-License-Identifier: GPL-2.0-or-later
"""Every code that seccomp takes, by name: what `seccomp_check_filter` (kernel/seccomp.c) lets through; and what can
follow an instruction."""

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.instruction import Instruction

LD_ABS = bpf.LD | bpf.W | bpf.ABS
LD_LEN, LDX_LEN = bpf.LD | bpf.W | bpf.LEN, bpf.LDX | bpf.W | bpf.LEN
LD_IMM, LDX_IMM = bpf.LD | bpf.IMM, bpf.LDX | bpf.IMM
LD_MEM, LDX_MEM = bpf.LD | bpf.MEM, bpf.LDX | bpf.MEM
ST, STX = bpf.ST, bpf.STX
TAX, TXA = bpf.MISC | bpf.TAX, bpf.MISC | bpf.TXA
RET_K, RET_A = bpf.RET | bpf.K, bpf.RET | bpf.A
JA = bpf.JMP | bpf.JA
NEG = bpf.ALU | bpf.NEG
AND_K = bpf.ALU | bpf.AND | bpf.K
DIV_K, DIV_X = bpf.ALU | bpf.DIV | bpf.K, bpf.ALU | bpf.DIV | bpf.X
LSH_K, RSH_K = bpf.ALU | bpf.LSH | bpf.K, bpf.ALU | bpf.RSH | bpf.K
JEQ_K, JGT_K, JGE_K, JSET_K = (bpf.JMP | op | bpf.K for op in (bpf.JEQ, bpf.JGT, bpf.JGE, bpf.JSET))
JEQ_X, JGT_X, JGE_X, JSET_X = (code | bpf.X for code in (JEQ_K, JGT_K, JGE_K, JSET_K))

OP = 0xF0
"""The bits of a jump's or ALU instruction's code that name its operation."""

TESTS_K = frozenset({JEQ_K, JGT_K, JGE_K, JSET_K})
TESTS_X = frozenset({JEQ_X, JGT_X, JGE_X, JSET_X})
TESTS = TESTS_K | TESTS_X
"""Conditional jumps."""
BINARY = (bpf.ADD, bpf.SUB, bpf.MUL, bpf.DIV, bpf.OR, bpf.AND, bpf.LSH, bpf.RSH, bpf.XOR)
ALU_K = frozenset(bpf.ALU | op | bpf.K for op in BINARY)
ALU_X = frozenset(bpf.ALU | op | bpf.X for op in BINARY)
RETURNS = frozenset({RET_K, RET_A})
SCRATCH = frozenset({LD_MEM, LDX_MEM, ST, STX})
LOADS = frozenset({LD_ABS, LD_LEN, LDX_LEN, LD_IMM, LDX_IMM})
LOADS_A = frozenset({LD_ABS, LD_LEN, LD_IMM, LD_MEM})
ALLOWED = TESTS | ALU_K | ALU_X | RETURNS | SCRATCH | LOADS | {JA, NEG, TAX, TXA}
"""`mod` and loads of bytes, of halves or at an index are classic BPF too, and are refused."""


def with_constant(code: int) -> int:
    """The code of the same operation on a constant, where `code` takes register X: JEQ_K for JEQ_X and for JEQ_K."""
    return code & ~bpf.X


def skips(insn: Instruction) -> tuple[int, ...]:
    """How many instructions each way on from this one passes over: none from a return, two from a conditional jump, of
    which the first is that of a condition that holds."""
    if insn.code in TESTS:
        return insn.jt, insn.jf
    if insn.code in RETURNS:
        return ()
    return (insn.k,) if insn.code == JA else (0,)
