# SPDX-License-Identifier: GPL-2.0-only
"""Arguments for which a stack decides one way and the other: the oracle's witnesses, as calls that can be made."""

from collections.abc import Iterator
from functools import cache
from types import MappingProxyType

from testcases.seccomp.batch import Args
from testcases.seccomp.corpus.libseccomp import number
from testcases.seccomp.instruction import Stack
from testcases.seccomp.numbers import NumberSet, numbers
from testcases.seccomp.oracle import NARROW, Answer, Oracle
from testcases.seccomp.seccomp_data import ABIS

HARMLESS = (
    "getppid", "getpgid", "getsid", "close", "dup", "fchdir", "fsync", "personality", "socket", "ioctl",
    "fcntl", "lseek", "getpriority", "sched_getscheduler", "fchmod", "fchown", "ftruncate",
)  # fmt: skip
"""Whatever their arguments are, a task without files and privileges survives these and comes back at once. Not umask:
it returns what an earlier one set, and a 0 looks like a denial with errno 0."""
MOST = 4
"""Witnesses of one class of numbers."""


@cache
def _harmless(abi: str) -> NumberSet:
    return numbers(nr for name in HARMLESS if (nr := number(name, abi)) is not None)


def witnesses(stack: Stack, abi: str) -> Iterator[tuple[int, Args]]:
    """Numbers with arguments, of the ABI's own: for each class of numbers whose arguments matter, such that are
    allowed and such that are not. Those that differ in nothing but the instruction pointer are told once."""
    facts = ABIS[abi]
    oracle = Oracle(stack, MappingProxyType({}) if facts.wide else NARROW)
    for part, proof in oracle.classes(facts.audit_arch, _harmless(abi)):
        if proof.answer is not Answer.DEPENDS:
            continue
        one_of_each = {witness.allowed: witness for witness in proof.witnesses}
        chosen = (*one_of_each.values(), *proof.witnesses)[:MOST]
        for one, two, three, four, five, six in dict.fromkeys(witness.call.args for witness in chosen):
            yield part.first, (one, two, three, four, five, six)
