# SPDX-License-Identifier: GPL-2.0-or-later
"""The calls of a trial and what came of them, one by one or in rows."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from testcases.seccomp.agent.batch import Door, Trial, Work
from testcases.seccomp.agent.observation import AnswerKind, CallAnswer, Seen
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.check.context import CheckContext

_RETURNED = (AnswerKind.SAME, AnswerKind.RETURNED)


class AnsweredCall(NamedTuple):
    """One call that was made: what came of it, and without a filter; None if that is not known."""

    door: Door
    nr: int
    arch: int
    args: tuple[int, ...]
    answer: CallAnswer
    natural: CallAnswer | None

    def call(self, context: CheckContext) -> Call:
        return context.call(self.door, self.nr, self.args)


class CallRow(NamedTuple):
    """Calls of one table that all got the same answer, in ascending order; `natural` of each is as in
    `AnsweredCall`."""

    door: Door
    arch: int
    args: tuple[int, ...]
    numbers: Sequence[int]
    answer: CallAnswer
    natural: Sequence[CallAnswer | None]

    def call(self, context: CheckContext) -> Callable[[int], Call]:
        """Makes the call of a number."""
        return lambda nr: context.call(self.door, nr, self.args)

    def calls(self, start: int, end: int) -> Iterator[AnsweredCall]:
        """One by one, as a slice."""
        for nr, free in zip(self.numbers[start:end], self.natural[start:end], strict=True):
            yield AnsweredCall(self.door, nr, self.arch, self.args, self.answer, free)


def rows(context: CheckContext, work: Work, seen: Seen) -> Iterator[CallRow]:
    """Every call that was made in bulk under the whole stack, or should have been."""
    table, start = context.batch.tables[work.table], 0
    arch, numbers, natural = context.arch(table.door), table.numbers, context.seen.natural.get(work.table, [])
    for length, answer in seen.runs.get(work.table, ()):
        part = slice(start, start + length)
        start += length
        row = CallRow(table.door, arch, table.args, numbers[part], answer, natural[part])
        if answer.kind is AnswerKind.NOTHING:
            skipped = work.skipped
            owed = [
                (nr, free)
                for nr, free in zip(numbers[part], natural[part], strict=True)
                if free.kind is not AnswerKind.NOTHING and nr not in skipped
            ]
            row = row._replace(numbers=[nr for nr, _free in owed], natural=[free for _nr, free in owed])
        elif table.alone and answer.kind not in _RETURNED:
            row = row._replace(natural=(None,) * length)  # how such a call ends its task differs from time to time
        if answer.kind is not AnswerKind.LEFT_OUT:
            yield row


def singles(context: CheckContext, trial: Trial, seen: Seen) -> Iterator[AnsweredCall]:
    """Those that were made in a task of their own."""
    for index, answer in seen.singles.items():
        single = trial.singles[index]
        yield AnsweredCall(single.door, single.nr, context.arch(single.door), single.args, answer, None)


def early(context: CheckContext, trial: Trial, seen: Seen, index: int) -> Iterator[AnsweredCall]:
    """Those of one of the trial's `between`."""
    between = trial.between[index]
    table, natural = context.batch.tables[between.table], context.seen.natural.get(between.table, [])
    without_filter = dict(zip(table.numbers, natural, strict=bool(natural)))
    for nr, answer in zip(between.numbers, seen.between[index], strict=True):
        free = without_filter.get(nr)
        if answer.kind is not AnswerKind.NOTHING or (free is not None and free.kind is not AnswerKind.NOTHING):
            yield AnsweredCall(table.door, nr, context.arch(table.door), table.args, answer, free)
