# SPDX-License-Identifier: GPL-2.0-or-later
"""The same filters in every way in which a task can come to have them, and a call to its number."""

from collections.abc import Iterator

from testcases.seccomp.agent.batch import Way
from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.instruction import Program, Stack
from testcases.seccomp.bpf.seccomp_data import RET_TRACE, RET_TRAP
from testcases.seccomp.edges.code import ALLOW, LD_NR, errno, jeq, jump, ret
from testcases.seccomp.filters.libseccomp import number
from testcases.seccomp.filters.named_stack import NamedStack


def ways(abi: str) -> Iterator[NamedStack]:
    """Each of a few stacks in each way. All of them allow what their tasks need: seccomp and clone."""
    for way in Way:
        for name, stack in _stacks(abi).items():
            yield NamedStack(f"ways/{way.name.lower()}/{name}", stack, way)


def _stacks(abi: str) -> dict[str, Stack]:
    denied, trapped, bait = _denied(abi, 0), _denied(abi, 1), _bait(abi)
    return {
        "denied": (bait, denied),
        "trapped": (bait, trapped),
        "both": (bait, denied, trapped),
        "looser": (bait, denied, (ALLOW,)),
        "four": (bait, denied, trapped, denied),
    }


def _bait(abi: str) -> Program:
    """RET_TRACE for the number that a tracer turns into another one."""
    return (LD_NR, jeq(number("getppid", abi) or 0, 0, 1), ret(RET_TRACE | 1), ALLOW)


def _denied(abi: str, turn: int) -> Program:
    """Half of all numbers, but none that the task needs, by errno or by SIGSYS."""
    spared = [number(name, abi) or 0 for name in ("seccomp", "clone", "getppid")]
    spare = [jeq(nr, len(spared) - index + 1, 0) for index, nr in enumerate(spared)]
    wrong = ret(RET_TRAP | 77) if turn else errno(3100)
    return (LD_NR, *spare, jump(bpf.JSET, 8 if turn else 4, 0, 1), wrong, ALLOW)
