# SPDX-License-Identifier: GPL-2.0-or-later
"""A, X and scratch memory: their values at the start, each operation, and what wraps, ends or stays within 32 bits."""

from collections.abc import Iterator

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.instruction import MEMWORDS, WORD, Program
from testcases.seccomp.bpf.seccomp_data import ARGS, shift_mask
from testcases.seccomp.edges.code import (
    ALLOW,
    LD_ARCH,
    LD_LEN,
    LD_NR,
    LDX_LEN,
    NEG,
    TAX,
    TXA,
    Edge,
    alu,
    alu_x,
    audit_archs,
    errno,
    jeq,
    jump,
    jump_x,
    ld_imm,
    ld_low,
    ld_mem,
    ldx_imm,
    ldx_mem,
    native_number,
    st,
    stx,
)

_OPERATIONS = {
    "add": bpf.ADD, "sub": bpf.SUB, "mul": bpf.MUL, "div": bpf.DIV, "or": bpf.OR, "and": bpf.AND, "lsh": bpf.LSH,
    "rsh": bpf.RSH, "xor": bpf.XOR,
}  # fmt: skip
_OPERANDS = (0, 1, 2, 3, 7, 31, 32, 33, 0x40000000, 0x80000000, 0xFFFFFFFF)
_SHIFTS = (bpf.LSH, bpf.RSH)


def edges(arch: str) -> Iterator[Edge]:
    nr, shifts = native_number(arch, "getppid"), shift_mask(audit_archs(arch)[0])
    for name, program, why in (*_starts(nr), *_moves(nr), *_scratch(nr, arch)):
        yield Edge(f"register/{name}", (program,), why)
    for word, operation in _OPERATIONS.items():
        for operand in _OPERANDS:
            # A division by X = 0 ends the filter with 0, KILL_THREAD: for one call only, or nothing would live.
            for name, load, code in [("k", (), alu(operation, operand)), ("x", (ldx_imm(operand),), alu_x(operation))]:
                if name == "k" and ((operation == bpf.DIV and not operand) or (operation in _SHIFTS and operand > 31)):
                    continue  # refused by the kernel
                after = (
                    *load,
                    LD_NR,
                    jeq(nr, 0, 3),
                    code,
                    jeq(_result(operation, nr, operand, shifts), 0, 1),
                    errno(3080),
                )
                program = (*after, ALLOW)
                yield Edge(f"alu/{word}-{name}/{operand:#x}", (program,), f"getppid's number {word} {operand:#x}")
    yield from _of_arguments(arch)


def _result(operation: int, left: int, right: int, shifts: int) -> int:
    """What A holds after the operation, u32; 0 where the filter ends before."""
    if operation == bpf.DIV:
        return left // right if right else 0
    values = {
        bpf.ADD: left + right, bpf.SUB: left - right, bpf.MUL: left * right, bpf.OR: left | right,
        bpf.AND: left & right, bpf.LSH: left << (right & shifts), bpf.RSH: left >> (right & shifts),
        bpf.XOR: left ^ right,
    }  # fmt: skip
    return values[operation] & WORD


def _starts(nr: int) -> Iterator[tuple[str, Program, str]]:
    """Nothing is loaded before it is used: A and X are 0."""
    yield "a-zero", (jeq(0, 1, 0), errno(3081), ALLOW), "A tested before any load: allowed"
    yield "a-not-zero", (jeq(0, 0, 1), errno(3082), ALLOW), "A tested before any load: refused"
    yield "a-zero-then-nr", (jeq(0, 0, 1), LD_NR, jeq(nr, 0, 1), errno(3083), ALLOW), "A tested, and then the number"
    yield "a-jset-start", (jump(bpf.JSET, WORD, 0, 1), errno(3084), ALLOW), "no bit of A is set at the start"
    yield "a-above-start", (jump(bpf.JGE, 1, 0, 1), errno(3085), ALLOW), "A is not 1 or more at the start"
    yield "x-zero", (LD_NR, TXA, jeq(0, 1, 0), errno(3086), ALLOW), "X read before it is written"
    yield "x-compare", (jump_x(bpf.JEQ, 1, 0), errno(3087), ALLOW), "A and X compared before any load"
    yield "a-and-start", (alu(bpf.AND, 0xFF), jeq(0, 1, 0), errno(3088), ALLOW), "A masked before any load"


def _moves(nr: int) -> Iterator[tuple[str, Program, str]]:
    end = (jeq(nr, 0, 1), errno(3090), ALLOW)
    yield "tax-txa", (LD_NR, TAX, LD_ARCH, TXA, *end), "the number put away in X"
    yield "imm", (ld_imm(nr), *end), "a constant that looks like a number"
    yield "ldx-imm-compare", (ldx_imm(nr), LD_NR, jump_x(bpf.JEQ, 0, 1), errno(3091), ALLOW), "compared with X"
    for word, test in [("jgt", bpf.JGT), ("jge", bpf.JGE), ("jset", bpf.JSET)]:
        program = (ldx_imm(nr), LD_NR, jump_x(test, 0, 1), errno(3092), ALLOW)
        yield f"x-{word}", program, "compared with X"
    yield "len", (LD_LEN, jeq(64, 1, 0), errno(3093), ALLOW), "LEN is the size of seccomp_data"
    yield "ldx-len", (LDX_LEN, TXA, jeq(64, 1, 0), errno(3094), ALLOW), "and so in X"
    yield "len-as-number", (LDX_LEN, LD_NR, jump_x(bpf.JEQ, 0, 1), errno(3095), ALLOW), "number 64 refused"
    yield "neg", (LD_NR, NEG, jeq(-nr & WORD, 0, 1), errno(3096), ALLOW), "the number negated"
    yield "neg-twice", (LD_NR, NEG, NEG, *end), "and back"
    yield "or-not-and", (LD_NR, alu(bpf.OR, 0x10000), jeq(nr | 0x10000, 0, 1), errno(3097), ALLOW), "OR is not AND"
    yield "and-mask", (LD_NR, alu(bpf.AND, 0xFF), jeq(nr & 0xFF, 0, 1), errno(3098), ALLOW), "only the low byte counts"
    yield "and-zero", (LD_NR, alu(bpf.AND, 0), jeq(0, 1, 0), errno(3099), ALLOW), "nothing of the number is left"
    yield "and-persists", (LD_NR, alu(bpf.AND, 0xFF), jeq(0x1FF, 0, 1), errno(3100), LD_NR, *end), "loaded anew"


def _scratch(nr: int, arch: str) -> Iterator[tuple[str, Program, str]]:
    for word in (0, 7, MEMWORDS - 1):
        program = (LD_NR, st(word), LD_ARCH, ld_mem(word), jeq(nr, 0, 1), errno(3101), ALLOW)
        yield f"scratch-{word}", program, "the number put away in scratch memory"
    through_x = (LD_NR, TAX, stx(2), ldx_imm(0), ldx_mem(2), TXA, jeq(nr, 0, 1), errno(3102), ALLOW)
    yield "scratch-x", through_x, "the number through X and scratch memory"
    argument = (ld_low(ARGS, arch), st(0), LD_NR, jeq(nr, 0, 3), ld_mem(0), jeq(0x1234, 0, 1), errno(3103), ALLOW)
    yield "scratch-argument", argument, "an argument put away, and looked at for one call"


def _of_arguments(arch: str) -> Iterator[Edge]:
    """Outcomes that hold for every argument, though the argument is in the sum."""
    first, second = ld_low(ARGS, arch), ld_low(ARGS + 8, arch)
    zero = (first, TAX, alu_x(bpf.XOR), jeq(0, 1, 0), errno(3104), ALLOW)
    yield Edge("alu/xor-itself", (zero,), "an argument against itself is always 0")
    even = (first, alu(bpf.LSH, 1), jump(bpf.JSET, 1, 0, 1), errno(3105), ALLOW)
    yield Edge("alu/always-even", (even,), "twice a number is even")
    small = (first, alu(bpf.RSH, 16), jump(bpf.JGE, 0x10000, 0, 1), errno(3106), ALLOW)
    yield Edge("alu/always-small", (small,), "the upper half of a word is below 65536")
    square = (first, TAX, alu_x(bpf.MUL), alu(bpf.AND, 3), jeq(2, 0, 1), errno(3107), ALLOW)
    yield Edge("alu/square", (square,), "no square leaves 2 when divided by 4")
    quotient = (second, TAX, first, jump(bpf.JGE, 0x10000, 3, 0), alu_x(bpf.DIV), jump(bpf.JGE, 0x10000, 0, 1))
    yield Edge("alu/div-argument", ((*quotient, errno(3108), ALLOW),), "division by an argument, which may be 0")
    shifted = (second, TAX, first, alu_x(bpf.LSH), jeq(0x80000000, 0, 1), errno(3109), ALLOW)
    yield Edge("alu/lsh-argument", (shifted,), "shift by an argument, of which five bits count")
    total = (first, TAX, second, alu_x(bpf.ADD), jeq(0, 0, 1), errno(3110), ALLOW)
    yield Edge("alu/sum-wraps", (total,), "two arguments whose sum is 0 in 32 bits")
