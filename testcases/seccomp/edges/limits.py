# SPDX-License-Identifier: GPL-2.0-or-later
"""The shortest and the longest filters, and stacks at the limit for one task.

That limit is 32768 instructions (MAX_INSNS_PER_PATH of kernel/seccomp.c) after conversion to the kernel's internal
BPF, which begins with three instructions of its own and makes two of a return; each older filter costs four more.

Stacks of that size are executed once, for every number. Where one is there to be refused, its filters return at once:
more than half of all instructions that a kernel worked through to find what is always allowed were theirs.
"""

from collections.abc import Iterator

from testcases.seccomp.bpf.instruction import MAXINSNS, Program, Stack
from testcases.seccomp.edges.code import ALLOW, LD_ARCH, LD_NR, Edge, errno, jeq, native_number

_PATH = 32768
_PENALTY = 4
_START = 3


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
    full, idle = (_loads(MAXINSNS),) * 7, ((ALLOW, *_loads(MAXINSNS - 1)),) * 7
    yield Edge("limit/path-just", (*full, _that_fits(full)), "exactly as many instructions as a task may have")
    fits = _that_fits(idle)
    over = (*fits[:-1], LD_ARCH, ALLOW)
    yield Edge("limit/path-over", (*idle, over), "one more, so that the last filter is refused")
    yield Edge("limit/path-over-then-fits", (*idle, over, fits), "refused, then one that fits")
    yield Edge("limit/many-small", ((ALLOW,),) * 256, "256 filters of one instruction")


def _that_fits(older: Stack) -> Program:
    """The longest filter of loads that may come behind these."""
    left = _PATH - sum(_converted(program) + _PENALTY for program in older)
    return _loads(left - _START - 1)


def _converted(program: Program) -> int:
    """Instructions of the kernel's internal BPF, for a filter whose returns all allow."""
    return _START + len(program) + program.count(ALLOW)


def _loads(length: int) -> Program:
    """So many instructions, all executed, and everything allowed."""
    return (*(LD_NR if i % 2 else LD_ARCH for i in range(length - 1)), ALLOW)
