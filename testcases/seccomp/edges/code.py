# SPDX-License-Identifier: GPL-2.0-or-later
"""What an edge is, and the words in which its filters are written: one function for each instruction that seccomp
accepts."""

from collections.abc import Sequence
from dataclasses import dataclass

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.instruction import Instruction, Program, Stack
from testcases.seccomp.bpf.seccomp_data import (
    ABIS,
    ARCH,
    ARCH_ABIS,
    AUDIT_64BIT,
    NR,
    RET_ALLOW,
    RET_ERRNO,
    low_half,
    order_of_abi,
)
from testcases.seccomp.filters.libseccomp import number
from util.errors import MachineError


@dataclass(frozen=True, slots=True)
class Edge:
    """A stack made by hand: its name behind `edge/`, the filters, and what can be got wrong of them."""

    name: str
    stack: Stack
    why: str


ALLOW = Instruction(bpf.RET | bpf.K, k=RET_ALLOW)
LD_NR = Instruction(bpf.LD | bpf.W | bpf.ABS, k=NR)
LD_ARCH = Instruction(bpf.LD | bpf.W | bpf.ABS, k=ARCH)
RET_A = Instruction(bpf.RET | bpf.A)
TAX = Instruction(bpf.MISC | bpf.TAX)
TXA = Instruction(bpf.MISC | bpf.TXA)
LD_LEN = Instruction(bpf.LD | bpf.W | bpf.LEN)
LDX_LEN = Instruction(bpf.LDX | bpf.W | bpf.LEN)
NEG = Instruction(bpf.ALU | bpf.NEG)


def ret(value: int) -> Instruction:
    return Instruction(bpf.RET | bpf.K, k=value)


def errno(data: int) -> Instruction:
    """The errors from 3000 up are no real ones, so that each tells which return it comes from (4095 is the last)."""
    return ret(RET_ERRNO | data)


def ld_low(field: int, arch: str) -> Instruction:
    """Loads the low half of a field of 64 bits."""
    return ld(low_half(field, order_of_abi(ARCH_ABIS[arch][0])))


def ld(offset: int) -> Instruction:
    """A = the word of `struct seccomp_data` at `offset`."""
    return Instruction(bpf.LD | bpf.W | bpf.ABS, k=offset)


def ld_imm(value: int) -> Instruction:
    return Instruction(bpf.LD | bpf.IMM, k=value)


def ldx_imm(value: int) -> Instruction:
    return Instruction(bpf.LDX | bpf.IMM, k=value)


def ld_mem(word: int) -> Instruction:
    return Instruction(bpf.LD | bpf.MEM, k=word)


def ldx_mem(word: int) -> Instruction:
    return Instruction(bpf.LDX | bpf.MEM, k=word)


def st(word: int) -> Instruction:
    return Instruction(bpf.ST, k=word)


def stx(word: int) -> Instruction:
    return Instruction(bpf.STX, k=word)


def ja(over: int) -> Instruction:
    return Instruction(bpf.JMP | bpf.JA, k=over)


def jump(test: int, value: int, over_if: int, over_else: int) -> Instruction:
    """`test` is bpf.JEQ, JGT, JGE or JSET, on A and a constant."""
    return Instruction(bpf.JMP | test | bpf.K, over_if, over_else, value)


def jump_x(test: int, over_if: int, over_else: int) -> Instruction:
    """The same on A and X."""
    return Instruction(bpf.JMP | test | bpf.X, over_if, over_else)


def jeq(value: int, over_if: int, over_else: int) -> Instruction:
    return jump(bpf.JEQ, value, over_if, over_else)


def alu(operation: int, value: int) -> Instruction:
    return Instruction(bpf.ALU | operation | bpf.K, k=value)


def alu_x(operation: int) -> Instruction:
    return Instruction(bpf.ALU | operation | bpf.X)


def numbers(arch: str, *names: str) -> list[int]:
    """The numbers of these calls under each ABI of `arch` that has them, as filters see them; sorted, each once."""
    found = (number(name, abi) for abi in ARCH_ABIS[arch] for name in names)
    return sorted({nr for nr in found if nr is not None})


def native_number(arch: str, name: str) -> int:
    """The number of a call under the kernel's own ABI."""
    return _certain(name, ARCH_ABIS[arch][0])


def compat_number(arch: str, name: str) -> int:
    """The number of a call under the 32-bit ABI with an architecture of its own: the last of the list."""
    return _certain(name, ARCH_ABIS[arch][-1])


def _certain(name: str, abi: str) -> int:
    found = number(name, abi)
    if found is None:
        raise MachineError(f"libseccomp knows no {name} for {abi}")
    return found


def unless(values: Sequence[int], otherwise: Instruction) -> Program:
    """`otherwise` if A is one of `values` (at most 255), else ALLOW."""
    count = len(values)
    return (*(jeq(value, count - i, 0) for i, value in enumerate(values)), ja(1), otherwise, ALLOW)


def native_and_compat(arch: str) -> tuple[int, int]:
    """The audit architectures of the kernel's own ABI and of its 32-bit one, or what this would be if it had one."""
    native, *compat = audit_archs(arch)
    return native, (*compat, native & ~AUDIT_64BIT)[0]


def audit_archs(arch: str) -> list[int]:
    """Native, then compat."""
    return list(dict.fromkeys(ABIS[abi].audit_arch for abi in ARCH_ABIS[arch]))
