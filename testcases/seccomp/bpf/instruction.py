# SPDX-License-Identifier: GPL-2.0-or-later
"""One instruction of classic BPF, as the kernel's `struct sock_filter` holds it, and what every other module builds on.
A filter as bytes is an array of them, 8 bytes each (u16 code, u8 jt, u8 jf, u32 k), without a header.

The numbers are those of `include/uapi/linux/bpf_common.h` and `include/uapi/linux/filter.h`.
"""

import struct
from typing import Literal, NamedTuple

from util.errors import UserError

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
SIZE = 8
"""Bytes of one `struct sock_filter` (`include/uapi/linux/filter.h`)."""

ByteOrder = Literal["little", "big"]
BYTE_ORDERS: dict[ByteOrder, str] = {"little": "<", "big": ">"}
"""As the formats of `struct` begin."""
_FORMATS: dict[ByteOrder, struct.Struct] = {order: struct.Struct(f"{mark}HBBI") for order, mark in BYTE_ORDERS.items()}


class Instruction(NamedTuple):
    """`struct sock_filter`: u16 `code`, u8 `jt` and `jf` (instructions to skip after the next), u32 `k`.

    A batch has a hundred thousand of them: a tuple is made and hashed in a fraction of a dataclass's time."""

    code: int
    jt: int = 0
    jf: int = 0
    k: int = 0


Program = tuple[Instruction, ...]
"""One filter. Nothing says that the kernel would take it: see `validate`."""

Stack = tuple[Program, ...]
"""Filters in the order in which they are attached: the last is the newest, and is run first."""


def to_raw(program: Program, order: ByteOrder = "little") -> bytes:
    """The array that a `struct sock_fprog` of a machine of this byte order points to."""
    pack = _FORMATS[order].pack
    return b"".join(pack(insn.code, insn.jt, insn.jf, insn.k) for insn in program)


def from_raw(data: bytes, order: ByteOrder | None = None) -> Program:
    """The filter in `data`; its byte order is taken from the first instruction's code if none is given.

    Nothing but the form is judged here, see `validate`. Raises UserError if it cannot be an array of instructions.
    """
    if not data:
        raise UserError("not a raw filter: it is empty")
    if len(data) % SIZE:
        raise UserError(f"not a raw filter: {len(data)} bytes are no multiple of {SIZE}, the size of sock_filter")
    if len(data) > 0xFFFF * SIZE:
        raise UserError(f"not a raw filter: {len(data) // SIZE} instructions are more than sock_fprog.len can say")
    unpack = _FORMATS[order or byte_order(data)].iter_unpack
    return tuple(map(Instruction._make, unpack(data)))


def byte_order(data: bytes) -> ByteOrder:
    """The order in which more of the codes are below 0x100, as every code of classic BPF is; else little."""
    sample = data[: MAXINSNS * SIZE]
    low, high = sample[0::SIZE], sample[1::SIZE]
    return "big" if high.count(0) < low.count(0) else "little"
