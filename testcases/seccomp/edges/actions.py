# SPDX-License-Identifier: GPL-2.0-or-later
"""Every return value that means something of its own, and stacks in which two of them meet."""

from collections.abc import Iterator

from testcases.seccomp.bpf.instruction import Instruction, Program
from testcases.seccomp.bpf.seccomp_data import (
    ARGS,
    RET_ALLOW,
    RET_ERRNO,
    RET_KILL_PROCESS,
    RET_KILL_THREAD,
    RET_LOG,
    RET_TRACE,
    RET_TRAP,
    RET_USER_NOTIF,
)
from testcases.seccomp.edges.code import ALLOW, LD_NR, RET_A, Edge, errno, ld_imm, ld_low, numbers, ret, unless

_NAMES = {
    "kill-process": RET_KILL_PROCESS,
    "kill-thread": RET_KILL_THREAD,
    "trap": RET_TRAP,
    "errno": RET_ERRNO,
    "user-notif": RET_USER_NOTIF,
    "trace": RET_TRACE,
    "log": RET_LOG,
    "allow": RET_ALLOW,
}
_UNKNOWN = (0x00010000, 0x00040000, 0x00060000, 0x7FFB0000, 0x7FFD0000, 0x7FFE0000, 0x7FFF8000, 0x80010000, 0xFFFF0000)
"""Values that are no action, next to those that are. As s32 the last two are negative, so stricter than KILL_THREAD."""
_DATA = (0, 1, 4095, 4096, 0xFFFF)
"""MAX_ERRNO is 4095."""


def edges(arch: str) -> Iterator[Edge]:
    for name, action in _NAMES.items():
        for data in _DATA:
            yield Edge(
                f"action/{name}/{data}",
                (_for_getppid(arch, ret(action | data)),),
                f"getppid gets {action | data:#010x}, all else is allowed",
            )
        opposite = (LD_NR, *unless(numbers(arch, "getppid"), ret(action))[:-1], errno(3001))
        yield Edge(f"action/{name}/only", (opposite,), f"getppid gets {action:#010x}, all else an errno")
    for value in _UNKNOWN:
        program = _for_getppid(arch, ret(value))
        yield Edge(f"action/unknown/{value:08x}", (program,), f"getppid gets {value:#010x}, which is no action")
    yield from _allow_with_data(arch)
    yield from _pairs(arch)


def _allow_with_data(arch: str) -> Iterator[Edge]:
    """ALLOW is recognised with any data, and only a cache that compares the whole word leaves it out."""
    for data in (1, 0x8000, 0xFFFF):
        yield Edge(f"action/allow-all/{data}", ((ret(RET_ALLOW | data),),), "everything gets ALLOW with data")
        stack = ((ALLOW,), (ret(RET_ALLOW | data),), (ALLOW,))
        yield Edge(f"action/allow-all-between/{data}", stack, "ALLOW with data between plain ones")
    yield Edge("action/return-a", ((ld_imm(RET_ALLOW), RET_A),), "ALLOW from A")
    yield Edge(
        "action/return-a-argument", ((ld_low(ARGS, arch), RET_A),), "the low half of the first argument decides all"
    )


def _pairs(arch: str) -> Iterator[Edge]:
    """Both orders of every two actions: the stricter one wins, and of equals the newer filter's data."""
    for older, one in _NAMES.items():
        for newer, other in _NAMES.items():
            stack = (_for_getppid(arch, ret(one | 0xBB9)), _for_getppid(arch, ret(other | 0xBBA)))
            yield Edge(f"action/pair/{older}/{newer}", stack, f"getppid: {older}, and on top of it {newer}")
    getppid, getpgid = _for_getppid(arch, errno(3003)), (LD_NR, *unless(numbers(arch, "getpgid"), errno(3004)))
    yield Edge(
        "action/pair/disjoint",
        (getppid, getpgid),
        "each filter refuses what the other allows",
    )
    yield Edge("action/pair/looser", ((errno(3005),), (ALLOW,)), "everything denied, then everything allowed")
    yield Edge("action/pair/stricter", ((ALLOW,), (errno(3006),)), "everything allowed, then everything denied")


def _for_getppid(arch: str, instruction: Instruction) -> Program:
    return (LD_NR, *unless(numbers(arch, "getppid"), instruction))
