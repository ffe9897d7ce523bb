# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest's run came to: how it ended, what each step did, which faults the kernel reported."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from initramfs.job import Step


class End(StrEnum):
    """How a guest ended. Only FINISHED is a complete run (decision 1); the rest are told apart for the reader's sake.

    FINISHED        the nonce came back after the last record, and the stream was sound
    PANIC           the kernel said `Kernel panic`
    NO_INIT         the kernel came up, but init could not start, or died before it said anything
    SILENT          the kernel stopped talking, or never began, before it started init
    HUNG            the whole guest stopped giving signs of life
    TEST_HUNG       the guest is alive, but a step outlasted its deadline and could not be ended from inside
    RESET           the machine was reset without the end marker
    POWERED_OFF     the machine was powered off without the end marker
    CORRUPT         the result channel carried something that is not the format, or another run's nonce
    DEADLINE        the run as a whole took too long
    ACCEL_FAILED    the accelerator gave up (`internal-error`)
    QEMU_DIED       QEMU ended or was killed, and the guest had no part in it
    """

    FINISHED = "finished"
    PANIC = "panic"
    NO_INIT = "no-init"
    SILENT = "silent"
    HUNG = "hung"
    TEST_HUNG = "test-hung"
    RESET = "reset"
    POWERED_OFF = "powered-off"
    CORRUPT = "corrupt"
    DEADLINE = "deadline"
    ACCEL_FAILED = "accel-failed"
    QEMU_DIED = "qemu-died"


KERNEL_ENDS = frozenset(
    (End.PANIC, End.NO_INIT, End.SILENT, End.HUNG, End.TEST_HUNG, End.RESET, End.POWERED_OFF, End.CORRUPT, End.DEADLINE)
)
"""Ends that speak against the kernel under test (or its guest programs), unlike those of the machine below it."""


NO_LOG, LOST, FLOOD = "no-log", "lost", "flood"
UNREAD = frozenset((NO_LOG, LOST, FLOOD))
"""Kinds of fault that say that the log is not whole: what it does not hold may have happened all the same."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One report that the kernel printed about itself.

    `kind` is a name of `splats.yaml`. `title` is one line without addresses, process ids and times, the same for the
    same fault on base and patched. `lines` is the report as printed, `trace` the same call trace with `file:line`.
    `step` is the name of the step that ran when it was printed (by the time of arrival at the host, because the console
    and the results travel apart), `""` before the first and `after the last step` at the end.
    """

    kind: str
    title: str
    lines: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()
    fatal: bool = False
    step: str = ""


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """One step of the job. `how` is one of `exited`, `signalled`, `timeout`, `not-started` (reported by the guest),
    `unfinished` (it ran when the guest ended) and `never-ran`. `value` is the exit status, the signal, the number of
    processes that could not be killed, or the errno, in this order. `seconds` is guest time; `fair_seconds` the
    same on `guests.host.clock.FairClock`, from the record of the start to that of the end, 0.0 where one of them is
    missing: what the guest's own clock counts while it waits for a processor of the host is left out."""

    step: Step
    how: str
    value: int = 0
    seconds: float = 0.0
    stdout: bytes = b""
    stderr: bytes = b""
    files: tuple[tuple[str, bytes], ...] = ()
    notes: tuple[str, ...] = ()
    fair_seconds: float = 0.0

    @property
    def ended(self) -> bool:
        return self.how not in ("unfinished", "never-ran")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One guest from start to end. `message` is one line that says what happened. `tail` is the end of the console
    (lines), `state` what the processors did when a hung guest was asked (lines with `file:line`). `command` repeats
    the run by hand once `guests.run.run.reproduce` has written its files. `seconds` is wall time of the whole run,
    `fair_seconds` the same without what its processors waited for the host's, `ready_seconds` host processor time up
    to init's first record (0.0 if it never came)."""

    end: End
    message: str
    steps: tuple[StepOutcome, ...]
    faults: tuple[Fault, ...]
    console: Path
    command: tuple[str, ...]
    accel: str
    qemu_version: str
    seconds: float
    fair_seconds: float = 0.0
    ready_seconds: float = 0.0
    tail: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    restored: bool = False
    """It went on from a saved guest, and did not boot."""

    @property
    def booted(self) -> bool:
        """Whether it came as far as its first step."""
        return any(step.how != "never-ran" for step in self.steps)
