# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters that the kernel does not take, with a good one below and on top: a refusal leaves the stack as it was."""

from collections.abc import Iterator

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.instruction import MAXINSNS, MEMWORDS, Instruction, Program
from testcases.seccomp.bpf.seccomp_data import SIZE
from testcases.seccomp.edges.code import (
    ALLOW,
    LD_NR,
    Edge,
    alu,
    errno,
    ja,
    jeq,
    ld,
    ld_mem,
    ldx_mem,
    numbers,
    st,
    unless,
)


def edges(arch: str) -> Iterator[Edge]:
    good = (LD_NR, *unless(numbers(arch, "getppid"), errno(3070)))
    for name, program, why in _programs():
        yield Edge(f"refused/{name}", (good, program, good), why)


def _programs() -> Iterator[tuple[str, Program, str]]:
    yield "empty", (), "no instruction"
    yield "4097", ((LD_NR,) * MAXINSNS + (ALLOW,)), "one instruction too many"
    yield "no-return", ((LD_NR,)), "the last instruction is no return"
    yield "jt-out", (LD_NR, jeq(0, 1, 0), ALLOW), "jump to just behind the end"
    yield "jf-out", (LD_NR, jeq(0, 0, 1), ALLOW), "jump to just behind the end"
    yield "ja-out", (ja(1), ALLOW), "jump to just behind the end"
    yield "ja-back", (LD_NR, ja(0xFFFFFFFE), ALLOW), "jump backwards"
    yield "load-misaligned", (ld(2), ALLOW), "load across two words"
    yield "load-behind", (ld(SIZE), ALLOW), "load behind seccomp_data"
    yield "load-ancillary", (ld(0xFFFFF000), ALLOW), "load of what only sockets have (SKF_AD_OFF)"
    yield "load-half", (Instruction(bpf.LD | bpf.H | bpf.ABS), ALLOW), "load of 16 bits"
    yield "load-byte", (Instruction(bpf.LD | bpf.B | bpf.ABS), ALLOW), "load of 8 bits"
    yield "load-indirect", (Instruction(bpf.LD | bpf.W | bpf.IND), ALLOW), "load relative to X"
    yield "load-msh", (Instruction(bpf.LDX | bpf.B | bpf.MSH), ALLOW), "load of an IP header's length"
    yield "divide-by-0", (LD_NR, alu(bpf.DIV, 0), ALLOW), "division by the constant 0"
    yield "modulo", (LD_NR, alu(bpf.MOD, 3), ALLOW), "an operation that seccomp does not have"
    yield "shift-32", (LD_NR, alu(bpf.LSH, 32), ALLOW), "shift by the constant 32"
    yield "scratch-16", (LD_NR, st(MEMWORDS), ALLOW), "store behind the scratch memory"
    yield "scratch-unwritten", (ld_mem(0), ALLOW), "scratch word read before it is written"
    yield "scratch-unwritten-x", (ldx_mem(3), ALLOW), "scratch word read before it is written"
    branch = (LD_NR, jeq(0, 0, 1), st(0), ld_mem(0), ALLOW)
    yield "scratch-half-written", branch, "scratch word written on one way only"
    yield "unknown-code", (Instruction(0xFF), ALLOW), "no instruction at all"
    yield "wide-code", (Instruction(0x0100 | bpf.RET), ALLOW), "a code beyond 8 bits"
    yield "return-x", (LD_NR, Instruction(bpf.RET | bpf.X)), "return of X"
    yield "negate-x", (Instruction(bpf.ALU | bpf.NEG | bpf.X), ALLOW), "negation, marked as if it used X"
