# SPDX-License-Identifier: GPL-2.0-or-later
"""One system call as a filter sees it: the content of `struct seccomp_data`."""

import struct
from dataclasses import dataclass

from testcases.seccomp.bpf.instruction import WORD, ByteOrder
from testcases.seccomp.bpf.seccomp_data import ARGS, IP, order_of

_FORMATS: dict[ByteOrder, struct.Struct] = {"little": struct.Struct("<IIQ6Q"), "big": struct.Struct(">IIQ6Q")}
NO_ARGS = (0,) * 6

Words = tuple[int, ...]
"""The 16 words of 32 bits of a `struct seccomp_data`; the load `ld [k]` reads word k / 4."""


@dataclass(frozen=True, slots=True)
class Call:
    """`nr` (u32: -1 is 0xffffffff) and `arch` of 32 bits, instruction pointer and six arguments of 64."""

    nr: int
    arch: int
    ip: int = 0
    args: tuple[int, ...] = NO_ARGS

    def words(self) -> Words:
        """In the byte order of the machine that `arch` says: the low half of a field first, or last."""
        halves = [half for value in (self.ip, *self.args) for half in (value & WORD, value >> 32)]
        if order_of(self.arch) == "big":
            halves[0::2], halves[1::2] = halves[1::2], halves[0::2]
        return (self.nr, self.arch, *halves)

    def pack(self) -> bytes:
        """The 64 bytes of the structure, in the byte order of `arch`."""
        return _FORMATS[order_of(self.arch)].pack(self.nr, self.arch, self.ip, *self.args)


def from_words(words: Words) -> Call:
    """The call of these 16 words."""
    low, high = (0, 1) if order_of(words[1]) == "little" else (1, 0)
    wide = [words[at + low] | words[at + high] << 32 for at in range(2, 16, 2)]
    return Call(words[0], words[1], wide[0], tuple(wide[1:]))


def field_name(offset: int, order: ByteOrder = "little") -> str:
    """What stands at a word's offset in `struct seccomp_data`: `nr`, `arch`, `ip low`, `args[2] high`."""
    if offset < IP:
        return ("nr", "arch")[offset // 4]
    half = ("low", "high")[offset // 4 % 2 ^ (order == "big")]
    return f"ip {half}" if offset < ARGS else f"args[{(offset - ARGS) // 8}] {half}"
