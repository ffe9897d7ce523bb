# SPDX-License-Identifier: GPL-2.0-or-later
"""What a filter sees: `struct seccomp_data`, the return actions, and how each ABI of the rig shows itself in it.

Numbers from `include/uapi/linux/seccomp.h`, `include/uapi/linux/audit.h` and `arch/x86/include/uapi/asm/unistd.h`.
"""

from dataclasses import dataclass

SIZE = 64
"""Bytes of `struct seccomp_data`: nr (0), arch (4), instruction_pointer (8), args[6] (16 to 63), little-endian."""
NR, ARCH, IP, ARGS = 0, 4, 8, 16

RET_KILL_PROCESS = 0x80000000
RET_KILL_THREAD = 0x00000000
RET_TRAP = 0x00030000
RET_ERRNO = 0x00050000
RET_USER_NOTIF = 0x7FC00000
RET_TRACE = 0x7FF00000
RET_LOG = 0x7FFC0000
RET_ALLOW = 0x7FFF0000
ACTION_FULL = 0xFFFF0000
DATA = 0x0000FFFF

X32_BIT = 0x40000000

SET_MODE_FILTER = 1
FLAG_TSYNC = 1
"""Operation and flag of seccomp(2)."""


@dataclass(frozen=True, slots=True)
class AbiFacts:
    """`audit_arch` is the value of `seccomp_data.arch`. `offset` is what a number of the ABI's own table carries in
    addition: x32 shares AUDIT_ARCH_X86_64 and is told apart only by bit 30 of `nr`. `wide`: arguments of 64 bits."""

    audit_arch: int
    offset: int = 0
    wide: bool = True


ABIS = {
    "x86_64": AbiFacts(0xC000003E),
    "x32": AbiFacts(0xC000003E, offset=X32_BIT),
    "i386": AbiFacts(0x40000003, wide=False),
    "aarch64": AbiFacts(0xC00000B7),
    "arm": AbiFacts(0x40000028, wide=False),
}
