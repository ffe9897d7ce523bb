# SPDX-License-Identifier: GPL-2.0-or-later
"""Arguments for which a stack decides one way and the other: the oracle's witnesses, as calls that can be made."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from testcases.seccomp.agent.batch import Args, as_args
from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.seccomp_data import ABIS, order_of
from testcases.seccomp.filters.libseccomp import number
from testcases.seccomp.prove.oracle import Oracle, narrow
from testcases.seccomp.prove.u32set import NumberSet, numbers

HARMLESS = (
    "getppid", "getpgid", "getsid", "close", "dup", "fchdir", "fsync", "personality", "socket", "ioctl",
    "fcntl", "lseek", "getpriority", "sched_getscheduler", "fchmod", "fchown", "ftruncate",
)  # fmt: skip
"""Whatever their arguments are, a task without files and privileges survives these and comes back at once. Not umask:
it returns what an earlier one set, and a 0 looks like a denial with errno 0."""
MOST = 4
"""Witnesses of one class of numbers."""


@dataclass(frozen=True, slots=True)
class WitnessCall:
    """A call that is to be made as well. `alone`: in a task of its own, since nobody can say what it does to one."""

    nr: int
    args: Args
    alone: bool


@cache
def harmless(abi: str) -> NumberSet:
    """The numbers of HARMLESS that an ABI has."""
    return numbers(nr for name in HARMLESS if (nr := number(name, abi)) is not None)


def witnesses(stack: Stack, told: Iterable[int], abi: str) -> Iterator[WitnessCall]:
    """Calls of the ABI's own: for each class of numbers whose arguments matter, such that are allowed and such that
    are not. `told` are the numbers that the filters name; of a class, its first harmless number and its first other
    one are called. Calls that differ in nothing but the instruction pointer are told once."""
    facts, spared = ABIS[abi], harmless(abi)
    oracle = Oracle(stack, MappingProxyType({}) if facts.wide else narrow(order_of(facts.audit_arch)))
    for part, proof in oracle.classes(facts.audit_arch, spared | numbers(told)):
        if len({witness.allowed for witness in proof.witnesses}) < 2:  # ALLOW for some, LOG for others counts as well
            continue
        one_of_each = {witness.allowed: witness for witness in proof.witnesses}
        chosen = (*one_of_each.values(), *proof.witnesses)[:MOST]
        for alone, among in ((False, part & spared), (True, part - spared)):
            if among:
                for args in dict.fromkeys(as_args(witness.call.args) for witness in chosen):
                    yield WitnessCall(among.first, args, alone)
