# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite: what the kernel decides, and what it caches, against what its filters say."""

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from configs.model import SuiteChoice
from configs.result import Status, TestResult
from guests.crash.outcome import KERNEL_ENDS, Outcome, StepOutcome
from initramfs.toolchain import command_by_hand
from kernels.kconfig.fragments import Fragment, inline_fragment
from testcases.reading import read_step
from testcases.seccomp import CONFIG, COUNTED, PROGRAMS, TOPICS
from testcases.seccomp.agent.batch import encode
from testcases.seccomp.agent.observation import Observation
from testcases.seccomp.agent.programs import (
    AGENT,
    FLAGS,
    agent_payload,
    batch_of,
    compiled,
    order_of_payload,
    sources,
    tap_payload,
    with_batch,
)
from testcases.seccomp.check.context import CheckContext, context_of
from testcases.seccomp.check.counted import counted_command, counted_payload, read_counted
from testcases.seccomp.check.minimise_run import smaller
from testcases.seccomp.check.results import failed_groups, failures, keep, results
from testcases.seccomp.prove.facts import KERNELS
from testcases.seccomp.trials.prepared import prepared
from testcases.seccomp.trials.stacks import group_of
from testcases.suite import FollowUp, Payload, RepeatedFailure, Suite, SuiteContext
from util.errors import UserError

_VERSION = re.compile(r"^(VERSION|PATCHLEVEL) *= *(\d+)$", re.MULTILINE)


class Seccomp:
    def folder(self, choice: SuiteChoice) -> str:
        if choice.name.partition("/")[2] not in TOPICS:
            raise UserError(f"suite `{choice.name}`: say which one: {', '.join(f'seccomp/{name}' for name in TOPICS)}")
        return ""

    def fragments(self, choice: SuiteChoice, tree: Path) -> tuple[Fragment, ...]:  # noqa: ARG002
        self.folder(choice)
        cache = "CONFIG_SECCOMP_CACHE_DEBUG=y  # optional: older kernels have no cache to show"
        return (inline_fragment("seccomp", [*CONFIG, cache]),)

    def commands(self, context: SuiteContext, tree: Path, out: Path) -> tuple[tuple[str, ...], ...]:  # noqa: ARG002
        self.folder(context.choice)
        if context.topic == COUNTED:
            return ("mkdir", "-p", str(out)), counted_command(context, out)
        name = PROGRAMS.get(context.topic, AGENT)
        compiler = command_by_hand(
            context.abi.toolchain,
            sources(name),
            out / name,
            (*FLAGS, *context.abi_flags),
        )
        return ("mkdir", "-p", str(out)), compiler

    def prepare(self, context: SuiteContext) -> Payload:
        self.folder(context.choice)
        if context.topic in PROGRAMS:
            name = PROGRAMS[context.topic]
            return tap_payload(name, compiled(name, context), context.choice)
        if context.topic == COUNTED:
            return counted_payload(context, kernel_version(context.tree))
        kernel = kernel_version(context.tree)
        batch = prepared(context.choice, context.arch.name, context.abi_name, kernel, context.stop)
        return agent_payload(context.abi_name, compiled(AGENT, context), batch, context.choice, context.kernels)

    def read(self, payload: Payload, outcome: Outcome) -> tuple[TestResult, ...]:
        (step,) = outcome.steps
        if step.step.name == COUNTED:
            return read_counted(step, outcome)
        if step.step.name != AGENT:
            return read_step(step, outcome)
        context = context_of(payload, step)
        own = _agent_result(step, outcome, context)
        excuse = own.message or "the agent ended early"
        cache = dict(step.step.env)["CACHE"] == "1"
        found = tuple(results(context, cache=cache, excuse=excuse))
        for failure in failures(context, failed_groups(found)):
            keep(failure, context, outcome.console.parent, str(outcome.console), payload.kernels)
        return (own, *found)

    def select(self, payload: Payload, tests: Collection[str]) -> Payload | None:
        """Of an agent's payload the batches of stacks that these tests are about: each stack has a task of its own."""
        if [step.name for step in payload.steps] != [AGENT]:
            return None
        batch = batch_of(payload)
        wanted = {test.rpartition(".")[0] for test in tests}
        trials = tuple(trial for trial in batch.trials if group_of(trial.name) in wanted)
        if len(trials) == len(batch.trials) or not wanted <= {group_of(trial.name) for trial in trials}:
            return None
        return with_batch(payload, encode(replace(batch, trials=trials), order_of_payload(payload)))

    def follow_up(self, finding: RepeatedFailure) -> FollowUp:
        """Makes failing stacks small, and keeps them as cases (`fuzz.reproducer`)."""
        if [step.name for step in finding.payload.steps] != [AGENT]:
            return ()
        return (yield from smaller(finding))


def kernel_version(tree: Path) -> str:
    """The newest version that the rig knows facts of and that is no newer than the tree."""
    try:
        found = dict(_VERSION.findall((tree / "Makefile").read_text(encoding="utf-8", errors="replace")))
    except OSError:
        found = {}
    own = (int(found.get("VERSION", 0)), int(found.get("PATCHLEVEL", 0)))
    known = {tuple(map(int, name.split("."))): name for name in KERNELS}
    return known[max((version for version in known if version <= own), default=min(known))]


def _agent_result(step: StepOutcome, outcome: Outcome, context: CheckContext) -> TestResult:
    """Whether the agent came to its end, and if not, under which stack it was."""
    seen = context.seen
    words = step.stderr.decode("utf-8", "replace").strip()
    if step.how == "exited" and step.value == 0 and seen.complete and not seen.problem:
        return TestResult("agent", Status.PASS, step.seconds, _speed(seen), words)
    where = f" under the stack {context.batch.trials[seen.broken_off].name}" if seen.broken_off is not None else ""
    if step.how == "unfinished":
        status = Status.FAIL if outcome.end in KERNEL_ENDS else Status.MISS
        return TestResult("agent", status, step.seconds, f"the guest ended{where}: {outcome.message}", words)
    if step.how == "never-ran":
        return TestResult("agent", Status.MISS, 0.0, f"did not run: {outcome.message}")
    if step.how == "timeout":
        return TestResult("agent", Status.FAIL, step.seconds, f"had not ended in time{where}", words)
    if step.how == "signalled":
        return TestResult("agent", Status.FAIL, step.seconds, f"was killed by signal {step.value}{where}", words)
    text = seen.problem or words or f"ended with {step.how} {step.value}"
    return TestResult("agent", Status.ERROR, step.seconds, f"{text}{where}", words)


def _speed(seen: Observation) -> str:
    calls = sum(trial.calls for trial in seen.trials.values())
    seconds = sum(trial.seconds for trial in seen.trials.values())
    return f"{calls} calls under {len(seen.trials)} stacks in {seconds:.1f} s of guest time"


SUITE: Suite = Seccomp()
