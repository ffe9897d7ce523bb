# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes failing stacks small against the kernel that failed them: hundreds of candidates in each boot of a guest."""

import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from configs.result import TestResult
from guests.crash.outcome import Outcome
from testcases.seccomp.agent.batch import Batch, Single, Way, encode
from testcases.seccomp.agent.programs import batch_of, order_of_payload, with_batch
from testcases.seccomp.bpf.assembly import disassemble
from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.check.checks import check_attach
from testcases.seccomp.check.context import CheckContext, Complaint, context_of
from testcases.seccomp.check.results import TrialFailure, complaints_of, failed_groups, failures, keep
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.filters.reproducer import FilterCase
from testcases.seccomp.fuzz.minimise import ROUND, Minimiser, size_text
from testcases.seccomp.trials.probes import probe_batch, single_of
from testcases.seccomp.trials.stacks import group_of
from testcases.seccomp.trials.tables import SAFE
from testcases.suite import FollowUp, Payload, RepeatedFailure
from util.events import Event, Phase

ROUNDS, SECONDS = 40, 60.0
"""So many guests and so much wall time at most for one finding."""
GROUPS = 4
"""Batches of stacks that are tried again to choose from,"""
SEARCHES = 2
"""and how many of their stacks are made small, each for another check."""


def smaller(finding: RepeatedFailure) -> FollowUp:
    """Tries a few of the failed batches once more, and makes a stack small of each check that fails again. The cases
    are kept in the finding's folder, and their tests point to them."""
    whole = batch_of(finding.payload)
    groups = _cheapest(whole, failed_groups(finding.failed))
    again = tuple(trial for trial in whole.trials if group_of(trial.name) in groups)
    context = yield from _tried(finding.payload, replace(whole, trials=again))
    searches = [MinimiseSearch(context.abi, failure) for failure in _one_of_each(failures(context, groups))]
    name, began, rounds, asked = f"minimise {finding.label}", time.monotonic(), 0, True
    finding.emit(Event(name, Phase.START, _sizes(searches)))
    while searches and asked and rounds < ROUNDS and time.monotonic() - began < SECONDS:
        probes = [search.probes(ROUND // len(searches)) for search in searches]
        asked = any(probes)
        if asked:
            batch = probe_batch(context.abi, (probe for some in probes for probe in some), whole.kernel)
            context = yield from _tried(finding.payload, batch)
            first = 0
            for search, some in zip(searches, probes, strict=True):
                search.take(context, first)
                first += len(some)
            rounds += 1
            finding.emit(Event(name, Phase.PROGRESS, _sizes(searches), rounds, unit="guests"))
    finding.emit(Event(name, Phase.DONE, f"{_sizes(searches)}, {rounds} guests, {time.monotonic() - began:.0f} s"))
    return tuple(told for search in searches for told in _kept(finding, context, search, ended=not asked))


def _cheapest(batch: Batch, groups: Iterable[str]) -> tuple[str, ...]:
    """A few batches of stacks, those with the fewest instructions first."""
    lengths = dict.fromkeys(groups, 0)
    for trial in batch.trials:
        if (group := group_of(trial.name)) in lengths:
            lengths[group] += sum(map(len, trial.stack))
    return tuple(sorted(lengths, key=lambda group: lengths[group])[:GROUPS])


def _one_of_each(found: Iterable[TrialFailure]) -> list[TrialFailure]:
    """The smallest stack for each check."""
    chosen: dict[str, TrialFailure] = {}
    for failure in sorted(found, key=lambda failure: sum(map(len, failure.trial.stack))):
        chosen.setdefault(failure.check, failure)
    return list(chosen.values())[:SEARCHES]


def _tried(payload: Payload, batch: Batch) -> Generator[Payload, Outcome, CheckContext]:
    """One guest, and what it showed."""
    asked = with_batch(payload, encode(batch, order_of_payload(payload)))
    outcome = yield asked
    (step,) = outcome.steps
    return context_of(asked, step)


class MinimiseSearch:
    """The way from one failure, `first`, to the smallest that is alike. A way of attaching that is not the plain one is
    given up where the plain one does, and so are calls between the filters."""

    def __init__(self, abi: str, first: TrialFailure) -> None:
        self.first = first
        self._abi = abi
        self._minimiser = Minimiser(first.trial.stack)
        self._asked: tuple[NamedStack, ...] = ()
        self._found: dict[Stack, TrialFailure] = {}
        """The last that was seen of each stack that failed."""
        self._plain_too = first.trial.way is not Way.PLAIN or bool(first.trial.between)

    @property
    def failure(self) -> TrialFailure:
        """That of the smallest stack so far."""
        return self._found.get(self._minimiser.stack, self.first)

    def probes(self, most: int) -> tuple[NamedStack, ...]:
        """What the next guest is to try; nothing once the search has come to its end."""
        trial, asked = self.failure.trial, self._single()
        if self._plain_too:
            self._asked = (NamedStack(trial.name, trial.stack, Way.PLAIN, asked),)
        else:
            stacks = self._minimiser.candidates(most)
            between = bool(trial.between)
            self._asked = tuple(NamedStack(trial.name, stack, trial.way, asked, between) for stack in stacks)
        return self._asked

    def take(self, context: CheckContext, first: int) -> None:
        """The answers: those of the context's trials from index `first` on."""
        whole = range(first, first + len(self._asked))
        found = {index: failure for index in whole if (failure := self._alike(context, index))}
        self._found.update((failure.trial.stack, failure) for failure in found.values())
        if self._plain_too:
            self._plain_too = False
        else:
            self._minimiser.take([index in found if index in context.seen.trials else None for index in whole])

    def _single(self) -> Single | None:
        """The call that shows it, as the agent is to make it, or None where it cannot."""
        call, check = self.failure.complaint.call, self.failure.check
        if call is None or check == "attach":
            return None
        return single_of(self._abi, call if check == "behaviour" else replace(call, args=SAFE))

    def _alike(self, context: CheckContext, index: int) -> TrialFailure | None:
        trial, seen = context.batch.trials[index], context.seen.trials.get(index)
        if seen is None or not seen.done:
            return None
        attached = check_attach(context, trial, seen)
        found = complaints_of(self.first.check, context, trial, seen, attached)
        alike = (complaint for complaint in found if complaint.kind == self.first.complaint.kind)
        complaint: Complaint | None = next(alike, None)
        return TrialFailure(trial, self.first.check, complaint) if complaint else None


def _sizes(searches: Sequence[MinimiseSearch]) -> str:
    parts = (f"{size_text(search.first.trial.stack)} to {size_text(search.failure.trial.stack)}" for search in searches)
    return ", ".join(parts) or "no batch failed again"


def _kept(finding: RepeatedFailure, context: CheckContext, search: MinimiseSearch, *, ended: bool) -> list[TestResult]:
    """Writes the case; the test that it speaks for, with the way to it."""
    origin = search.first.trial.name
    folder, case = keep(search.failure, context, finding.folder, finding.label, finding.payload.kernels, origin)
    name = f"{group_of(origin)}.{search.first.check}"
    return [
        replace(
            result,
            message=f"{result.message}; minimised: {size_text(search.failure.trial.stack)} in {folder}",
            output="\n".join((*_lines(search, case, folder, ended), "", result.output)),
        )
        for result in finding.failed
        if result.name == name
    ]


def _lines(search: MinimiseSearch, case: FilterCase, folder: Path, ended: bool) -> list[str]:
    lines = [
        f"the stack {case.origin}, made small on this kernel{'' if ended else ' (the search was cut short)'}: {folder}",
        search.failure.complaint.text,
    ]
    for index, program in enumerate(search.failure.trial.stack):
        lines += [f"filter {index}:", *disassemble(program)]
    return [*lines, f"replay it with: {case.replay}"]
