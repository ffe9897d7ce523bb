# SPDX-License-Identifier: GPL-2.0-or-later
"""A filter as bytes: an array of `struct sock_filter`, 8 bytes each (u16 code, u8 jt, u8 jf, u32 k), no header."""

import struct
from typing import Literal

from testcases.seccomp.bpf.instruction import MAXINSNS, Instruction, Program
from util.errors import UserError

SIZE = 8
"""Bytes of one `struct sock_filter` (`include/uapi/linux/filter.h`)."""

Order = Literal["little", "big"]
BYTE_ORDERS: dict[Order, str] = {"little": "<", "big": ">"}
"""As the formats of `struct` begin."""
_FORMATS: dict[Order, struct.Struct] = {order: struct.Struct(f"{mark}HBBI") for order, mark in BYTE_ORDERS.items()}


def to_raw(program: Program, order: Order = "little") -> bytes:
    """The array that a `struct sock_fprog` of a machine of this byte order points to."""
    pack = _FORMATS[order].pack
    return b"".join(pack(insn.code, insn.jt, insn.jf, insn.k) for insn in program)


def from_raw(data: bytes, order: Order | None = None) -> Program:
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
    return tuple(Instruction(code, jt, jf, k) for code, jt, jf, k in unpack(data))


def byte_order(data: bytes) -> Order:
    """The order in which more of the codes are below 0x100, as every code of classic BPF is; else little."""
    sample = data[: MAXINSNS * SIZE]
    low, high = sample[0::SIZE], sample[1::SIZE]
    return "big" if high.count(0) < low.count(0) else "little"
