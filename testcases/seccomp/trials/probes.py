# SPDX-License-Identifier: GPL-2.0-or-later
"""Cheap trials: a stack and the one call that matters under it."""

from collections.abc import Iterable, Iterator

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
    as_args,
    as_ranges,
)
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import WORD
from testcases.seccomp.bpf.seccomp_data import ABIS
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.prove.decider import Decider
from testcases.seccomp.trials.expect import KILLED
from testcases.seccomp.trials.predict import denial_in, denial_of, final_stack, sample, told_numbers
from testcases.seccomp.trials.tables import SAFE, tables
from testcases.seccomp.trials.witnesses import harmless

FEW = 16
"""Numbers that a cheap trial calls besides the one that matters."""


def probe_batch(abi: str, probes: Iterable[NamedStack], kernel: str) -> Batch:
    """A cheap trial for each: the call that it asks for, and with the arguments that nearly every call refuses also the
    numbers that the filters name, if these are few. Where it asks for none, only filters and caches matter."""
    chosen = [(probe, _probed(abi, probe)) for probe in probes]
    wanted: dict[_Alike, set[int]] = {}
    for probe, numbers in chosen:
        if probe.asked:
            wanted.setdefault(_alike(abi, probe.asked, probe.way), set()).update(numbers)
    found = tuple(CallTable(door, args, as_ranges(numbers), alone) for (door, args, alone), numbers in wanted.items())
    places = {alike: place for place, alike in enumerate(wanted)}
    trials = []
    for probe, numbers in chosen:
        if probe.asked is None:
            trials.append(Trial(probe.name, probe.stack, (), (), probe.way))
            continue
        place = places[_alike(abi, probe.asked, probe.way)]
        table, decider = found[place], Decider(final_stack(abi, probe.stack) or ())
        deadly = {nr for nr in numbers if denial_in(decider, abi, table, nr) == KILLED}
        works = (Work(place, as_ranges(set(table.numbers) - numbers | deadly)),)
        alone = sample(sorted(deadly)) if probe.way is Way.PLAIN else ()
        singles = tuple(Single(table.door, nr, table.args) for nr in alone)
        between = tuple(_probed_between(abi, probe, place)) if probe.between else ()
        trials.append(Trial(probe.name, probe.stack, works, singles, probe.way, between))
    return Batch(found, tuple(trials), kernel)


_Alike = tuple[Door, Args, bool]
"""What the probes of one table have in common: door, arguments, and whether each is called alone."""


def _alike(abi: str, asked: Single, way: Way) -> _Alike:
    """As in the batch that the call comes from: a witness that may do harm is alone, where that can be."""
    called = asked.door.abi(abi)
    alone = way is Way.PLAIN and asked.args != SAFE and asked.nr not in harmless(called)
    return asked.door, asked.args, alone


def single_of(abi: str, call: Call) -> Single | None:
    """The call as the agent of an ABI makes it, from an address of its own; None if it cannot."""
    doors = (Door.NATIVE, *((Door.SECOND,) if ABIS[abi].second_entry else ()))
    door = next((door for door in doors if ABIS[door.abi(abi)].audit_arch == call.arch), None)
    return Single(door, call.nr, as_args(call.args)) if door is not None else None


def _probed_between(abi: str, probe: NamedStack, place: int) -> Iterator[CallsBetween]:
    assert probe.asked is not None
    decider = Decider()
    for index, program in enumerate(probe.stack[:-1]):
        decider.attach(program)
        if denial_of(decider, abi, probe.asked.door, probe.asked.nr, probe.asked.args) != KILLED:
            yield CallsBetween(index, place, (probe.asked.nr,))


def _probed(abi: str, probe: NamedStack) -> set[int]:
    if probe.asked is None:
        return set()
    numbers = {probe.asked.nr}
    if {value & WORD for value in probe.asked.args} == {WORD}:
        place = 0 if probe.asked.door is Door.NATIVE else 1
        told = told_numbers(probe.stack) & set(tables(abi)[place].numbers)
        numbers |= told if len(told) <= FEW else set()
    return numbers
