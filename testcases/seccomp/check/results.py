# SPDX-License-Identifier: GPL-2.0-or-later
"""From what the agent saw to test results: one for each check and batch of stacks. Of failures, cases that stand alone
(`filters.reproducer`), in a folder beside the console's log."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from configs.result import Status, TestResult
from testcases.seccomp.agent.batch import Trial
from testcases.seccomp.agent.observation import Seen
from testcases.seccomp.bpf.assembly import disassemble
from testcases.seccomp.bpf.instruction import to_raw
from testcases.seccomp.check.check_cache import check_bitmap, check_cached, check_inherited
from testcases.seccomp.check.checks import Attached, check_attach, check_behaviour
from testcases.seccomp.check.context import CheckContext, Complaint
from testcases.seccomp.check.trace_text import behaviour_digest, story
from testcases.seccomp.filters.reproducer import FilterCase, save
from testcases.seccomp.trials.stacks import group_of

CHECKS = ("attach", "behaviour", "bitmap", "cached", "inherited")
"""What is checked of every stack; the last three look at the cache."""
CACHE_CHECKS = ("bitmap", "cached", "inherited")
MOST_TELLING = ("behaviour", "attach", "cached", "inherited", "bitmap")
"""The same ones; of several that fail the first is the one to look at."""
_NO_FILE = 2
_SHOWN = 20
_LONGEST = 400
"""Complaints of one result, and instructions of one filter, that its output shows."""
REPRODUCERS = "reproducers"


@dataclass(slots=True)
class _Group:
    """What the stacks of one batch have come to so far, by check."""

    complaints: dict[str, list[str]] = field(default_factory=dict)
    culprit: dict[str, Trial] = field(default_factory=dict)
    count: int = 0
    lost: int = 0
    cacheless: bool = True
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    seconds: float = 0.0
    story: list[str] = field(default_factory=list)
    """What happened, where it is asked for."""

    def add(self, trial: Trial, check: str, complaints: Iterable[Complaint]) -> None:
        found = list(complaints)
        if found:
            self.culprit.setdefault(check, trial)
        self.complaints.setdefault(check, []).extend(f"{trial.name}: {complaint.text}" for complaint in found)


@dataclass(frozen=True, slots=True)
class TrialFailure:
    """A trial and the first complaint that a check has of it."""

    trial: Trial
    check: str
    complaint: Complaint


def results(context: CheckContext, *, cache: bool, excuse: str) -> Iterator[TestResult]:
    """All results of a batch. `cache`: whether the checks of the cache are wanted; `excuse` says why stacks are
    missing, if any are."""
    groups: dict[str, _Group] = {}
    for index, trial in enumerate(context.batch.trials):
        group = groups.setdefault(group_of(trial.name), _Group())
        seen = context.seen.trials.get(index)
        if seen is None or not seen.done:
            group.lost += 1
            continue
        _examine(context, trial, seen, group)
    for name, group in groups.items():
        for check in CHECKS:
            if cache or check not in CACHE_CHECKS:
                yield _result(f"{name}.{check}", check, group, excuse)


def failed_groups(found: Iterable[TestResult]) -> tuple[str, ...]:
    """The batches of stacks of which a check failed."""
    names = (result.name.rpartition(".") for result in found if result.status is Status.FAIL)
    return tuple(dict.fromkeys(group for group, _dot, check in names if check in CHECKS))


def failures(context: CheckContext, groups: Iterable[str]) -> Iterator[TrialFailure]:
    """The first failure of each of these batches of stacks, by the most telling check that fails in it."""
    for name in groups:
        trials = {index: trial for index, trial in enumerate(context.batch.trials) if group_of(trial.name) == name}
        found = (
            TrialFailure(trial, check, complaint)
            for check in MOST_TELLING
            for index, trial in trials.items()
            if (complaint := _first_complaint(context, index, check))
        )
        yield from islice(found, 1)


def _first_complaint(context: CheckContext, index: int, check: str) -> Complaint | None:
    """Of the trial of this index; None where it passed or was not finished."""
    trial, seen = context.batch.trials[index], context.seen.trials.get(index)
    if seen is None or not seen.done:
        return None
    return next(complaints_of(check, context, trial, seen, check_attach(context, trial, seen)), None)


def complaints_of(
    check: str, context: CheckContext, trial: Trial, seen: Seen, attached: Attached
) -> Iterator[Complaint]:
    """What one of CHECKS says of a trial. Those of the cache are silent on a kernel without the file."""
    if check in CACHE_CHECKS and _without_file(seen):
        return
    if check == "attach":
        yield from attached.complaints
    elif check == "behaviour":
        yield from check_behaviour(context, trial, seen, attached)
    elif check == "bitmap":
        yield from check_bitmap(context, seen, attached.stacks)
    elif check == "cached":
        yield from check_cached(context, seen, attached.stacks)
    else:
        yield from check_inherited(seen)


def _without_file(seen: Seen) -> bool:
    return all(snapshot.error == _NO_FILE for snapshot in seen.snapshots)


def _examine(context: CheckContext, trial: Trial, seen: Seen, group: _Group) -> None:
    group.count += 1
    group.seconds += seen.seconds
    group.cacheless = group.cacheless and _without_file(seen)
    attached = check_attach(context, trial, seen)
    for check in CHECKS:
        group.add(trial, check, complaints_of(check, context, trial, seen, attached))
    if context.told:
        group.story += story(context, trial, seen)
    group.digest.update(behaviour_digest(context, trial, seen).encode())


def _result(name: str, check: str, group: _Group, excuse: str) -> TestResult:
    observed = group.digest.hexdigest() if check == "behaviour" and not group.lost else ""
    complaints = group.complaints.get(check, [])
    if complaints:
        more = f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""
        text = "\n".join((_evidence(complaints, group.culprit[check]), *group.story))
        return TestResult(name, Status.FAIL, group.seconds, complaints[0] + more, text, observed=observed)
    if group.lost:
        return TestResult(name, Status.MISS, group.seconds, f"{group.lost} of its stacks were not tried: {excuse}")
    if check in CACHE_CHECKS and group.cacheless:
        return TestResult(name, Status.SKIP, 0.0, "this kernel has no /proc/PID/seccomp_cache")
    text = "\n".join(group.story) if check == "behaviour" else ""
    return TestResult(name, Status.PASS, group.seconds, output=text, observed=observed)


def _evidence(complaints: list[str], trial: Trial) -> str:
    lines = [*complaints[:_SHOWN], "", f"the stack {trial.name}, oldest filter first; below each its bytes"]
    for index, program in enumerate(trial.stack):
        lines += [f"filter {index}:", *disassemble(program[:_LONGEST]), to_raw(program[:_LONGEST]).hex()]
    return "\n".join(lines)


def keep(
    failure: TrialFailure, context: CheckContext, folder: Path, kernel: str, kernels: Sequence[str], origin: str = ""
) -> tuple[Path, FilterCase]:
    """Writes the case below `folder`, in place of an older one of the same `origin` (absent: the trial's name).
    `kernel` says where it failed, `kernels` are options for a command that tries it again. Returns the case's own
    folder, and what was written."""
    complaint, trial = failure.complaint, failure.trial
    origin, call = origin or trial.name, complaint.call
    case = FilterCase(
        abi=context.abi,
        check=failure.check,
        way=trial.way.name,
        between=bool(trial.between),
        nr=call.nr if call else context.seccomp,
        arch=call.arch if call else 0,
        args=call.args if call else (0,) * 6,
        expected=complaint.expected,
        observed=complaint.observed or complaint.text,
        origin=origin,
        kernel=kernel,
    )
    own = folder / REPRODUCERS / origin.replace("/", "-")
    return own, save(own, case, trial.stack, kernels)
