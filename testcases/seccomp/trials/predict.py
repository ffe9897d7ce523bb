# SPDX-License-Identifier: GPL-2.0-or-later
"""What will come of a stack and of calls under it, as far as can be told before the agent has an address."""

from collections.abc import Iterator

from testcases.seccomp.agent.batch import Args, CallTable, Door
from testcases.seccomp.agent.observation import CallAnswer
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import WORD, Stack
from testcases.seccomp.bpf.opcodes import JGE_K, JGT_K, TESTS_K
from testcases.seccomp.bpf.seccomp_data import ABIS, SET_MODE_FILTER
from testcases.seccomp.bpf.validate import admit
from testcases.seccomp.filters.libseccomp import number
from testcases.seccomp.prove.decider import Decider
from testcases.seccomp.trials.expect import KILLED, denial

KILLS = 3
"""Of the numbers that end the task, so many are tried in each table under each stack, each in a task of its own."""


def final_stack(abi: str, stack: Stack) -> Stack | None:
    """The filters that will be attached in the end, or None if one of them kills the task that asks for the next; as
    far as can be told without the addresses that the agent uses."""
    there: Stack = ()
    count, decider = 0, Decider()
    attaching = Call(number("seccomp", abi) or 0, ABIS[abi].audit_arch, 0, (SET_MODE_FILTER, 0, 0, 0, 0, 0))
    for program in stack:
        denied = denial(decider.decide(attaching))
        if denied == KILLED:
            return None
        if denied is None:
            refused, count = admit(program, count)
            if not refused:
                there = (*there, program)
                decider.attach(program)
    return there


def told_numbers(stack: Stack) -> frozenset[int]:
    """The numbers at which a test of a filter may go the other way, among constants of other meanings."""
    found: set[int] = set()
    for insn in (insn for program in stack for insn in program):
        if insn.code in TESTS_K:
            found.update((insn.k, insn.k + (insn.code == JGT_K) - (insn.code == JGE_K)))
    return frozenset(found)


def denial_in(decider: Decider, abi: str, table: CallTable, nr: int) -> CallAnswer | None:
    """What denies the call, as far as can be told without the address that it is made from."""
    return denial_of(decider, abi, table.door, nr, table.args)


def denial_of(decider: Decider, abi: str, door: Door, nr: int, args: Args) -> CallAnswer | None:
    facts = ABIS[door.abi(abi)]
    value = decider.constant(nr, facts.audit_arch)
    if value is None:
        shown = args if facts.wide else tuple(value & WORD for value in args)
        value = decider.decide(Call(nr, facts.audit_arch, 0, shown))
    return denial(value)


def sample(deadly: list[int]) -> Iterator[int]:
    """Spread evenly, the first and the last among them."""
    if len(deadly) <= KILLS:
        yield from deadly
        return
    for step in range(KILLS):
        yield deadly[step * (len(deadly) - 1) // (KILLS - 1)]
