# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls and what came of them, against what the interpreter says of them."""

from collections.abc import Iterable, Iterator

from testcases.seccomp.agent.batch import Trial, Way
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.seccomp_data import ACTION_FULL, RET_ALLOW, RET_TRACE
from testcases.seccomp.check.calls import AnsweredCall, CallRow
from testcases.seccomp.check.context import CheckContext, Complaint
from testcases.seccomp.prove.decider import Decider
from testcases.seccomp.trials.expect import agrees, agrees_anyway, canonical, denial, denials


class CallJudge:
    """What the interpreter says of calls under these filters."""

    def __init__(self, context: CheckContext, trial: Trial, stack: Stack) -> None:
        self._context = context
        self._decider, self._possible = Decider(stack), denials(stack)
        self._traced = trial.way is Way.TRACER

    def row(self, row: CallRow) -> Iterator[Complaint]:
        """Calls of the row whose result contradicts the filters' decision. Most are settled in groups, without looking
        at each."""
        for start, end, value in self._decider.decisions(row.numbers, row.arch, row.call(self._context)):
            if value is None or not agrees_anyway(self._acted_on(value), row.answer):
                yield from self.calls(row.calls(start, end))

    def calls(self, calls: Iterable[AnsweredCall]) -> Iterator[Complaint]:
        """Calls whose result contradicts the filters' decision."""
        for made in calls:
            call = made.call(self._context)
            value = self._acted_on(self._decider.decide(call))
            exempt = made.nr in self._context.exempt.get(made.arch, ())
            if exempt or agrees(value, made.answer, made.natural, self._possible):
                continue
            right, ran = denial(value), canonical(made.answer, self._possible) is None
            yield Complaint(
                f"{'denied' if right else 'allowed'}, and {'ran' if ran else 'did not run'}",
                f"{_name(call)} {made.answer}; the filters return {value:#010x}",
                call,
                f"{right or 'runs'} (the filters return {value:#010x})",
                str(made.answer),
            )

    def _acted_on(self, value: int) -> int:
        """A call that the tracer has seen is not shown to it again."""
        return RET_ALLOW if self._traced and value & ACTION_FULL == RET_TRACE else value


def _name(call: Call) -> str:
    return f"nr {call.nr:#x} arch {call.arch:#x} args {','.join(f'{value:#x}' for value in call.args)}"
