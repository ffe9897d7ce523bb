# SPDX-License-Identifier: GPL-2.0-or-later
"""One cell: the answer of an earlier run where everything that it depends on is the same, else a guest."""

import contextlib
import hashlib
import re
import secrets
import shutil
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from ci.cells.cell_store import CellStore, Stored
from ci.cells.guest.saved_guests import SAVED, SavedGuests, wanted_saved
from ci.cells.guest.shares import shares, together, untried
from ci.model.stages import CellResult
from ci.plan.build_tasks import RunContext
from ci.verdict.guest_tests import guest_tests, tail
from configs.model import Arch
from configs.result import Status, TestResult
from guests.crash.outcome import Fault
from guests.host.host import LOCAL, Host
from guests.qemu.machine import kernel_of
from guests.run.accel import Accelerator
from guests.run.drive import LOG
from guests.run.qemu import qemu_version
from guests.run.request import BOOT_DEADLINE, GuestRequest, command_by_hand, reproduce
from guests.run.run import Outcome, run_guest
from initramfs.base import job_image
from initramfs.job import GuestJob
from kernels.build.build import Build
from kernels.kconfig.fragments import dropped, parse_config
from testcases.suite import ContinuingSuite, Payload, SelectingSuite, Suite, SuiteError
from util.children.tasks import Tasks
from util.events import Event, Phase
from util.files.cached import code_digest
from util.text import file_name

_SHOWN = 12
"""Kernel options that one remark names."""
_LINE_NUMBER = re.compile(r":\d+$")
CODE = ("configs/archs", "initramfs", "guests", "testcases", "ci/verdict/guest_tests.py")
"""The files of the rig that a result depends on: the key of a cell covers their content."""


@dataclass(frozen=True, slots=True)
class GuestCell:
    """Everything that one cell's guest is made of. `blank` is its result before there is one; `base_image` the archive
    of the architecture, `archives` those of packages and modules that follow it; the guest's files go to a folder of
    the cell below `folder`."""

    blank: CellResult
    arch: Arch
    build: Build
    payload: Payload
    base_image: Path
    memory_mb: int
    accel: Accelerator
    folder: Path
    fresh: bool
    host: Host = LOCAL
    usual: Callable[[str], float | None] = lambda _name: None
    """How many seconds base took for a step, None while that is not known."""
    archives: tuple[Path, ...] = ()
    saved: SavedGuests | None = None
    """Where its guest may go on from; None: it boots."""
    guests: int = 1
    """How many guests its programs are shared out over, at most one for each."""
    share: str = ""
    """Which of them this one is, such as `2-of-8`."""

    @property
    def name(self) -> str:
        cell = self.blank.cell
        parts = [cell.variant, cell.arch, cell.abi, cell.flavour, cell.suite]
        if self.blank.suite_variant:
            parts.append(f"suite-of-{self.blank.suite_variant}")
        if self.blank.attempt:
            parts.append(f"rerun-{self.blank.attempt}")
        if self.share:
            parts.append(self.share)
        return file_name("-".join(parts))

    @property
    def label(self) -> str:
        """The cell for progress and for QEMU's process name."""
        suite = f" with the suite of {self.blank.suite_variant}" if self.blank.suite_variant else ""
        rerun = f" re-run {self.blank.attempt}" if self.blank.attempt else ""
        share = f" guest {self.share}" if self.share else ""
        return f"{self.blank.cell}{suite}{rerun}{share}"

    @property
    def key(self) -> str:
        """Hexadecimal name of all that the result depends on. A re-run is an answer of its own."""
        parts = (
            self.build.key,
            self.payload.digest,
            self.base_image.name,
            tuple(f"{path.parent.name}/{path.name}" for path in self.archives),
            self.blank.machine,
            self.accel.name,
            self.host.name,
            qemu_version(self.arch.qemu, self.host),
            self.memory_mb,
            self.blank.attempt,
            self.payload.smp,
            self.payload.parallel,
            self.payload.counted,
            self.payload.append,
            self.payload.devices,
            self.payload.expects_faults,
            self.payload.provokes,
            code_digest(*CODE),
            *((SAVED,) if self.saved and wanted_saved() else ()),
            *(("guests", self.guests) if self.guests > 1 else ()),
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def selected(guest: GuestCell, suite: Suite, only: tuple[str, ...]) -> GuestCell:
    """The guest that runs these tests alone, where the suite can leave out others; else, and without `only`, as it
    was."""
    payload = suite.select(guest.payload, only) if only and isinstance(suite, SelectingSuite) else None
    if payload is None:
        return guest
    return replace(guest, payload=payload, blank=guest.blank.model_copy(update={"only": only}))


def run_guest_cell(
    guest: GuestCell, suite: Suite, context: RunContext, wanted: Callable[[], bool] = lambda: True,
    ended: Callable[[Outcome], None] = lambda _outcome: None,
) -> CellResult | None:  # fmt: skip
    """The cell's result, from the cache unless `fresh`; None where the guest is not `wanted` any more when its turn
    comes. `ended` is told what a guest came to before another one gets its turn. Raises MachineError and Stopped, not
    for a kernel's fault."""
    store, request = CellStore(), request_of(guest)
    stored = None if guest.fresh else store.get(guest.key, context.emit)
    if stored:
        context.emit(Event(f"test {guest.label}", Phase.DONE, "unchanged, from the cache"))
        result = _adopted(guest, stored, request)
    else:
        parts = shares(guest.payload, guest.guests)
        made = (
            _shared_out(guest, parts, suite, context, wanted, ended)
            if len(parts) > 1
            else _of_one_guest(guest, request, suite, context, wanted, ended)
        )
        if made is None:
            return None
        result = made
        store.put(guest.key, result, guest.folder / result.console)
    if any(test.status not in (Status.PASS, Status.SKIP) for test in result.tests):
        reproduce(request, request.folder)
    return result


def _of_one_guest(
    guest: GuestCell, request: GuestRequest, suite: Suite, context: RunContext, wanted: Callable[[], bool],
    ended: Callable[[Outcome], None],
) -> CellResult | None:  # fmt: skip
    outcome = _run(guest, request, context, wanted, ended)
    if outcome is None:
        return None
    result = cell_result(guest, suite, outcome)
    return _continued(guest, suite, outcome, result, context) if isinstance(suite, ContinuingSuite) else result


def _shared_out(
    guest: GuestCell, parts: tuple[Payload, ...], suite: Suite, context: RunContext, wanted: Callable[[], bool],
    ended: Callable[[Outcome], None],
) -> CellResult | None:  # fmt: skip
    """The results of the shares as one. Each is a cell of its own for the cache, so that a run that goes on after a
    crash or an interrupt has what was done. A guest that dies on a program does not take the other shares with it;
    where one does not come up at all, no further one is tried."""
    begun = threading.Event()
    dead: list[str] = []

    def admitted() -> bool:
        if not begun.is_set() and wanted():
            begun.set()
        return begun.is_set() and not dead

    def one_ended(outcome: Outcome) -> None:
        if not outcome.booted:
            dead.append(outcome.message or outcome.end)
        ended(outcome)

    def run(number: int, payload: Payload) -> CellResult | None:
        own = replace(guest, payload=payload, guests=1, share=f"{number}-of-{len(parts)}")
        result = run_guest_cell(own, suite, context, admitted, one_ended)
        if result is None and dead:
            return untried(payload, own.blank, f"not tried: another guest of this kernel did not come up ({dead[0]})")
        return result

    with Tasks(context.stop) as tasks:  # its own: a cell that waits for others of the run's could wait for ever
        futures = [tasks.start(run, number, payload) for number, payload in enumerate(parts, 1)]
        tasks.join()
    made = [result for future in futures if (result := future.result())]
    if len(made) < len(parts):
        return None
    request = request_of(guest)
    request.folder.mkdir(parents=True, exist_ok=True)
    consoles = (guest.folder / result.console for result in made if result.console)
    (request.folder / LOG).write_bytes(b"".join(path.read_bytes() for path in consoles))
    blank = guest.blank.model_copy(
        update={"command": command_by_hand(request), "console": _relative(request.folder / LOG, guest.folder)}
    )
    return together(guest.payload, blank, made)


def _run(
    guest: GuestCell, request: GuestRequest, context: RunContext, wanted: Callable[[], bool] = lambda: True,
    ended: Callable[[Outcome], None] = lambda _outcome: None,
) -> Outcome | None:  # fmt: skip
    """The guest, a copy of a saved one where there is one; None where it is not wanted when its turn comes."""

    def token() -> AbstractContextManager[None]:
        return context.jobserver.token(context.stop)

    saved, reason = guest.saved.find(request, guest.build.key, token) if guest.saved else (None, "")
    with token():
        if not wanted():
            return None
        outcome = run_guest(replace(request, saved=saved), context.emit, context.stop)
        ended(outcome)
    return replace(outcome, notes=(f"booted: {reason}", *outcome.notes)) if reason else outcome


def _continued(
    guest: GuestCell, suite: ContinuingSuite, outcome: Outcome, result: CellResult, context: RunContext
) -> CellResult:
    """The result with the tests that further guests did, each by its name and in a folder of its own."""
    rest, known = suite.rest(guest.payload, outcome), {test.name for test in result.tests}
    further: list[CellResult] = []
    notes: list[str] = []
    with contextlib.closing(rest), contextlib.suppress(StopIteration):
        payload = next(rest)
        while True:
            more = replace(guest, payload=payload)
            request = request_of(more)
            request = replace(request, folder=request.folder / f"next-{len(further) + 1}")
            run = _run(more, request, context)
            assert run is not None  # always wanted
            outcome = run
            further.append(cell_result(more, suite, outcome))
            notes.append(f"guest {len(further) + 1} ({' '.join(payload.append)}): {outcome.message or outcome.end}")
            payload = rest.send(outcome)
    return result.model_copy(
        update={
            "tests": (*result.tests, *(test for cell in further for test in cell.tests if test.name not in known)),
            "faults": (*result.faults, *(fault for cell in further for fault in cell.faults)),
            "seconds": round(sum((cell.seconds for cell in further), result.seconds), 2),
            "notes": (*result.notes, *notes),
        }
    )


def _adopted(guest: GuestCell, stored: Stored, request: GuestRequest) -> CellResult:
    """An earlier run's answer, with this run's names and paths."""
    update: dict[str, object] = {
        key: getattr(guest.blank, key) for key in ("cell", "attempt", "suite_variant", "only", "reproduce")
    }
    if stored.console:
        request.folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(stored.console, request.folder / LOG)
        update["console"] = _relative(request.folder / LOG, guest.folder)
    return stored.result.model_copy(update={**update, "command": command_by_hand(request)})


def request_of(guest: GuestCell) -> GuestRequest:
    """The guest as it is to be booted, with a nonce of its own."""
    machine = guest.arch.machines[guest.blank.machine]
    job = GuestJob(
        nonce=secrets.token_hex(16),
        steps=guest.payload.steps,
        time_scale=guest.accel.time_scale,
    )
    return GuestRequest(
        arch=guest.arch,
        machine=guest.blank.machine,
        kernel=kernel_of(machine, guest.build.folder),
        vmlinux=guest.build.output("vmlinux"),
        initrd=(guest.base_image, *guest.archives, job_image(job, guest.payload.files)),
        job=job,
        accel=guest.accel.name,
        folder=guest.folder / "console" / guest.name,
        memory_mb=guest.memory_mb,
        smp=guest.payload.smp,
        label=guest.label,
        parallel=guest.payload.parallel,
        counted=guest.payload.counted,
        host=guest.host,
        usual=guest.usual,
        append=guest.payload.append,
        devices=guest.payload.devices,
        boot_deadline=max(BOOT_DEADLINE, guest.payload.boot_seconds * guest.accel.time_scale),
    )


def cell_result(guest: GuestCell, suite: Suite, outcome: Outcome) -> CellResult:
    """The result of its guest."""
    faults = tuple(fault for fault in outcome.faults if not _provoked(guest.payload, fault))
    tests = (
        *guest_tests(outcome.end, outcome.message, faults, outcome.seconds),
        *suite.read(guest.payload, outcome),
    )
    return guest.blank.model_copy(
        update={
            "tests": tests,
            "booted": outcome.booted,
            "end": str(outcome.end),
            "message": outcome.message,
            "faults": faults,
            "accel": outcome.accel,
            "qemu_version": outcome.qemu_version,
            "seconds": round(outcome.seconds, 2),
            "fair_seconds": round(outcome.fair_seconds, 2),
            "took": {step.step.name: round(step.fair_seconds, 3) for step in outcome.steps if step.ended},
            "restored": outcome.restored,
            "console": _relative(outcome.console, guest.folder),
            "console_tail": outcome.tail or tail(outcome.console),
            "state": outcome.state,
            "notes": (*_lacking(guest), *_notes(outcome)),
            "command": outcome.command,
        }
    )


def _provoked(payload: Payload, fault: Fault) -> bool:
    """Whether a fault is what one of the tests asked the kernel for, which judges it itself."""
    if fault.fatal:
        return False
    judged = payload.expects_faults and fault.step in dict(payload.origins)
    return judged or any(fnmatchcase(fault.title, glob) for glob in payload.provokes)


def suite_error(blank: CellResult, error: SuiteError) -> CellResult:
    """No guest, and one ERROR of the suite's name: its sources are at fault, and neither the kernel nor the machine."""
    text = f"the suite cannot be made: {error}"
    test = TestResult(blank.cell.suite, Status.ERROR, message=text)
    return blank.model_copy(update={"not_run": text, "tests": (test,)})


def _lacking(guest: GuestCell) -> tuple[str, ...]:
    """A remark for each file that asks for kernel options which the kernel does not have: the suite's own `config`, and
    what the rig knows beside it. A test that fails or is skipped may do so for want of them."""
    config = guest.build.output("config")
    if not guest.payload.wishes or not config.is_file():
        return ()
    files: dict[str, list[str]] = {}
    for line in dropped(guest.payload.wishes, parse_config(config.read_text(encoding="utf-8", errors="replace"))):
        files.setdefault(_LINE_NUMBER.sub("", line.where), []).append(line.text)
    return tuple(
        f"the kernel lacks what {file} asks for: {', '.join(texts[:_SHOWN])}"
        + (f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else "")
        for file, texts in files.items()
    )


def _notes(outcome: Outcome) -> tuple[str, ...]:
    """All remarks in one list, each once."""
    of_steps = (f"{step.step.name}: {note}" for step in outcome.steps for note in step.notes)
    return tuple(dict.fromkeys((*outcome.notes, *of_steps)))


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
