# SPDX-License-Identifier: GPL-2.0-or-later
"""From named stacks to a batch: which calls are made under each, in bulk and one by one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from signal import SIGCHLD
from typing import TypeVar

from testcases.seccomp.agent.batch import (
    Args,
    Batch,
    CallsBetween,
    CallTable,
    Door,
    Single,
    Trial,
    Way,
    Work,
    as_ranges,
)
from testcases.seccomp.agent.observation import AnswerKind
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.seccomp_data import ABIS, X32_BIT
from testcases.seccomp.filters.libseccomp import number
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.prove.decider import Decider
from testcases.seccomp.trials.expect import KILLED, denial, denials
from testcases.seccomp.trials.predict import denial_in, denial_of, final_stack, sample, told_numbers
from testcases.seccomp.trials.tables import LARGEST, SAFE, SMALLEST, tables
from testcases.seccomp.trials.witnesses import WitnessCall, witnesses

_T = TypeVar("_T")
FOREIGN = 3
"""Under every Nth stack the numbers of other ABIs are called too; they cost as much as the ABI's own."""
TRACED = 5
"""Through a tracer every Nth number is called."""
SHARES = 4
"""Under each stack every number is called, but of those that raise SIGSYS, each of which goes through a signal handler,
only what its filters name, what is around an edge, and one of so many shares of the rest, another one under the next
stack."""
ATTACHED = 40_000
"""Instructions that the tasks of one stack's single calls may attach, all together, and those of its witnesses that are
called alone: each attaches the whole stack."""

BETWEEN, LOST = 12, 8
"""Calls before the last filter is there, and how many of them may be such that the whole stack denies."""

_ENDING = ("exit", "exit_group", "rt_sigreturn", "sigreturn", "fork", "vfork", "alarm", "ssetmask")
_WAITING = ("pause", "sigsuspend")
"""What the agent leaves out in bulk (`unsafe_native` of its call.c). One stack in `_OFTEN` gets one of the first, in
turn; one in `_SELDOM` gets one of the second, which cost the time in which they do not come back."""
_WILD = ("rt_sigreturn", "sigreturn")
"""Of the first: a task goes on with whatever it finds on its stack, if it goes on."""
_OFTEN, _SELDOM = 3, 250


def make_batch(abi: str, stacks: Iterable[NamedStack], kernel: str) -> Batch:
    """One trial for each named stack. A table for each set of arguments that a witness asks for comes behind those of
    all."""
    found = tables(abi)
    made = [_trial(abi, found, index, named) for index, named in enumerate(stacks)]
    further: dict[_Alike, set[int]] = {}
    for _trial_made, asked in made:
        for one in asked:
            further.setdefault((one.args, one.alone), set()).add(one.nr)
    whole = (*found, *(CallTable(Door.NATIVE, args, as_ranges(nrs), alone) for (args, alone), nrs in further.items()))
    places = {alike: place for place, alike in enumerate(further, len(found))}
    trials = (_with_witnesses(trial, asked, whole, places) for trial, asked in made)
    return Batch(whole, tuple(trials), kernel)


_Alike = tuple[Args, bool]
"""What the witnesses of one table have in common: the arguments, and whether each is called alone."""


def _with_witnesses(
    trial: Trial, asked: Iterable[WitnessCall], whole: Sequence[CallTable], places: Mapping[_Alike, int]
) -> Trial:
    mine: dict[int, set[int]] = {}
    for one in asked:
        mine.setdefault(places[one.args, one.alone], set()).add(one.nr)
    works = (Work(place, as_ranges(set(whole[place].numbers) - nrs)) for place, nrs in mine.items())
    return replace(trial, works=(*trial.works, *works))


def _unsafe(abi: str, index: int) -> Iterator[Single]:
    ending = [nr for name in _ENDING if (nr := number(name, abi)) is not None]
    waiting = [nr for name in _WAITING if (nr := number(name, abi)) is not None]
    if index % _OFTEN == 0:
        yield Single(Door.NATIVE, ending[index // _OFTEN % len(ending)], SAFE)
    if waiting and index % _SELDOM == 0:
        yield Single(Door.NATIVE, waiting[index // _SELDOM % len(waiting)], SAFE)


@cache
def _alone(abi: str) -> frozenset[int]:
    """Numbers that no task of this ABI calls as its last, after others whose results it holds."""
    return frozenset(nr for name in (*_WILD, *_WAITING) if (nr := number(name, abi)) is not None)


def _trial(abi: str, found: tuple[CallTable, ...], index: int, named: NamedStack) -> tuple[Trial, list[WitnessCall]]:
    """The trial, and the calls with arguments of their own that it is to make as well."""
    name, stack, way = named.name, named.stack, named.way
    final = final_stack(abi, stack)
    if final is None:
        return Trial(name, stack, ()), []
    decider, possible, told = Decider(final), denials(final), told_numbers(final)
    if way is Way.FORK and denial(decider.decide(fork_call(abi))):
        way = Way.PLAIN
    works: list[Work] = []
    singles = list(_unsafe(abi, index)) if way is Way.PLAIN else []
    harmless = possible is not None and KILLED not in possible
    quick = possible is not None and all(answer.kind is not AnswerKind.TRAPPED for answer in possible)
    own_only = way is Way.TRACER or index % FOREIGN
    for place, table in enumerate(found[:1] if own_only else found):
        wanted = set(table.numbers) if quick else _asked(decider, abi, table, told, index)
        deadly = set() if harmless else {nr for nr in wanted if denial_in(decider, abi, table, nr) == KILLED}
        left_out = set(table.numbers) - wanted | deadly
        if way is Way.TRACER:
            left_out.update(_not_traced(table.numbers))
        works.append(Work(place, as_ranges(left_out)))
        if way is Way.PLAIN:
            singles += [Single(table.door, nr, table.args) for nr in sample(sorted(deadly))]
    between = _between(abi, found[0], told, index, final) if way is Way.PLAIN and final == stack else ()
    asked = _witnesses(abi, final, told & set(found[0].numbers), way) if way is not Way.TRACER else []
    singles = [replace(call, last=call.nr not in _alone(call.door.abi(abi))) for call in _affordable(singles, final)]
    return Trial(name, stack, tuple(works), tuple(singles), way, between), asked


def _witnesses(abi: str, stack: Stack, told: frozenset[int], way: Way) -> list[WitnessCall]:
    """Those that end the task are alone too. To be alone takes the plain way."""
    decider = Decider(stack)
    together: list[WitnessCall] = []
    alone: list[WitnessCall] = []
    for one in witnesses(stack, told, abi):
        ends = denial_of(decider, abi, Door.NATIVE, one.nr, one.args) == KILLED
        (alone if one.alone or ends else together).append(replace(one, alone=one.alone or ends))
    return [*together, *_affordable(alone, stack)] if way is Way.PLAIN else together


def _affordable(calls: Sequence[_T], stack: Stack) -> tuple[_T, ...]:
    """All of them, or at least two from all over the list."""
    most = max(2, ATTACHED // (sum(map(len, stack)) or 1))
    return tuple(calls[:: max(1, -(-len(calls) // most))])


def _between(abi: str, table: CallTable, told: frozenset[int], index: int, stack: Stack) -> tuple[CallsBetween, ...]:
    """Calls after one of the filters but the last, another one for the next stack: above all such that run by then and
    that a later filter denies, those that filters name before others. None that would end the task."""
    if len(stack) < 2:
        return ()
    after = index % (len(stack) - 1)
    early, whole = Decider(stack[: after + 1]), Decider(stack)
    lost, others = [], []
    numbers = table.numbers
    turn = index * BETWEEN % len(numbers)
    for nr in sorted((*numbers[turn:], *numbers[:turn]), key=lambda nr: nr not in told):
        denied = denial_in(early, abi, table, nr)
        if denied is None and denial_in(whole, abi, table, nr):
            lost.append(nr)
        elif denied != KILLED:
            others.append(nr)
    chosen = (*lost[:LOST], *others[: BETWEEN - len(lost[:LOST])])
    return (CallsBetween(after, 0, chosen),) if chosen else ()


def fork_call(abi: str) -> Call:
    """The call by which the agent's task forks, from an address that is not known: clone(SIGCHLD)."""
    args = [0] * 6
    args[ABIS[abi].clone_flags] = SIGCHLD
    return Call(number("clone", abi) or 0, ABIS[abi].audit_arch, 0, tuple(args))


def _asked(decider: Decider, abi: str, table: CallTable, told: frozenset[int], index: int) -> set[int]:
    """Of a table's numbers those that are called under the stack of this index."""
    share, edge = LARGEST // SHARES + 1, SMALLEST - 2
    first = index % SHARES * share

    def chosen(nr: int) -> bool:
        if nr in told or nr & ~X32_BIT >= edge or first <= nr & ~X32_BIT < first + share:
            return True
        denied = denial_in(decider, abi, table, nr)
        return denied is None or denied.kind is not AnswerKind.TRAPPED

    return {nr for nr in table.numbers if chosen(nr)}


def _not_traced(whole: list[int]) -> list[int]:
    """Negative numbers among them: by these a tracer says that the call is to be skipped."""
    return [nr for index, nr in enumerate(whole) if index % TRACED or nr >> 31]
