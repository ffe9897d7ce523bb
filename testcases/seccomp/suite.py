# SPDX-License-Identifier: GPL-2.0-only
"""The suite: what the kernel decides, and what it caches, against what its filters say."""

import re
import stat
from pathlib import Path

from configs.errors import UserError
from configs.model import SuiteChoice
from configs.result import Status, TestResult
from guests.outcome import KERNEL_ENDS, Outcome, StepOutcome
from initramfs.cpio import Entry
from initramfs.job import Step
from initramfs.toolchain import CompileError, compile_static
from kernels.kconfig import Fragment, inline_fragment
from testcases.seccomp import batch as batches
from testcases.seccomp.checks import Ground
from testcases.seccomp.corpus.libseccomp import number
from testcases.seccomp.facts import KERNELS
from testcases.seccomp.observation import Observation, observe
from testcases.seccomp.stacks import TOPICS, stacks
from testcases.seccomp.trials import make_batch
from testcases.seccomp.verdicts import results
from testcases.suite import Payload, SuiteContext, SuiteError, payload_digest

FOLDER = Path(__file__).parent / "agent"
AGENT = "seccomp/agent"
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread")
TIMEOUT = 60.0
_VERSION = re.compile(r"^(VERSION|PATCHLEVEL) *= *(\d+)$", re.MULTILINE)


class Seccomp:
    def topics(self, tree: Path) -> tuple[str, ...]:  # noqa: ARG002
        return TOPICS

    def folder(self, choice: SuiteChoice) -> str:
        if choice.name.partition("/")[2] not in TOPICS:
            raise UserError(f"suite `{choice.name}`: say which one: {', '.join(f'seccomp/{name}' for name in TOPICS)}")
        return ""

    def fragments(self, choice: SuiteChoice, tree: Path) -> tuple[Fragment, ...]:  # noqa: ARG002
        self.folder(choice)
        line = "CONFIG_SECCOMP_CACHE_DEBUG=y  # optional: older kernels have no cache to show"
        return (inline_fragment("seccomp", [line]),)

    def commands(self, context: SuiteContext) -> tuple[tuple[str, ...], ...]:
        self.folder(context.choice)
        chain = context.abi.toolchain
        return ((chain.cc, *chain.cflags, *FLAGS, "-static", *map(str, _sources()), "-o", "agent"),)

    def prepare(self, context: SuiteContext) -> Payload:
        self.folder(context.choice)
        named = stacks(context.choice, context.arch.name, context.abi_name)
        batch = make_batch(context.abi_name, named, kernel_version(context.tree))
        try:
            agent = compile_agent(context)
        except CompileError as error:
            raise SuiteError(f"the agent does not compile: {error.first_line}") from None
        return make_payload(context.abi_name, agent, batch, context.choice)

    def read(self, payload: Payload, outcome: Outcome) -> tuple[TestResult, ...]:
        entry = next(entry for entry in payload.files if entry.path == batches.PATH)
        batch = batches.decode(entry.data)
        (step,) = outcome.steps
        options = dict(step.step.env)
        abi = options["ABI"]
        seen = observe(step.stdout)
        exempt = KERNELS[batch.kernel].exempt
        told = options["TELL"] == "1"
        ground = Ground(abi, number("seccomp", abi) or 0, batch, seen, exempt, told)
        own = _agent_result(step, outcome, ground)
        excuse = own.message or "the agent ended early"
        return (own, *results(ground, cache=options["CACHE"] == "1", excuse=excuse))


def kernel_version(tree: Path) -> str:
    """The newest version that the rig knows facts of and that is no newer than the tree."""
    try:
        found = dict(_VERSION.findall((tree / "Makefile").read_text(encoding="utf-8", errors="replace")))
    except OSError:
        found = {}
    own = (int(found.get("VERSION", 0)), int(found.get("PATCHLEVEL", 0)))
    known = {tuple(map(int, name.split("."))): name for name in KERNELS}
    return known[max((version for version in known if version <= own), default=min(known))]


def _sources() -> list[Path]:
    return sorted(FOLDER.glob("*.c"))


def compile_agent(context: SuiteContext) -> Path:
    """The agent for the context's ABI. Raises CompileError, MachineError, Stopped."""
    return compile_static(context.abi.toolchain, _sources(), "agent", flags=FLAGS, stop=context.stop)


def make_payload(abi: str, agent: Path, batch: batches.Batch, choice: SuiteChoice) -> Payload:
    """The agent and its batch as one step of a guest."""
    files = (
        Entry("seccomp", stat.S_IFDIR | 0o755),
        Entry(AGENT, stat.S_IFREG | 0o755, agent.read_bytes()),
        Entry(batches.PATH, stat.S_IFREG | 0o644, batches.encode(batch)),
    )
    env = (
        ("ABI", abi),
        ("CACHE", "1" if choice.options.get("cache", True) else "0"),
        ("TELL", "1" if "files" in choice.options else "0"),
    )
    step = Step("agent", (f"/{AGENT}", f"/{batches.PATH}"), env=env, timeout=float(choice.timeout or TIMEOUT))
    return Payload(files, (step,), payload_digest(files, (step,)))


def _agent_result(step: StepOutcome, outcome: Outcome, ground: Ground) -> TestResult:
    """Whether the agent came to its end, and if not, under which stack it was."""
    seen = ground.seen
    words = step.stderr.decode("utf-8", "replace").strip()
    if step.how == "exited" and step.value == 0 and seen.complete and not seen.problem:
        return TestResult("agent", Status.PASS, step.seconds, _speed(seen), words)
    where = f" under the stack {ground.batch.trials[seen.broken_off].name}" if seen.broken_off is not None else ""
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
