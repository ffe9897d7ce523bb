# SPDX-License-Identifier: GPL-2.0-only
"""From what the agent saw to test results: one for each check and batch of stacks."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from configs.result import Status, TestResult
from testcases.seccomp.assembly import disassemble
from testcases.seccomp.batch import Trial
from testcases.seccomp.checks import (
    Ground,
    behaviour_digest,
    check_attach,
    check_behaviour,
    check_bitmap,
    check_cached,
    check_inherited,
    disagreements,
    story,
)
from testcases.seccomp.expect import denial
from testcases.seccomp.fuzz.reproducer import Case
from testcases.seccomp.instruction import Stack
from testcases.seccomp.observation import Seen
from testcases.seccomp.raw import to_raw
from testcases.seccomp.stacks import group_of

CHECKS = ("attach", "behaviour", "bitmap", "cached", "inherited")
"""What is checked of every stack; the last three look at the cache."""
CACHE_CHECKS = ("bitmap", "cached", "inherited")
_NO_FILE = 2
_SHOWN = 20
_LONGEST = 400
"""Complaints of one result, and instructions of one filter, that its output shows."""


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

    def add(self, trial: Trial, check: str, complaints: Iterable[str]) -> None:
        found = list(complaints)
        if found:
            self.culprit.setdefault(check, trial)
        self.complaints.setdefault(check, []).extend(f"{trial.name}: {text}" for text in found)


def results(ground: Ground, *, cache: bool, excuse: str) -> Iterator[TestResult]:
    """All results of a batch. `cache`: whether the checks of the cache are wanted; `excuse` says why stacks are
    missing, if any are."""
    groups: dict[str, _Group] = {}
    for index, trial in enumerate(ground.batch.trials):
        group = groups.setdefault(group_of(trial.name), _Group())
        seen = ground.seen.trials.get(index)
        if seen is None or not seen.done:
            group.lost += 1
            continue
        _examine(ground, trial, seen, group)
    for name, group in groups.items():
        for check in CHECKS:
            if cache or check not in CACHE_CHECKS:
                yield _result(f"{name}.{check}", check, group, excuse)


def failing_cases(ground: Ground, found: Iterable[TestResult], kernel: str) -> Iterator[tuple[str, Case, Stack]]:
    """For each batch with a call that came to something else, as the results `found` tell, the first of these as a
    case, and its stack."""
    wanted = {result.name for result in found if result.status is Status.FAIL}
    done: set[str] = set()
    for index, trial in enumerate(ground.batch.trials):
        seen, group = ground.seen.trials.get(index), group_of(trial.name)
        if seen is None or not seen.done or group in done or f"{group}.behaviour" not in wanted:
            continue
        stack = check_attach(ground, trial, seen).final
        first = next(disagreements(ground, trial, seen, stack), None)
        if first:
            done.add(group)
            call, value, answer = first
            right = denial(value)
            yield (
                trial.name,
                Case(
                    abi=ground.abi,
                    nr=call.nr,
                    arch=call.arch,
                    args=call.args,
                    expected=f"{right or 'runs'} (the filters return {value:#010x})",
                    observed=str(answer),
                    origin=trial.name,
                    kernel=kernel,
                ),
                stack,
            )


def _examine(ground: Ground, trial: Trial, seen: Seen, group: _Group) -> None:
    group.count += 1
    group.seconds += seen.seconds
    attached = check_attach(ground, trial, seen)
    group.add(trial, "attach", attached.complaints)
    group.add(trial, "behaviour", check_behaviour(ground, trial, seen, attached.final))
    if ground.told:
        group.story += story(ground, trial, seen)
    group.digest.update(behaviour_digest(ground, trial, seen).encode())
    if any(snapshot.error != _NO_FILE for snapshot in seen.snapshots):
        group.cacheless = False
        group.add(trial, "bitmap", check_bitmap(ground, seen, attached.stacks))
        group.add(trial, "cached", check_cached(ground, seen, attached.stacks))
        group.add(trial, "inherited", check_inherited(seen))


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
