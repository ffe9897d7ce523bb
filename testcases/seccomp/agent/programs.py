# SPDX-License-Identifier: GPL-2.0-or-later
"""The suite's C programs and how they become steps of a guest."""

import stat
from dataclasses import replace
from pathlib import Path

from configs.model import SuiteChoice
from initramfs.cpio import Entry
from initramfs.job import Step
from initramfs.toolchain import CompileError, compile_static
from testcases.seccomp.agent import batch as batches
from testcases.seccomp.bpf.instruction import ByteOrder
from testcases.suite import Payload, SuiteContext, SuiteError, payload_digest

AGENT = "agent"
PARALLEL = ("threads",)
"""Programs that look for races whose window is a few instructions: processors that run in turn never meet in one."""
PLACE = "seccomp"
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread")
TIMEOUT = 60.0
_FOLDER = Path(__file__).parent.parent


def sources(program: str) -> list[Path]:
    return sorted((_FOLDER / program).glob("*.c"))


def compiled(program: str, context: SuiteContext) -> bytes:
    """The static program for the context's ABI. Raises SuiteError, MachineError, Stopped."""
    try:
        path = compile_static(
            context.abi.toolchain,
            sources(program),
            program,
            flags=(*FLAGS, *context.abi_flags),
            stop=context.stop,
            emit=context.emit,
        )
    except CompileError as error:
        raise SuiteError(f"{program} does not compile: {error.first_line}") from None
    return path.read_bytes()


def agent_payload(abi: str, agent: bytes, batch: bytes, choice: SuiteChoice, kernels: tuple[str, ...] = ()) -> Payload:
    """The agent and its encoded batch. What results need to know of the choice travels in the step's environment.

    One processor: each task runs while the agent waits for it, and a tracer on another one waits a tick until its task
    is asleep (`wait_task_inactive`, kernel/sched/core.c). With two, a batch took half as long again, and sometimes five
    times as long.
    """
    env = (
        ("ABI", abi),
        ("CACHE", "1" if choice.options.get("cache", True) else "0"),
        ("TELL", "1" if choice.name.endswith("/replay") else "0"),
    )
    step = Step(AGENT, (f"/{PLACE}/{AGENT}", f"/{batches.PATH}"), env=env, timeout=_timeout(choice))
    return replace(_payload(step, agent, _batch_entry(batch)), smp=1, kernels=kernels)


def with_batch(payload: Payload, batch: bytes) -> Payload:
    """The same agent with another encoded batch."""
    files = (*(entry for entry in payload.files if entry.path != batches.PATH), _batch_entry(batch))
    return replace(payload, files=files, digest=payload_digest(files, payload.steps))


def batch_of(payload: Payload) -> batches.Batch:
    """The batch of an agent's payload."""
    return batches.decode(next(entry.data for entry in payload.files if entry.path == batches.PATH))


def order_of_payload(payload: Payload) -> ByteOrder:
    """The byte order of the guest that an agent's payload is for."""
    return batches.order_of_batch(next(entry.data for entry in payload.files if entry.path == batches.PATH))


def _batch_entry(batch: bytes) -> Entry:
    return Entry(batches.PATH, stat.S_IFREG | 0o644, batch)


def tap_payload(name: str, program: bytes, choice: SuiteChoice) -> Payload:
    """One of PROGRAMS."""
    payload = _payload(Step(name, (f"/{PLACE}/{name}",), timeout=_timeout(choice)), program)
    return replace(payload, parallel=name in PARALLEL)


def _timeout(choice: SuiteChoice) -> float:
    return float(choice.timeout or TIMEOUT)


def _payload(step: Step, program: bytes, *further: Entry) -> Payload:
    files = (
        Entry(PLACE, stat.S_IFDIR | 0o755),
        Entry(f"{PLACE}/{step.name}", stat.S_IFREG | 0o755, program),
        *further,
    )
    return Payload(files, (step,), payload_digest(files, (step,)))
