# SPDX-License-Identifier: GPL-2.0-or-later
"""The cells that judge mutants: what each says to the code without a fault, and whether one with a fault is noticed.

What is noticed is what `check` would notice (`ci.verdict.verdict`): a test that passed twice without the fault and
fails with it, is skipped, is missing or did something else; a fault in the kernel's log that was not there without it;
a guest that does not come to its end. A guest gets some seconds more than it took
without the fault: one that hangs is ended then, and not after the minutes that a kernel nobody knows would get.
"""

import hashlib
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ci.cells.cell_store import storable
from ci.cells.guest.guest_cell import CODE, GuestCell, cell_result, request_of
from ci.model.stages import END, FAULT, LOG, CellResult
from ci.mutation.mutant_store import CellAnswer, MutantStore
from ci.plan.build_tasks import RunContext
from ci.verdict.guest_tests import usual_seconds
from ci.verdict.test_filter import names_test
from configs.names import BENCHMARK
from configs.result import Cell, Status
from guests.qemu.machine import kernel_of
from guests.run.guest_state import Deadlines, deadlines
from guests.run.qemu import qemu_version
from guests.run.request import BOOT_DEADLINE, GuestRequest
from guests.run.run import run_guest
from kernels.build.build import Build
from kernels.mutants.schema import SWITCH
from testcases.registry import find_suite
from util.events import silent
from util.files.cached import code_digest

_PATIENCE = 4.0
_SLACK, _SLOWER = 15.0, 4.0
"""A guest may take _SLOWER times what it took without the fault, and _SLACK seconds more; one of its steps _SLOWER
times and _PATIENCE seconds more. All of it on the fair clock, which a busy host does not make longer."""
_BAD = (Status.FAIL, Status.ERROR, Status.SKIP)


@dataclass(frozen=True, slots=True)
class JudgeCell:
    """One cell that can notice a fault. `passes` are the tests that passed each time without one, `faults` those that
    its log holds all the same; `seconds` is what the guest took, on the fair clock."""

    cell: Cell
    guest: GuestCell
    passes: frozenset[str]
    faults: frozenset[str]
    seconds: float
    unfaulty: CellResult
    observed: dict[str, str]
    """What the kernel did in a test, the same both times; only of tests that tell."""

    @property
    def name(self) -> str:
        """For people: ABI and suite."""
        return f"{self.cell.abi} {self.cell.suite}"

    @property
    def key(self) -> str:
        """Names all that its answer depends on but the kernel."""
        guest = self.guest
        parts = (
            guest.payload.digest, guest.base_image.name, guest.blank.machine, guest.accel.name, guest.memory_mb,
            guest.payload.smp, guest.payload.parallel, guest.payload.counted, qemu_version(guest.arch.qemu, guest.host),
            sorted(self.passes), code_digest(*CODE, "ci/mutation/judge_cells.py"),
            *(f"{path.parent.name}/{path.name}" for path in guest.archives),
            guest.payload.devices, guest.payload.append, guest.payload.expects_faults,
            guest.payload.provokes,
        )  # fmt: skip
        return hashlib.sha256(repr(parts).encode()).hexdigest()


def qualify(cell: Cell, guest: GuestCell, build: Build, context: RunContext, records: MutantStore) -> JudgeCell | str:
    """The cell as a judge, after two guests without a fault; a line that says why where it is none."""
    if cell.suite.startswith(BENCHMARK):
        return f"{cell.abi} {cell.suite}: measures costs, which a fault may change without being wrong; left out"
    runs = [_unfaulty(guest, build, context, records, attempt) for attempt in (0, 1)]
    for run in runs:
        if not any(test.name == END and test.status is Status.PASS for test in run.tests):
            return f"{cell.abi} {cell.suite}: no use here, its guest does not finish without a fault: {run.message}"
    glob = context.plan.test
    passes = frozenset(
        name
        for name in frozenset.intersection(*(_passed(run) for run in runs))
        if not glob or name == END or names_test(glob, cell.suite, name)
    )
    if not passes - {END}:
        which = f"none of its tests that --test {glob} names" if glob else "none of its tests"
        return f"{cell.abi} {cell.suite}: no use here, {which} passes without a fault"
    faults = frozenset(test.name for run in runs for test in run.tests if test.name.startswith(FAULT))
    one, other = ({test.name: test.observed for test in run.tests if test.observed} for run in runs)
    observed = {name: what for name, what in one.items() if other.get(name) == what}
    return JudgeCell(cell, guest, passes, faults, max(run.fair_seconds for run in runs), runs[0], observed)


def ask(judge: JudgeCell, build: Build, number: int, context: RunContext) -> CellAnswer | None:
    """What the cell says to the mutant of this number (0: to a kernel that holds nothing but the fault); None where the
    machine could not say, twice. Raises Stopped, MachineError."""
    for attempt in (0, 1):
        run = _result(judge.guest, build, number, context, judge, attempt)
        if answer := _answer(judge, run):
            return answer
    return None


def _unfaulty(guest: GuestCell, build: Build, context: RunContext, records: MutantStore, attempt: int) -> CellResult:
    """What a guest without a fault comes to, from an earlier run where that is known."""
    key = replace(guest, build=build).key
    if known := records.unfaulty(key, attempt):
        return known
    run = _result(guest, build, 0, context, None, attempt)
    if storable(run):
        records.keep_unfaulty(key, attempt, run)
    return run


def _passed(run: CellResult) -> frozenset[str]:
    return frozenset(test.name for test in run.tests if test.status is Status.PASS)


def _answer(judge: JudgeCell, run: CellResult) -> CellAnswer | None:
    unsure, seen = False, judge.observed
    for test in run.tests:
        known = test.name in judge.passes or (test.name.startswith(FAULT) and test.name not in judge.faults)
        if known and test.status in _BAD:
            return CellAnswer(test.name, test.message)
        if known and test.observed != seen.get(test.name, test.observed):
            return CellAnswer(test.name, "it passes, and yet the kernel did something else")
        unsure = unsure or (test.status is Status.MISS and (known or test.name == LOG))
    gone = judge.passes - {test.name for test in run.tests}
    if unsure:
        return None
    return CellAnswer(min(gone), "the test did not run") if gone else CellAnswer()


def _result(
    guest: GuestCell, build: Build, number: int, context: RunContext, judge: JudgeCell | None, attempt: int
) -> CellResult:
    """A guest of this cell on the kernel of `build`, with the mutant of this number."""
    with context.jobserver.token(context.stop), tempfile.TemporaryDirectory(prefix="rig-mutant-") as name:
        request = _request(replace(guest, build=build, folder=Path(name)), number)
        if judge:
            usual = judge.unfaulty
            request = replace(
                request, limits=_hasty(request, judge.seconds), patience=_PATIENCE, slow=_SLOWER, inspect=False,
                usual=lambda step: usual_seconds(usual, step),
            )  # fmt: skip
        request = replace(request, label=f"{guest.label} mutant {number} {attempt}")
        outcome = run_guest(request, silent, context.stop)
        return cell_result(guest, find_suite(guest.blank.cell.suite)[0], outcome)


def _request(guest: GuestCell, number: int) -> GuestRequest:
    request = request_of(guest)
    kernel = kernel_of(guest.arch.machines[guest.blank.machine], guest.build.folder)
    return replace(request, kernel=kernel, append=(*request.append, f"{SWITCH}={number}"))


def _hasty(request: GuestRequest, seconds: float) -> Deadlines:
    """Deadlines by what the guest took without the fault; none is later than the usual one."""
    usual = deadlines(request.job, BOOT_DEADLINE)
    limit = _SLACK + _SLOWER * seconds
    return replace(
        usual,
        first_byte=min(usual.first_byte, limit),
        boot=min(usual.boot, limit),
        lifeless=min(usual.lifeless, limit),
        total=min(usual.total, limit),
    )


class JudgeOrder:
    """Which judge is asked next: the one that kills most for its time, as far as this run has seen, in the function
    that the fault is in. What it killed in the others says it where there is no more."""

    def __init__(self, judges: Sequence[JudgeCell]) -> None:
        self._judges = judges
        self._asked: Counter[tuple[Cell, str]] = Counter()
        self._killed: Counter[tuple[Cell, str]] = Counter()
        self._lock = threading.Lock()

    def now(self, function: str) -> list[JudgeCell]:
        """All of them, for a fault in this function."""
        with self._lock:
            return sorted(self._judges, key=lambda judge: self._price(judge, function))

    def note(self, judge: JudgeCell, function: str, killed: bool) -> None:
        with self._lock:
            for name in {function, _ANYWHERE}:
                self._asked[judge.cell, name] += 1
                self._killed[judge.cell, name] += killed

    def _price(self, judge: JudgeCell, function: str) -> float:
        """Seconds for one kill. Of a judge that was never asked half of its guests are taken to kill; of one that was
        not asked in this function, as many as elsewhere: two guests' worth of a guess."""
        anywhere, here = (judge.cell, _ANYWHERE), (judge.cell, function)
        share = (self._killed[anywhere] + 1) / (self._asked[anywhere] + 2)
        return judge.seconds * (self._asked[here] + 2) / (self._killed[here] + 2 * share)


_ANYWHERE = ""
"""Stands for all functions together."""
