# SPDX-License-Identifier: GPL-2.0-or-later
"""The cells of one run that boot guests: each a task that may be asked for its result by name, variant and attempt."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from ci.cells.further.follow_up import follow_up
from ci.cells.further.trace_cell import trace_cell
from ci.cells.guest.guest_cell import GuestCell, run_guest_cell, selected
from ci.cells.guest.payloads import Payloads
from ci.cells.static.static_tasks import INTERRUPTED, Statics
from ci.model.stages import CellResult
from ci.plan.build_tasks import Kernels, RunContext
from ci.run.tasks.deaths import Deaths
from ci.run.tasks.guest_maker import GuestMaker
from ci.run.tasks.whole import WholeRun
from ci.verdict.figures.explain import Traced
from ci.verdict.guest_tests import died, usual_seconds
from configs.result import Cell
from guests.crash.outcome import End, Outcome
from guests.host.host import Host
from testcases.registry import find_suite
from testcases.suite import Suite, SuiteError
from util.children.tasks import succeeded


class GuestCells:
    """`patient` is what cells that are expected to hang share instead of `shared`; the guests run on `host` and leave
    their files in `folder`."""

    def __init__(
        self, shared: RunContext, patient: RunContext, kernels: Kernels, statics: Statics, payloads: Payloads,
        folder: Path, host: Host, whole: WholeRun | None,
    ) -> None:  # fmt: skip
        self._shared, self._patient, self._whole = shared, patient, whole
        self._kernels, self._statics, self._payloads = kernels, statics, payloads
        self._judged, self._base = shared.variants.judged.name, shared.variants.base.name
        self._futures: dict[tuple[Cell, str, int], Future[CellResult]] = {}
        self._followed: dict[tuple[Cell, str, int], Future[CellResult]] = {}
        self._deaths = Deaths()
        self.guests = GuestMaker(shared, kernels, payloads, folder, host, self._base_took)

    def start(
        self, cell: Cell, suite_variant: str, attempt: int, only: tuple[str, ...] = (), hung: bool = False
    ) -> None:
        """Starts the guest of a cell with the suite of this variant; of its tests `only` these, where the suite can."""
        future = self._shared.tasks.start(self._run, cell, suite_variant, attempt, only, hung)
        self._futures[cell, suite_variant, attempt] = future
        if self._whole:
            self._whole.guest(cell, attempt, suite_variant, future)

    def follow_up(self, cell: Cell, names: Collection[str]) -> None:
        """Lets the suite follow up these failed tests of the cell's first run, which is over."""
        self._followed[cell, self._judged, 0] = self._shared.tasks.start(self._follow_up, cell, names)

    def trace(self, wanted: Mapping[Cell, tuple[str, ...]]) -> dict[Cell, Future[Traced]]:
        """Starts a traced guest for each cell and its figures. Each gave figures, so it has a build and a suite that
        can be made."""
        return {cell: self._shared.tasks.start(self._trace, cell, figures) for cell, figures in wanted.items()}

    def results(self) -> list[CellResult]:
        """Of every cell that was started; one that did not finish says so."""
        told = {key: future for key, future in self._followed.items() if succeeded(future)}
        return [
            future.result() if succeeded(future) else self._unfinished(*key)
            for key, future in {**self._futures, **told}.items()
        ]

    def _run(self, cell: Cell, suite_variant: str, attempt: int, only: tuple[str, ...], hung: bool) -> CellResult:
        guest = self._guest(cell, suite_variant, attempt)
        if isinstance(guest, CellResult):
            return guest
        suite = find_suite(cell.suite)[0]
        guest = selected(guest, suite, only)
        if attempt or cell.variant == self._base:
            result = run_guest_cell(guest, suite, self._patient if hung else self._shared)
            assert result is not None
            return result
        return self._judged_cell(guest, suite)

    def _judged_cell(self, guest: GuestCell, suite: Suite) -> CellResult:
        """The first run of a cell, unless its kernel is known to die by then."""
        cell = guest.blank.cell
        kernel = cell.variant, cell.arch, cell.flavour
        while True:
            with self._deaths.admitted(kernel) as admission:
                if admission.reason:
                    return guest.blank.model_copy(update={"not_run": admission.reason})

                def wanted(alone: bool = admission.alone) -> bool:
                    return alone or not self._deaths.suspects(kernel)

                def ended(outcome: Outcome, told: Callable[[End], None] = admission.ended) -> None:
                    told(outcome.end)

                if result := run_guest_cell(guest, suite, self._shared, wanted, ended):
                    self._deaths.add(kernel, result, self._of_base(cell) if died(result) else None)
                    return result

    def _guest(self, cell: Cell, suite_variant: str, attempt: int) -> GuestCell | CellResult:
        """What the cell's guest is made of, or the cell's result where none is needed or possible."""
        build = self._kernels.of(cell.variant, cell.arch, cell.flavour)
        same = build.ok and self._statics.same_as_base(cell.variant, cell.arch, cell.flavour)
        if same and not self._payloads.brings_modules(cell, suite_variant):
            return self._adopted(self.guests.blank(cell, suite_variant, attempt), suite_variant)
        return self.guests.of(cell, build, suite_variant, attempt)

    def _adopted(self, blank: CellResult, suite_variant: str) -> CellResult:
        """Base's answer: its kernel is the same binary, and the suite and all else are the same as well."""
        result = self._futures[self._base_of(blank.cell), suite_variant, blank.attempt].result()
        return result.model_copy(update={"cell": blank.cell, "reproduce": blank.reproduce, "same_as": self._base})

    def _follow_up(self, cell: Cell, names: Collection[str]) -> CellResult:
        guest, result = self._guest(cell, self._judged, 0), self._futures[cell, self._judged, 0].result()
        return result if isinstance(guest, CellResult) else follow_up(guest, result, names, self._shared)

    def _trace(self, cell: Cell, figures: tuple[str, ...]) -> Traced:
        payload = self._payloads.traced(cell, self._judged, figures)
        if isinstance(payload, SuiteError):
            return Traced({}, f"the suite cannot be made: {payload}")
        build = self._kernels.of(cell.variant, cell.arch, cell.flavour)
        guest = self.guests.made(self.guests.blank(cell, self._judged, 0), build, payload)
        return trace_cell(guest, find_suite(cell.suite)[0], figures, self._shared)

    def _unfinished(self, cell: Cell, suite_variant: str, attempt: int) -> CellResult:
        own = "" if suite_variant == self._judged else suite_variant
        return CellResult(cell=cell, not_run=INTERRUPTED, attempt=attempt, suite_variant=own)

    def _of_base(self, cell: Cell) -> CellResult | None:
        """What base's equal cell comes to, as soon as it has."""
        future = self._futures.get((self._base_of(cell), self._judged, 0))
        return future.result() if future else None

    def _base_took(self, cell: Cell, step: str) -> float | None:
        """Seconds of the fair clock; None for base itself, as long as base has not come to an end, and where the step
        did not."""
        future = self._futures.get((self._base_of(cell), self._judged, 0))
        if cell.variant == self._base or future is None or not succeeded(future):
            return None
        return usual_seconds(future.result(), step)

    def _base_of(self, cell: Cell) -> Cell:
        return replace(cell, variant=self._base)
