# SPDX-License-Identifier: GPL-2.0-only
"""The checks: what a trial showed against what the models say. Each gives its complaints, one line each."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import NamedTuple

from testcases.seccomp.batch import Batch, Door, Trial, Way
from testcases.seccomp.call import Call
from testcases.seccomp.decider import Decider
from testcases.seccomp.designs import Merged
from testcases.seccomp.expect import agrees, canonical, denial, denials
from testcases.seccomp.facts import KernelFacts
from testcases.seccomp.instruction import WORD, Program, Stack
from testcases.seccomp.numbers import numbers
from testcases.seccomp.observation import Answer, Block, Kind, Observation, Seen
from testcases.seccomp.oracle import Oracle
from testcases.seccomp.seccomp_data import ABIS, ACTION_FULL, FLAG_TSYNC, RET_ALLOW, RET_TRACE, SET_MODE_FILTER
from testcases.seccomp.validate import admit

ARCH_OF_NAME = {"x86_64": "x86_64", "ia32": "i386", "aarch64": "aarch64", "arm": "arm"}
"""The names of the blocks in `/proc/PID/seccomp_cache` (arch/*/include/asm/seccomp.h), and the ABIs that they are."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What all checks of one guest stand on. `abi` is the agent's; `seccomp` is the number of that call in it;
    `exempt` are the numbers that this kernel always allows, by audit arch."""

    abi: str
    seccomp: int
    batch: Batch
    seen: Observation
    exempt: Mapping[int, frozenset[int]] = field(default_factory=dict)
    told: bool = False
    """Whether results tell what happened, as a replay wants it."""

    def arch(self, door: Door) -> int:
        return ABIS["i386" if door is Door.INT80 else self.abi].audit_arch

    def call(self, door: Door, nr: int, args: tuple[int, ...]) -> Call:
        """The call as filters see it: a 32-bit ABI has but the low halves of its arguments."""
        wide = door is Door.NATIVE and ABIS[self.abi].wide
        shown = args if wide else tuple(value & WORD for value in args)
        return Call(nr, self.arch(door), self.seen.addresses[door], shown)


@dataclass(frozen=True, slots=True)
class Attached:
    """How the attempts went: the filters that are attached after each, and complaints about them."""

    stacks: tuple[Stack, ...]
    complaints: tuple[str, ...]

    @property
    def final(self) -> Stack:
        return self.stacks[-1] if self.stacks else ()


def check_attach(ground: Ground, trial: Trial, seen: Seen) -> Attached:
    """Each attempt to attach: as the filters that are there already decide, and then as the validator says."""
    stack: tuple[Program, ...] = ()
    stacks, complaints = [], []
    count, decider = 0, Decider()
    flags = FLAG_TSYNC if trial.way is Way.THREAD else 0
    for index, program in enumerate(trial.stack):
        if index >= len(seen.attempts):
            complaints.append(f"filter {index}: the attempt to attach it was not seen")
            break
        attempt = seen.attempts[index]
        call = ground.call(Door.NATIVE, ground.seccomp, (SET_MODE_FILTER, flags, attempt.address, 0, 0, 0))
        denied = denial(decider.decide(call))
        wanted, after = denied, count
        if wanted is None:
            refused, after = admit(program, count)
            wanted = Answer(Kind.RETURNED, -refused.errno if refused else 0)
        if attempt.answer != wanted:
            complaints.append(f"filter {index}: attaching it {_show(attempt.answer)}, not: {_show(wanted)}")
        if denied is None and attempt.answer == Answer(Kind.RETURNED, 0):  # errno 0 is a denial too, and looks like it
            stack, count = (*stack, program), after
            decider.attach(program)
        stacks.append(stack)
        if attempt.answer.kind is Kind.KILLED:
            break
    return Attached(tuple(stacks), tuple(complaints))


def _show(answer: Answer) -> str:
    if answer.kind is Kind.RETURNED and answer.value < 0:
        return f"gave {_errno(-answer.value)}"
    return str(answer)


def _errno(number: int) -> str:
    return f"errno {number} ({os.strerror(number)})" if number < 200 else f"errno {number}"


def disagreements(ground: Ground, trial: Trial, seen: Seen, stack: Stack) -> Iterator[tuple[Call, int, Answer]]:
    """Calls that did not come to what the interpreter says of the filters that are attached, with the value that these
    return and the answer. None is made where attaching a filter ended the task."""
    if any(attempt.answer.kind is Kind.KILLED for attempt in seen.attempts):
        return
    decider, possible = Decider(stack), denials(stack)
    for made in _calls(ground, trial, seen):
        value = decider.constant(made.nr, made.arch)
        if value is None:
            value = decider.decide(made.call(ground))
        if trial.way is Way.TRACER and value & ACTION_FULL == RET_TRACE:
            value = RET_ALLOW  # a call that the tracer has seen is not shown to it again
        exempt = made.nr in ground.exempt.get(made.arch, ())
        if not exempt and not agrees(value, made.answer, made.natural, possible):
            yield made.call(ground), value, made.answer


def check_behaviour(ground: Ground, trial: Trial, seen: Seen, stack: Stack) -> Iterator[str]:
    """Each call came to what the interpreter says."""
    for call, value, answer in disagreements(ground, trial, seen, stack):
        yield f"{_name(call)} {_show(answer)}; the filters return {value:#010x}"
    for work in trial.works:
        if work.table not in seen.runs:
            yield f"table {work.table}: no answers"


class _Made(NamedTuple):
    """One call that was made: what came of it, and without a filter; None if that is not known."""

    door: Door
    nr: int
    arch: int
    args: tuple[int, ...]
    answer: Answer
    natural: Answer | None

    def call(self, ground: Ground) -> Call:
        return ground.call(self.door, self.nr, self.args)


def _calls(ground: Ground, trial: Trial, seen: Seen) -> Iterator[_Made]:
    """Every call that was made."""
    for work in trial.works:
        table = ground.batch.tables[work.table]
        door, arch, args = table.door, ground.arch(table.door), table.args
        natural = ground.seen.natural.get(work.table, [])
        answers = seen.runs.get(work.table, [])
        skipped = work.skipped
        for nr, answer, free in zip(table.numbers, answers, natural, strict=bool(answers)):
            if answer.kind is not Kind.NOTHING or (free.kind is not Kind.NOTHING and nr not in skipped):
                yield _Made(door, nr, arch, args, answer, free)
    for index, answer in seen.singles.items():
        single = trial.singles[index]
        yield _Made(single.door, single.nr, ground.arch(single.door), single.args, answer, None)


def _name(call: Call) -> str:
    return f"nr {call.nr:#x} arch {call.arch:#x} args {','.join(f'{value:#x}' for value in call.args)}"


def story(ground: Ground, trial: Trial, seen: Seen) -> Iterator[str]:
    """What happened, one line for each attempt to attach and each row of numbers with the same outcome."""
    for index, attempt in enumerate(seen.attempts):
        yield f"attaching filter {index}: {_show(attempt.answer)}"
    for index, snapshot in enumerate(seen.snapshots):
        for block in snapshot.blocks:
            yield f"cache after filter {index}: {block.name}: {len(block.allowed)} of {block.size} numbers are ALLOW"
    possible = denials(trial.stack)
    shown_of = [(made, canonical(made.answer, possible)) for made in _calls(ground, trial, seen)]
    for (arch, shown), row in groupby(shown_of, key=lambda item: (item[0].arch, item[1])):
        nrs = [made.nr for made, _shown in row]
        span = f"{nrs[0]}" if len(nrs) == 1 else f"{nrs[0]} to {nrs[-1]} ({len(nrs)} calls)"
        yield f"arch {arch:#x} nr {span}: {_show(shown) if shown else 'ran'}"


def behaviour_digest(ground: Ground, trial: Trial, seen: Seen) -> str:
    """Names what the kernel let run and how it denied the rest. Bitmaps are not part of it: base has none."""
    possible = denials(trial.stack)
    digest = hashlib.sha256()
    for attempt in seen.attempts:
        digest.update(repr(attempt.answer).encode())
    for made in _calls(ground, trial, seen):
        digest.update(repr((made.nr, made.arch, canonical(made.answer, possible))).encode())
    return digest.hexdigest()


def check_bitmap(ground: Ground, seen: Seen, stacks: tuple[Stack, ...]) -> Iterator[str]:
    """The cache after each filter is that of the model of the merged design, bit by bit."""
    final = max(stacks, key=len, default=())
    after: dict[tuple[int, int], list[frozenset[int]]] = {}
    for index, (snapshot, stack) in enumerate(zip(seen.snapshots, stacks, strict=False)):
        if snapshot.error:
            yield f"filter {index}: reading the cache: {_errno(snapshot.error)}"
            continue
        if not stack:
            if snapshot.blocks:
                yield f"filter {index}: the cache lists numbers although no filter is attached"
            continue
        if not snapshot.blocks:
            yield f"filter {index}: the cache lists no numbers although a filter is attached"
        for block in snapshot.blocks:
            arch = _arch(block)
            if (arch, block.size) not in after:
                model = Merged(KernelFacts({arch: block.size}, ground.exempt))
                after[arch, block.size] = [frozenset(cached) for cached in model.cached_so_far(final, arch)]
            yield from _differences(index, block, after[arch, block.size][len(stack)])


def _differences(index: int, block: Block, wanted: frozenset[int]) -> Iterator[str]:
    if extra := sorted(block.allowed - wanted):
        yield f"filter {index}: {block.name}: cached and should not be: {_list(extra)}"
    if lacking := sorted(wanted - block.allowed):
        yield f"filter {index}: {block.name}: not cached and should be: {_list(lacking)}"


def _list(found: list[int]) -> str:
    shown = ", ".join(map(str, found[:12]))
    return f"{shown} and {len(found) - 12} more" if len(found) > 12 else shown


def _arch(block: Block) -> int:
    name = ARCH_OF_NAME.get(block.name)
    return ABIS[name].audit_arch if name else 0


def check_cached(ground: Ground, seen: Seen, stacks: tuple[Stack, ...]) -> Iterator[str]:
    """What is cached is allowed by every filter for all arguments: the oracle proves it, whatever a model says.

    The last cache alone is asked about: those before it are supersets, or `check_inherited` complains.
    """
    whole = [pair for pair in zip(seen.snapshots, stacks, strict=False) if pair[0].blocks and pair[1]]
    for snapshot, stack in whole[-1:]:
        oracle = Oracle(stack)
        for block in snapshot.blocks:
            arch = _arch(block)
            asked = numbers(block.allowed - ground.exempt.get(arch, frozenset()))
            if wrong := sorted(asked - oracle.always_allowed(arch, asked)):
                yield f"{block.name}: cached although a filter may deny it: {_list(wrong)}"


def check_inherited(seen: Seen) -> Iterator[str]:
    """A further filter only takes bits away."""
    whole = [snapshot for snapshot in seen.snapshots if not snapshot.error and snapshot.blocks]
    for index, (before, after) in enumerate(pairwise(whole), start=1):
        parents = {block.name: block.allowed for block in before.blocks}
        for block in after.blocks:
            if gained := sorted(block.allowed - parents.get(block.name, frozenset())):
                yield f"filter {index}: {block.name}: allowed although the filter before it did not: {_list(gained)}"
