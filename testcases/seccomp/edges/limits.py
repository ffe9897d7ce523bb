# SPDX-License-Identifier: GPL-2.0-or-later
"""The shortest and the longest filters, and stacks at the limit for one task.

That limit is 32768 instructions (MAX_INSNS_PER_PATH of kernel/seccomp.c) after conversion to the kernel's internal
BPF, which begins with three instructions of its own and makes two of a return; each older filter costs four more.
"""

from collections.abc import Iterator

from testcases.seccomp.bpf.instruction import MAXINSNS, Program
from testcases.seccomp.edges.code import ALLOW, LD_ARCH, LD_NR, Edge, errno, jeq, native_number

_PATH = 32768
_PENALTY = 4
_CONVERTED = 3 + 2
"""What the kernel adds to a filter of loads and one return: three at the start, and two for the return itself."""


def edges(arch: str) -> Iterator[Edge]:
    nr = native_number(arch, "getppid")
    yield Edge("limit/one-allow", ((ALLOW,),), "one instruction")
    yield Edge("limit/one-errno", ((errno(3050),),), "one instruction")
    yield Edge("limit/4096-loads", (_loads(MAXINSNS),), "every instruction is executed")
    tests = tuple(jeq(1000 + i, 0, 0) for i in range(MAXINSNS - 4))
    program = (LD_NR, *tests, jeq(nr, 0, 1), errno(3051), ALLOW)
    yield Edge("limit/4096-tests", (program,), "every test is executed")
    dead = (LD_NR, jeq(nr, 0, 1), errno(3052), ALLOW, *(errno(3053),) * (MAXINSNS - 4))
    yield Edge("limit/4096-dead", (dead,), "nearly every instruction cannot be reached")
    full = (_loads(MAXINSNS),) * 7
    left = _PATH - sum(len(program) - 1 + _CONVERTED + _PENALTY for program in full)
    fits = _loads(left - _CONVERTED + 1)
    yield Edge("limit/path-just", (*full, fits), "exactly as many instructions as a task may have")
    yield Edge("limit/path-over", (*full, (*fits[:-1], LD_ARCH, ALLOW)), "one more, so that the last filter is refused")
    yield Edge("limit/path-over-then-fits", (*full, (*fits[:-1], LD_ARCH, ALLOW), fits), "refused, then one that fits")
    yield Edge("limit/many-small", ((ALLOW,),) * 256, "256 filters of one instruction")


def _loads(length: int) -> Program:
    """So many instructions, all executed, and everything allowed."""
    return (*(LD_NR if i % 2 else LD_ARCH for i in range(length - 1)), ALLOW)
