# SPDX-License-Identifier: GPL-2.0-only
"""From named stacks to a batch: which calls are made under each, in bulk and one by one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from signal import SIGCHLD

from testcases.seccomp.batch import Args, Batch, Between, Door, Range, Single, Table, Trial, Way, Work, as_ranges
from testcases.seccomp.call import Call
from testcases.seccomp.corpus.libseccomp import number
from testcases.seccomp.decider import Decider
from testcases.seccomp.expect import KILLED, denial, denials
from testcases.seccomp.facts import KERNELS
from testcases.seccomp.instruction import WORD, Stack
from testcases.seccomp.observation import Answer, Kind
from testcases.seccomp.opcodes import JGE_K, JGT_K, TESTS_K
from testcases.seccomp.seccomp_data import ABIS, SET_MODE_FILTER, X32_BIT
from testcases.seccomp.validate import admit
from testcases.seccomp.witnesses import witnesses

SAFE: Args = (2**64 - 1,) * 6
"""As a descriptor, a pointer, a size, a flag, a signal or a process id: nearly every call refuses it at once."""
BEYOND = 64
"""How many numbers behind the largest known bitmap are called too."""
_LARGEST = max(size for facts in KERNELS.values() for size in facts.sizes.values())
_SMALLEST = min(size for facts in KERNELS.values() for size in facts.sizes.values())
FOREIGN = 3
"""Under every so manieth stack the numbers of other ABIs are called too: these cost as much as the own ones."""
TRACED = 5
"""Through a tracer every so manieth number is called."""
SHARES = 4
"""Under each stack every number is called, but of those that raise SIGSYS, each of which goes through a signal handler,
only what its filters name, what is around an edge, and one of so many shares of the rest, another one under the next
stack."""
KILLS = 3
"""Of the numbers that end the task, so many are tried in each table under each stack, each in a task of its own."""

ATTACHED = 40_000
"""Instructions that the tasks of one stack's single calls may attach, all together: each attaches the whole stack."""

FEW = 16
"""Numbers that a cheap trial calls besides the one that matters."""

BETWEEN, LOST = 12, 8
"""Calls before the last filter is there, and how many of them may be such that the whole stack denies."""

Asked = tuple[tuple[int, Args], ...]
"""Numbers, each with arguments of its own."""

_EDGES: tuple[Range, ...] = (
    (X32_BIT - 2, 34),
    (X32_BIT + _SMALLEST - 2, 40),
    (0x7FFFFFFE, 6),
    (0x80000000 + _SMALLEST - 2, 4),
    (0x80000000 + X32_BIT, 4),
    (WORD - 1, 2),
)
"""Around bit 30, bit 31, INT_MAX and -1."""
_FULL: tuple[Range, ...] = ((0, _LARGEST + BEYOND),)
_SHORT: tuple[Range, ...] = ((0, 24), (_SMALLEST - 2, 40))


def tables(abi: str) -> tuple[Table, ...]:
    """The tables of an ABI's agent: its own numbers first, then those that it can reach of other ABIs."""
    if abi == "x32":
        own = ((X32_BIT, _LARGEST + BEYOND), (0x7FFFFFFE, 4), (WORD, 1))
        return (Table(Door.NATIVE, SAFE, own), Table(Door.NATIVE, SAFE, (*_SHORT, (X32_BIT - 2, 2))))
    found = [Table(Door.NATIVE, SAFE, (*_FULL, *_EDGES))]
    if abi == "x86_64":
        found.append(Table(Door.INT80, SAFE, (*_FULL, (0x7FFFFFFE, 4), (WORD, 1))))
    return tuple(found)


_ENDING = ("exit", "exit_group", "rt_sigreturn", "sigreturn", "fork", "vfork", "alarm", "ssetmask")
_WAITING = ("pause", "sigsuspend")
"""What the agent leaves out in bulk (`unsafe_native` of its call.c). One stack in `_OFTEN` gets one of the first, in
turn; one in `_SELDOM` gets one of the second, which cost the time in which they do not come back."""
_OFTEN, _SELDOM = 3, 250


def make_batch(abi: str, stacks: Iterable[tuple[str, Stack, Way]], kernel: str) -> Batch:
    """One trial for each named stack. A table for each set of arguments that a witness asks for comes behind those of
    all."""
    found = tables(abi)
    made = [_trial(abi, found, index, *named) for index, named in enumerate(stacks)]
    further: dict[Args, set[int]] = {}
    for _trial_made, asked in made:
        for nr, args in asked:
            further.setdefault(args, set()).add(nr)
    whole = (*found, *(Table(Door.NATIVE, args, as_ranges(nrs)) for args, nrs in further.items()))
    places = {table.args: place for place, table in enumerate(whole) if place >= len(found)}
    trials = (_with_witnesses(trial, asked, whole, places) for trial, asked in made)
    return Batch(whole, tuple(trials), kernel)


def _with_witnesses(trial: Trial, asked: Asked, whole: Sequence[Table], places: Mapping[Args, int]) -> Trial:
    mine: dict[int, set[int]] = {}
    for nr, args in asked:
        mine.setdefault(places[args], set()).add(nr)
    works = (Work(place, as_ranges(set(whole[place].numbers) - nrs)) for place, nrs in mine.items())
    return replace(trial, works=(*trial.works, *works))


def _unsafe(abi: str, index: int) -> Iterator[Single]:
    ending = [nr for name in _ENDING if (nr := number(name, abi)) is not None]
    waiting = [nr for name in _WAITING if (nr := number(name, abi)) is not None]
    if index % _OFTEN == 0:
        yield Single(Door.NATIVE, ending[index // _OFTEN % len(ending)], SAFE)
    if waiting and index % _SELDOM == 0:
        yield Single(Door.NATIVE, waiting[index // _SELDOM % len(waiting)], SAFE)


def _trial(abi: str, found: tuple[Table, ...], index: int, name: str, stack: Stack, way: Way) -> tuple[Trial, Asked]:
    """The trial, and the calls with arguments of their own that it is to make as well."""
    final = _final(abi, stack)
    if final is None:
        return Trial(name, stack, ()), ()
    decider, possible, told = Decider(final), denials(final), _told(final)
    if way is Way.FORK and denial(decider.decide(fork_call(abi))):
        way = Way.PLAIN
    works: list[Work] = []
    singles = list(_unsafe(abi, index)) if way is Way.PLAIN else []
    harmless = possible is not None and KILLED not in possible
    quick = possible is not None and all(answer.kind is not Kind.TRAPPED for answer in possible)
    own_only = way is Way.TRACER or index % FOREIGN
    for place, table in enumerate(found[:1] if own_only else found):
        wanted = set(table.numbers) if quick else _asked(decider, abi, table, told, index)
        deadly = set() if harmless else {nr for nr in wanted if _denial(decider, abi, table, nr) == KILLED}
        left_out = set(table.numbers) - wanted | deadly
        if way is Way.TRACER:
            left_out.update(_not_traced(table.numbers))
        works.append(Work(place, as_ranges(left_out)))
        if way is Way.PLAIN:
            singles += [Single(table.door, nr, table.args) for nr in _sample(sorted(deadly))]
    between = _between(abi, found[0], told, index, final) if way is Way.PLAIN and final == stack else ()
    asked = tuple(witnesses(final, abi)) if way is not Way.TRACER else ()
    deadly_ones = [call for call in asked if _denial_of(decider, abi, Door.NATIVE, *call) == KILLED]
    if way is Way.PLAIN:
        singles += [Single(Door.NATIVE, *call) for call in deadly_ones]
    survived = tuple(call for call in asked if call not in deadly_ones)
    return Trial(name, stack, tuple(works), _affordable(singles, final), way, between), survived


def _affordable(singles: Sequence[Single], stack: Stack) -> tuple[Single, ...]:
    """All of them, or at least two from all over the list."""
    most = max(2, ATTACHED // (sum(map(len, stack)) or 1))
    return tuple(singles[:: max(1, -(-len(singles) // most))])


def _between(abi: str, table: Table, told: frozenset[int], index: int, stack: Stack) -> tuple[Between, ...]:
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
        denied = _denial(early, abi, table, nr)
        if denied is None and _denial(whole, abi, table, nr):
            lost.append(nr)
        elif denied != KILLED:
            others.append(nr)
    chosen = (*lost[:LOST], *others[: BETWEEN - len(lost[:LOST])])
    return (Between(after, 0, chosen),) if chosen else ()


def fork_call(abi: str) -> Call:
    """The call by which the agent's task forks, from an address that is not known: clone(SIGCHLD)."""
    return Call(number("clone", abi) or 0, ABIS[abi].audit_arch, 0, (SIGCHLD, 0, 0, 0, 0, 0))


def _final(abi: str, stack: Stack) -> Stack | None:
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


def _told(stack: Stack) -> frozenset[int]:
    """The numbers at which a test of a filter may go the other way, among constants of other meanings."""
    found: set[int] = set()
    for insn in (insn for program in stack for insn in program):
        if insn.code in TESTS_K:
            found.update((insn.k, insn.k + (insn.code == JGT_K) - (insn.code == JGE_K)))
    return frozenset(found)


def _asked(decider: Decider, abi: str, table: Table, told: frozenset[int], index: int) -> set[int]:
    """Of a table's numbers those that are called under the stack of this index."""
    share, edge = _LARGEST // SHARES + 1, _SMALLEST - 2
    first = index % SHARES * share

    def chosen(nr: int) -> bool:
        if nr in told or nr & ~X32_BIT >= edge or first <= nr & ~X32_BIT < first + share:
            return True
        denied = _denial(decider, abi, table, nr)
        return denied is None or denied.kind is not Kind.TRAPPED

    return {nr for nr in table.numbers if chosen(nr)}


def _denial(decider: Decider, abi: str, table: Table, nr: int) -> Answer | None:
    """What denies the call, as far as can be told without the address that it is made from."""
    return _denial_of(decider, abi, table.door, nr, table.args)


def _denial_of(decider: Decider, abi: str, door: Door, nr: int, args: Args) -> Answer | None:
    facts = ABIS["i386" if door is Door.INT80 else abi]
    value = decider.constant(nr, facts.audit_arch)
    if value is None:
        shown = args if facts.wide else tuple(value & WORD for value in args)
        value = decider.decide(Call(nr, facts.audit_arch, 0, shown))
    return denial(value)


def _not_traced(whole: list[int]) -> list[int]:
    """Negative numbers among them: by these a tracer says that the call is to be skipped."""
    return [nr for index, nr in enumerate(whole) if index % TRACED or nr >> 31]


@dataclass(frozen=True, slots=True)
class Probe:
    """A named stack and the one call that matters under it; None where only its filters and caches do."""

    name: str
    stack: Stack
    way: Way = Way.PLAIN
    asked: Single | None = None
    between: bool = False
    """The call is also made after each filter but the last."""


def probe_batch(abi: str, probes: Iterable[Probe], kernel: str) -> Batch:
    """A cheap trial for each: the call, and with the arguments that nearly every call refuses also the numbers that the
    filters name, if these are few."""
    chosen = [(probe, _probed(abi, probe)) for probe in probes]
    wanted: dict[tuple[Door, Args], set[int]] = {}
    for probe, numbers in chosen:
        if probe.asked:
            wanted.setdefault((probe.asked.door, probe.asked.args), set()).update(numbers)
    found = tuple(Table(door, args, as_ranges(numbers)) for (door, args), numbers in wanted.items())
    places = {(table.door, table.args): place for place, table in enumerate(found)}
    trials = []
    for probe, numbers in chosen:
        if probe.asked is None:
            trials.append(Trial(probe.name, probe.stack, (), (), probe.way))
            continue
        place = places[probe.asked.door, probe.asked.args]
        table, decider = found[place], Decider(_final(abi, probe.stack) or ())
        deadly = {nr for nr in numbers if _denial(decider, abi, table, nr) == KILLED}
        works = (Work(place, as_ranges(set(table.numbers) - numbers | deadly)),)
        alone = _sample(sorted(deadly)) if probe.way is Way.PLAIN else ()
        singles = tuple(Single(table.door, nr, table.args) for nr in alone)
        between = tuple(_probed_between(abi, probe, place)) if probe.between else ()
        trials.append(Trial(probe.name, probe.stack, works, singles, probe.way, between))
    return Batch(found, tuple(trials), kernel)


def single_of(abi: str, call: Call) -> Single | None:
    """The call as the agent of an ABI makes it, from an address of its own; None if it cannot."""
    doors = {ABIS["i386"].audit_arch: Door.INT80} if abi == "x86_64" else {}
    door = {**doors, ABIS[abi].audit_arch: Door.NATIVE}.get(call.arch)
    one, two, three, four, five, six = call.args
    return Single(door, call.nr, (one, two, three, four, five, six)) if door is not None else None


def _probed_between(abi: str, probe: Probe, place: int) -> Iterator[Between]:
    assert probe.asked is not None
    decider = Decider()
    for index, program in enumerate(probe.stack[:-1]):
        decider.attach(program)
        if _denial_of(decider, abi, probe.asked.door, probe.asked.nr, probe.asked.args) != KILLED:
            yield Between(index, place, (probe.asked.nr,))


def _probed(abi: str, probe: Probe) -> set[int]:
    if probe.asked is None:
        return set()
    numbers = {probe.asked.nr}
    if {value & WORD for value in probe.asked.args} == {WORD}:
        place = 0 if probe.asked.door is Door.NATIVE else 1
        told = _told(probe.stack) & set(tables(abi)[place].numbers)
        numbers |= told if len(told) <= FEW else set()
    return numbers


def _sample(deadly: list[int]) -> Iterator[int]:
    """Spread evenly, the first and the last among them."""
    if len(deadly) <= KILLS:
        yield from deadly
        return
    for step in range(KILLS):
        yield deadly[step * (len(deadly) - 1) // (KILLS - 1)]
