# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one guest from power-on to its end and says what happened."""

import time
from collections.abc import Callable
from dataclasses import replace

from guests.crash.outcome import KERNEL_ENDS, End, Fault, Outcome, StepOutcome
from guests.qemu.machine import check_accel
from guests.run.drive import LOG, Driven, drive
from guests.run.guest_state import Deadlines, deadlines
from guests.run.qemu import qemu_version
from guests.run.request import GuestRequest, command_by_hand, reproduce
from guests.run.saved import SavedGoneError
from guests.run.triage import triage
from util.events import Event, Listener, Phase
from util.stop import Stop

__all__ = ["KERNEL_ENDS", "End", "Fault", "GuestRequest", "Outcome", "StepOutcome", "reproduce", "run_guest"]


def run_guest(request: GuestRequest, emit: Listener, stop: Stop) -> Outcome:
    """Boots the guest, or wakes a copy of a saved one, and waits for its end, whatever that is; blocks the calling
    thread. A copy that does not wake up is booted.

    Raises UserError for a machine, an accelerator or a file that does not exist, MachineError if QEMU cannot be run,
    Stopped once `stop` is set. A fault of the kernel is in the Outcome, never an exception.
    """
    stop.check()
    check_accel(request.arch, request.accel)
    version = qemu_version(request.arch.qemu, request.host)
    request.folder.mkdir(parents=True, exist_ok=True)
    name = f"boot {request.label or request.arch.name}"
    command = command_by_hand(request)
    limits = request.limits or deadlines(request.job, request.boot_deadline, request.total_deadline)
    limits = limits.later(request.host.delay)

    def progress(step: int) -> None:
        emit(Event(name, Phase.PROGRESS, request.job.steps[step].name, step, len(request.job.steps), "steps"))

    started = time.monotonic()
    emit(Event(name, Phase.START, request.accel, total=len(request.job.steps), unit="steps", command=command))
    reason = ""
    try:
        driven, reason = _awake(request, limits, stop, progress) if request.saved else (None, "")
        if driven is None:
            request = replace(request, saved=None)
            driven = drive(request, limits, stop, progress)
    except BaseException:
        emit(Event(name, Phase.FAILED, "ended before its time"))
        raise
    seconds = time.monotonic() - started
    found = triage(request, driven)
    emit(Event(name, Phase.DONE if driven.end is End.FINISHED else Phase.FAILED, driven.message))
    return Outcome(
        end=driven.end,
        message=driven.message,
        steps=driven.watch.outcomes(),
        faults=found.faults,
        console=request.folder / LOG,
        command=command,
        accel=request.accel,
        qemu_version=version,
        seconds=seconds,
        fair_seconds=driven.fair_seconds,
        ready_seconds=driven.ready_cpu,
        tail=found.tail,
        state=found.state,
        notes=(
            *((f"booted, because the saved guest did not wake up: {reason}",) if reason else ()),
            *driven.watch.notes,
            *found.notes,
        ),
        restored=request.saved is not None,
    )


def _awake(
    request: GuestRequest, limits: Deadlines, stop: Stop, progress: Callable[[int], None]
) -> tuple[Driven | None, str]:
    """The copy of a saved guest at its end, or why it did not wake up."""
    try:
        driven = drive(request, limits, stop, progress)
    except SavedGoneError as error:
        return None, str(error)
    return (driven, "") if driven.watch.hello_at is not None else (None, driven.message)
