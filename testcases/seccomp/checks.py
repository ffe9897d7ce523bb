# SPDX-License-Identifier: GPL-2.0-only
"""The checks: what a trial showed against what the models say. Each gives its complaints."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from operator import itemgetter
from typing import NamedTuple

from testcases.seccomp.batch import Door, Trial, Way
from testcases.seccomp.call import Call
from testcases.seccomp.decider import Decider
from testcases.seccomp.expect import agrees, agrees_anyway, canonical, denial, denials
from testcases.seccomp.ground import Complaint, Ground
from testcases.seccomp.instruction import Program, Stack
from testcases.seccomp.observation import Answer, Kind, Seen
from testcases.seccomp.seccomp_data import (
    ACTION_FULL,
    FLAG_TSYNC,
    RET_ALLOW,
    RET_KILL_THREAD,
    RET_TRACE,
    SET_MODE_FILTER,
)
from testcases.seccomp.validate import admit


@dataclass(frozen=True, slots=True)
class Attached:
    """How the attempts went: the filters that are attached after each, and complaints about them."""

    stacks: tuple[Stack, ...]
    complaints: tuple[Complaint, ...]

    @property
    def final(self) -> Stack:
        return self.stacks[-1] if self.stacks else ()


def check_attach(ground: Ground, trial: Trial, seen: Seen) -> Attached:
    """Each attempt to attach: as the filters that are there already decide, and then as the validator says."""
    stack: tuple[Program, ...] = ()
    stacks: list[Stack] = []
    complaints: list[Complaint] = []
    count, decider = 0, Decider()
    flags = FLAG_TSYNC if trial.way is Way.THREAD else 0
    for index, program in enumerate(trial.stack):
        if index >= len(seen.attempts):
            complaints.append(Complaint("not seen", f"filter {index}: the attempt to attach it was not seen"))
            break
        attempt = seen.attempts[index]
        call = ground.call(Door.NATIVE, ground.seccomp, (SET_MODE_FILTER, flags, attempt.address, 0, 0, 0))
        value = decider.decide(call)
        denied = denial(value)
        wanted, after = denied, count
        if trial.way is Way.THREAD and value & ACTION_FULL == RET_KILL_THREAD:
            wanted = LEFT_WAITING
        if wanted is None:
            refused, after = admit(program, count)
            wanted = Answer(Kind.RETURNED, -refused.errno if refused else 0)
        if attempt.answer != wanted:
            expected, observed = _show(wanted), _show(attempt.answer)
            text = f"filter {index}: attaching it {observed}, not: {expected}"
            complaints.append(Complaint(f"{observed}, not: {expected}", text, call, expected, observed))
        if denied is None and attempt.answer == Answer(Kind.RETURNED, 0):  # errno 0 is a denial too, and looks like it
            stack, count = (*stack, program), after
            decider.attach(program)
        stacks.append(stack)
        if attempt.ended:
            break
    return Attached(tuple(stacks), tuple(complaints))


LEFT_WAITING = Answer(Kind.BLOCKED)
"""What becomes of a task of which one thread alone is killed: the other waits for it until the agent gives both up."""


def _show(answer: Answer) -> str:
    if answer.kind is Kind.RETURNED and answer.value < 0:
        return f"gave {errno_text(-answer.value)}"
    return str(answer)


def errno_text(number: int) -> str:
    return f"errno {number} ({os.strerror(number)})" if number < 200 else f"errno {number}"


def check_behaviour(ground: Ground, trial: Trial, seen: Seen, attached: Attached) -> Iterator[Complaint]:
    """Each call came to what the interpreter says of the filters that were there by then. None is made where attaching
    a filter ended the task."""
    if any(attempt.ended for attempt in seen.attempts):
        return
    judge = _Judge(ground, trial, attached.final)
    for row in _rows(ground, trial, seen):
        yield from judge.row(row)
    yield from judge.calls(_single_calls(ground, trial, seen))
    for index, between in enumerate(trial.between):
        if index not in seen.between or between.filter >= len(attached.stacks):
            yield Complaint("no answers", f"after filter {between.filter}: no answers")
            continue
        stack, made = attached.stacks[between.filter], _calls_between(ground, trial, seen, index)
        for complaint in _Judge(ground, trial, stack).calls(made):
            where = f"after filter {between.filter}: "
            yield replace(complaint, text=where + complaint.text, observed=where + complaint.observed)
    for work in trial.works:
        answers = sum(run.length for run in seen.runs.get(work.table, ()))
        asked = len(ground.batch.tables[work.table].numbers)
        if answers != asked:
            yield Complaint("no answers", f"table {work.table}: {answers or 'no'} answers, not {asked}")


class _Judge:
    """What the interpreter says of calls under these filters."""

    def __init__(self, ground: Ground, trial: Trial, stack: Stack) -> None:
        self._ground = ground
        self._decider, self._possible = Decider(stack), denials(stack)
        self._traced = trial.way is Way.TRACER

    def row(self, row: "_Row") -> Iterator[Complaint]:
        """Those of the row that did not come to it. Most are settled many at a time, without a look at each."""
        for start, end, value in self._decider.constants(row.numbers, row.arch):
            if value is None or not agrees_anyway(self._acted_on(value), row.answer):
                yield from self.calls(row.calls(start, end))

    def calls(self, calls: Iterable["_Made"]) -> Iterator[Complaint]:
        """Those that did not come to it."""
        for made in calls:
            call = made.call(self._ground)
            value = self._acted_on(self._decider.decide(call))
            exempt = made.nr in self._ground.exempt.get(made.arch, ())
            if exempt or agrees(value, made.answer, made.natural, self._possible):
                continue
            right, ran = denial(value), canonical(made.answer, self._possible) is None
            yield Complaint(
                f"{'denied' if right else 'allowed'}, and {'ran' if ran else 'did not run'}",
                f"{_name(call)} {_show(made.answer)}; the filters return {value:#010x}",
                call,
                f"{_show(right) if right else 'runs'} (the filters return {value:#010x})",
                _show(made.answer),
            )

    def _acted_on(self, value: int) -> int:
        """A call that the tracer has seen is not shown to it again."""
        return RET_ALLOW if self._traced and value & ACTION_FULL == RET_TRACE else value


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


class _Row(NamedTuple):
    """Calls of one table that all got the same answer, in ascending order; `natural` has one answer for each."""

    door: Door
    arch: int
    args: tuple[int, ...]
    numbers: Sequence[int]
    answer: Answer
    natural: Sequence[Answer]

    def calls(self, start: int, end: int) -> Iterator[_Made]:
        """One by one, as a slice."""
        for nr, free in zip(self.numbers[start:end], self.natural[start:end], strict=True):
            yield _Made(self.door, nr, self.arch, self.args, self.answer, free)


def _rows(ground: Ground, trial: Trial, seen: Seen) -> Iterator[_Row]:
    """Every call that was made in bulk under the whole stack, or should have been."""
    given_up = seen.used_up
    for work in trial.works:
        table, start = ground.batch.tables[work.table], 0
        arch, numbers, natural = ground.arch(table.door), table.numbers, ground.seen.natural.get(work.table, [])
        for length, answer in seen.runs.get(work.table, ()):
            part = slice(start, start + length)
            row = _Row(table.door, arch, table.args, numbers[part], answer, natural[part])
            start += length
            if answer.kind is Kind.NOTHING:
                owed = [
                    (nr, free)
                    for nr, free in zip(row.numbers, row.natural, strict=True)
                    if not given_up and free.kind is not Kind.NOTHING and nr not in work.skipped
                ]
                row = row._replace(numbers=[nr for nr, _free in owed], natural=[free for _nr, free in owed])
            yield row


def _single_calls(ground: Ground, trial: Trial, seen: Seen) -> Iterator[_Made]:
    """Those that were made in a task of their own."""
    for index, answer in seen.singles.items():
        single = trial.singles[index]
        yield _Made(single.door, single.nr, ground.arch(single.door), single.args, answer, None)


def _calls_between(ground: Ground, trial: Trial, seen: Seen, index: int) -> Iterator[_Made]:
    """The calls of one of the trial's `between`."""
    between = trial.between[index]
    table, natural = ground.batch.tables[between.table], ground.seen.natural.get(between.table, [])
    without_filter = dict(zip(table.numbers, natural, strict=bool(natural)))
    for nr, answer in zip(between.numbers, seen.between[index], strict=True):
        free = without_filter.get(nr)
        if answer.kind is not Kind.NOTHING or (free is not None and free.kind is not Kind.NOTHING):
            yield _Made(table.door, nr, ground.arch(table.door), table.args, answer, free)


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
    for (arch, shown), nrs in _behaviour(ground, trial, seen, possible):
        span = f"{nrs[0]}" if len(nrs) == 1 else f"{nrs[0]} to {nrs[-1]} ({len(nrs)} calls)"
        yield f"arch {arch:#x} nr {span}: {_show(shown) if shown else 'ran'}"


def behaviour_digest(ground: Ground, trial: Trial, seen: Seen) -> str:
    """Names what the kernel let run and how it denied the rest. Bitmaps are not part of it: base has none."""
    possible = denials(trial.stack)
    digest = hashlib.sha256()
    for attempt in seen.attempts:
        digest.update(repr(attempt.answer).encode())
    for shown, nrs in _behaviour(ground, trial, seen, possible):
        digest.update(repr((shown, nrs)).encode())
    for index in seen.between:
        for made in _calls_between(ground, trial, seen, index):
            digest.update(repr((made.nr, made.arch, canonical(made.answer, possible))).encode())
    return digest.hexdigest()


def _behaviour(
    ground: Ground, trial: Trial, seen: Seen, possible: frozenset[Answer] | None
) -> Iterator[tuple[tuple[int, Answer | None], list[int]]]:
    """Under the whole stack: the numbers that were called, in rows of one architecture and one `canonical` answer."""
    made = chain(
        ((row.arch, canonical(row.answer, possible), row.numbers) for row in _rows(ground, trial, seen) if row.numbers),
        ((one.arch, canonical(one.answer, possible), (one.nr,)) for one in _single_calls(ground, trial, seen)),
    )
    for alike, parts in groupby(made, key=itemgetter(0, 1)):
        yield alike, [nr for _arch, _shown, numbers in parts for nr in numbers]
