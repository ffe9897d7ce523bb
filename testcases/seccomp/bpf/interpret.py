# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs filters as the kernel does: A, X and scratch memory of 32 bits, A and X zero at the start.

A division by an X of zero ends the filter with 0 (`bpf_convert_filter`); a shift by X takes the low five bits of it, as
the interpreter and the JITs of x86-64 and arm64 do, or six where the architecture's JIT does (`shift_mask`). Programs
must be valid (`validate.refusal`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.call import Call, Words
from testcases.seccomp.bpf.instruction import MEMWORDS, WORD, Instruction, Program, Stack
from testcases.seccomp.bpf.opcodes import (
    ALU_K,
    ALU_X,
    JA,
    LD_ABS,
    LD_IMM,
    LD_LEN,
    LD_MEM,
    LDX_IMM,
    LDX_LEN,
    LDX_MEM,
    NEG,
    OP,
    RET_A,
    RET_K,
    SCRATCH,
    ST,
    STX,
    TAX,
    TESTS,
    TESTS_K,
    TXA,
)
from testcases.seccomp.bpf.seccomp_data import ACTION_FULL, ARCH, RET_ALLOW, SIZE, shift_mask

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Execution:
    """What one filter did: its return value (u32), the indices of the instructions executed, in order, and the
    offsets of `struct seccomp_data` that were read."""

    value: int
    path: tuple[int, ...]
    read: frozenset[int]

    @property
    def executed(self) -> int:
        return len(self.path)


def run(program: Program, call: Call) -> Execution:
    """One filter, one call, with all that can be seen on the way."""
    path: list[int] = []
    read: set[int] = set()
    value = execute(program, call.words(), path=path, read=read)
    return Execution(value, tuple(path), frozenset(read))


def execute(  # noqa: PLR0912 - one branch for each kind of instruction
    program: Program,
    words: Words,
    pc: int = 0,
    a: int = 0,
    path: list[int] | None = None,
    read: set[int] | None = None,
) -> int:
    """The return value of `program` for `words`, from instruction `pc` with A as given (X and scratch are zero)."""
    x = 0
    scratch = [0] * MEMWORDS
    while True:
        insn = program[pc]
        code, k = insn.code, insn.k
        if path is not None:
            path.append(pc)
        pc += 1
        if code in TESTS:
            pc += insn.jt if test(code, a, k if code in TESTS_K else x) else insn.jf
        elif code == LD_ABS:
            a = words[k >> 2]
            if read is not None:
                read.add(k)
        elif code == RET_K:
            return k
        elif code == RET_A:
            return a
        elif code == JA:
            pc += k
        elif code in ALU_X or code in ALU_K:
            operand = x if code in ALU_X else k
            if operand == 0 and code & OP == bpf.DIV:
                return 0
            a = alu(code & OP, a, operand, shift_mask(words[ARCH // 4]))
        elif code == NEG:
            a = -a & WORD
        elif code == LD_IMM:
            a = k
        elif code == LDX_IMM:
            x = k
        elif code == LD_MEM:
            a = scratch[k]
        elif code == LDX_MEM:
            x = scratch[k]
        elif code == ST:
            scratch[k] = a
        elif code == STX:
            scratch[k] = x
        elif code == TAX:
            x = a
        elif code == TXA:
            a = x
        elif code == LD_LEN:
            a = SIZE
        elif code == LDX_LEN:
            x = SIZE
        else:
            raise ValueError(f"instruction {pc - 1}: code {code:#x} is not valid")


def behind(
    insn: Instruction,
    a: Value,
    x: Value,
    scratch: tuple[Value, ...],
    load: Callable[[int], Value],
    compute: Callable[[int, Value, Value], Value],
) -> tuple[Value, Value, tuple[Value, ...]]:
    """A, X and scratch behind an instruction that neither jumps nor returns, for a walk over all calls at once.

    The values may be of any kind that integers are among. `load` gives the word at an offset of `struct seccomp_data`,
    `compute` what an operation (`code & OP`) makes of two values. `execute` is the same over integers alone, in one
    function, because it runs for every single call.
    """
    code = insn.code
    k: Any = insn.k
    size: Any = SIZE
    if code == LD_ABS:
        a = load(k)
    elif code in ALU_K:
        a = compute(code & OP, a, k)
    elif code in ALU_X:
        a = compute(code & OP, a, x)
    elif code == NEG:
        zero: Any = 0
        a = compute(bpf.SUB, zero, a)
    elif code in {LD_IMM, LD_LEN, LD_MEM, TXA}:
        a = k if code == LD_IMM else size if code == LD_LEN else x if code == TXA else scratch[k]
    elif code in {LDX_IMM, LDX_LEN, LDX_MEM, TAX}:
        x = k if code == LDX_IMM else size if code == LDX_LEN else a if code == TAX else scratch[k]
    elif code in SCRATCH:
        scratch = (*scratch[:k], a if code == ST else x, *scratch[k + 1 :])
    return a, x, scratch


def test(code: int, a: int, operand: int) -> bool:
    """Whether a conditional jump of this code is taken."""
    op = code & OP
    if op == bpf.JEQ:
        return a == operand
    if op == bpf.JGE:
        return a >= operand
    if op == bpf.JGT:
        return a > operand
    return a & operand != 0


def alu(op: int, a: int, operand: int, shifts: int = 31) -> int:
    """A after an operation with 32-bit wrap; `operand` of a division is not 0. `shifts` are the bits of it that a shift
    looks at (`shift_mask`)."""
    if op == bpf.ADD:
        result = a + operand
    elif op == bpf.SUB:
        result = a - operand
    elif op == bpf.MUL:
        result = a * operand
    elif op == bpf.DIV:
        result = a // operand
    elif op == bpf.AND:
        result = a & operand
    elif op == bpf.OR:
        result = a | operand
    elif op == bpf.XOR:
        result = a ^ operand
    elif op == bpf.LSH:
        result = a << (operand & shifts)
    else:
        result = a >> (operand & shifts)
    return result & WORD


def precedence(value: int) -> int:
    """The action of a return value as `seccomp_run_filters` compares it: without data, as a signed 32-bit number."""
    action = value & ACTION_FULL
    return action - (1 << 32) if action >> 31 else action


def combine(values: Iterable[int]) -> int:
    """What a stack returns whose filters return `values`, the newest first: the lowest action wins, and of equal ones
    the newest, with its data. A value that is ALLOW with data leaves the plain ALLOW that the kernel starts from."""
    result = RET_ALLOW
    for value in values:
        if precedence(value) < precedence(result):
            result = value
    return result


def decide(stack: Stack, call: Call) -> int:
    """The return value (u32) on which the kernel acts. `stack` holds the filters as attached, the newest last."""
    words = call.words()
    return combine(execute(program, words) for program in reversed(stack))
