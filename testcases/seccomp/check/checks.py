# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks: what a trial showed against what the models say. Each gives its complaints."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from testcases.seccomp.agent.batch import Door, Trial, Way
from testcases.seccomp.agent.observation import AnswerKind, CallAnswer, Seen
from testcases.seccomp.bpf.instruction import Program, Stack
from testcases.seccomp.bpf.seccomp_data import ACTION_FULL, FLAG_TSYNC, RET_KILL_THREAD, SET_MODE_FILTER
from testcases.seccomp.bpf.validate import admit
from testcases.seccomp.check.calls import early, rows, singles
from testcases.seccomp.check.context import CheckContext, Complaint
from testcases.seccomp.check.judge import CallJudge
from testcases.seccomp.prove.decider import Decider
from testcases.seccomp.trials.expect import denial

LEFT_WAITING = CallAnswer(AnswerKind.BLOCKED)
"""What becomes of a task of which one thread alone is killed: the other waits for it until the agent gives both up."""


@dataclass(frozen=True, slots=True)
class Attached:
    """How the attempts went: the filters that are attached after each, and complaints about them."""

    stacks: tuple[Stack, ...]
    complaints: tuple[Complaint, ...]

    @property
    def final(self) -> Stack:
        return self.stacks[-1] if self.stacks else ()


def check_attach(context: CheckContext, trial: Trial, seen: Seen) -> Attached:
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
        call = context.call(Door.NATIVE, context.seccomp, (SET_MODE_FILTER, flags, attempt.address, 0, 0, 0))
        value = decider.decide(call)
        denied = denial(value)
        wanted, after = denied, count
        if trial.way is Way.THREAD and value & ACTION_FULL == RET_KILL_THREAD:
            wanted = LEFT_WAITING
        if wanted is None:
            refused, after = admit(program, count)
            wanted = CallAnswer(AnswerKind.RETURNED, -refused.errno if refused else 0)
        if attempt.answer != wanted:
            expected, observed = str(wanted), str(attempt.answer)
            text = f"filter {index}: attaching it {observed}, not: {expected}"
            complaints.append(Complaint(f"{observed}, not: {expected}", text, call, expected, observed))
        if denied is None and attempt.answer == CallAnswer(
            AnswerKind.RETURNED, 0
        ):  # errno 0 is a denial too, and looks like it
            stack, count = (*stack, program), after
            decider.attach(program)
        stacks.append(stack)
        if attempt.ended:
            break
    return Attached(tuple(stacks), tuple(complaints))


def check_behaviour(context: CheckContext, trial: Trial, seen: Seen, attached: Attached) -> Iterator[Complaint]:
    """Each call came to what the interpreter says of the filters that were there by then. None is made where attaching
    a filter ended the task."""
    if any(attempt.ended for attempt in seen.attempts):
        return
    judge = CallJudge(context, trial, attached.final)
    for work in trial.works:
        for row in rows(context, work, seen):
            yield from judge.row(row)
        answers = sum(run.length for run in seen.runs.get(work.table, ()))
        asked = len(context.batch.tables[work.table].numbers)
        if answers != asked:
            yield Complaint("no answers", f"table {work.table}: {answers or 'no'} answers, not {asked}")
    yield from judge.calls(singles(context, trial, seen))
    for index, between in enumerate(trial.between):
        if index not in seen.between or between.filter >= len(attached.stacks):
            yield Complaint("no answers", f"after filter {between.filter}: no answers")
            continue
        stack, made = attached.stacks[between.filter], early(context, trial, seen, index)
        for complaint in CallJudge(context, trial, stack).calls(made):
            where = f"after filter {between.filter}: "
            yield replace(complaint, text=where + complaint.text, observed=where + complaint.observed)
