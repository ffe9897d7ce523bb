# SPDX-License-Identifier: GPL-2.0-or-later
"""What a filter sees: `struct seccomp_data`, the return actions, and how each ABI of the rig shows itself in it.

Numbers from `include/uapi/linux/seccomp.h`, `include/uapi/linux/audit.h` and `arch/x86/include/uapi/asm/unistd.h`;
those of the ABIs from the architectures' files.
"""

from dataclasses import dataclass

from configs.names import names, raw
from testcases.seccomp.bpf.instruction import ByteOrder

SIZE = 64
"""Bytes of `struct seccomp_data`: nr (0), arch (4), instruction_pointer (8), args[6] (16 to 63), in the kernel's
byte order: of a field of 64 bits the low half comes first on a little-endian machine, and last on a big-endian one."""
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


AUDIT_64BIT, AUDIT_LE = 0x80000000, 0x40000000
"""__AUDIT_ARCH_64BIT and __AUDIT_ARCH_LE (include/uapi/linux/audit.h)."""


@dataclass(frozen=True, slots=True)
class AbiFacts:
    """`system_calls` of an ABI in the file of its architecture: `configs.model.SystemCalls`, which checks it, says what
    each means. To import that model takes longer than a command's help may."""

    audit_arch: int
    wide: bool
    scmp_arch: str
    offset: int = 0
    number_bits: int = 32
    clone_flags: int = 0
    shift_bits: int = 5
    second_entry: str = ""
    cache_name: str = ""


_RAW = sorted((raw("archs", name) for name in names("archs")), key=lambda arch: (-len(arch["abis"]), arch["name"]))
"""Those with the most ABIs first; read without the lines of their mistakes, which takes a tenth of the time."""
ARCH_ABIS: dict[str, tuple[str, ...]] = {arch["name"]: tuple(arch["abis"]) for arch in _RAW}
"""The ABIs of a kernel by its architecture, the native one first."""
ABIS = {name: AbiFacts(**abi["system_calls"]) for arch in _RAW for name, abi in arch["abis"].items()}
"""What an ABI's calls look like to a filter. x32 shares AUDIT_ARCH_X86_64 and is told apart only by bit 30 of `nr`."""
KERNEL_ARCHS: dict[str, str] = {arch["name"]: arch["kernel_arch"] for arch in _RAW}
"""ARCH= of the kernel's make by architecture, the name by which some tools know it."""
DEFAULT_ARCH = next(iter(ARCH_ABIS))
"""The architecture that is meant where neither the user nor a filter says one: that with the most ABIs."""


def together(abi: str) -> tuple[str, ...]:
    """The ABIs that share the audit architecture of this one, itself among them: a filter tells them by numbers."""
    return tuple(name for name, facts in ABIS.items() if facts.audit_arch == ABIS[abi].audit_arch)


def order_of(arch: int) -> ByteOrder:
    """The byte order of machines of an audit architecture: it says so itself."""
    return "little" if arch & AUDIT_LE else "big"


def order_of_abi(abi: str) -> ByteOrder:
    return order_of(ABIS[abi].audit_arch)


def low_half(field: int, order: ByteOrder) -> int:
    """The offset of the low 32 bits of a field of 64 bits at the offset `field`."""
    return field if order == "little" else field + 4


def high_half(field: int, order: ByteOrder) -> int:
    return field + 4 if order == "little" else field


_SHIFTS = {facts.audit_arch: (1 << facts.shift_bits) - 1 for facts in ABIS.values()}


def shift_mask(arch: int) -> int:
    """Which bits of X a kernel with programs of this audit architecture shifts by: five, as the interpreter does, or
    what its JIT compiler leaves to the processor."""
    return _SHIFTS.get(arch, 31)


def native_arch(arch: int) -> int:
    """The audit architecture of the 64-bit programs of a kernel under which `arch` is one; `arch` if nobody knows."""
    of_kernels = ([ABIS[abi].audit_arch for abi in abis] for abis in ARCH_ABIS.values())
    return next((archs[0] for archs in of_kernels if arch in archs), arch)
