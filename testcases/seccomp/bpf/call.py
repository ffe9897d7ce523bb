# SPDX-License-Identifier: GPL-2.0-or-later
"""One system call as a filter sees it: the content of `struct seccomp_data`."""

import struct
from dataclasses import dataclass

from testcases.seccomp.bpf.instruction import WORD
from testcases.seccomp.bpf.seccomp_data import ARGS, IP

_FORMAT = struct.Struct("<IIQ6Q")
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
        """In the order of a little-endian machine, which all of the rig's are: low half of a field first."""
        halves = [half for value in (self.ip, *self.args) for half in (value & WORD, value >> 32)]
        return (self.nr, self.arch, *halves)

    def pack(self) -> bytes:
        """The 64 bytes of the structure, little-endian."""
        return _FORMAT.pack(self.nr, self.arch, self.ip, *self.args)


def from_words(words: Words) -> Call:
    """The call of these 16 words."""
    wide = [words[at] | words[at + 1] << 32 for at in range(2, 16, 2)]
    return Call(words[0], words[1], wide[0], tuple(wide[1:]))


def field_name(offset: int) -> str:
    """What stands at a word's offset in `struct seccomp_data`: `nr`, `arch`, `ip low`, `args[2] high`."""
    if offset < IP:
        return ("nr", "arch")[offset // 4]
    half = ("low", "high")[offset // 4 % 2]
    return f"ip {half}" if offset < ARGS else f"args[{(offset - ARGS) // 8}] {half}"
