# SPDX-License-Identifier: GPL-2.0-or-later
"""The wall time of the benchmarks of a run, each cell of the judged variant in turn with base."""

from concurrent.futures import Future
from dataclasses import replace

from ci.cells.further.wall_cell import Rounds, WallCell, measure
from ci.cells.guest.guest_cell import GuestCell, suite_error
from ci.cells.static.static_tasks import INTERRUPTED
from ci.model.figures import Wall
from ci.model.stages import CellResult
from ci.plan.build_tasks import Kernels, RunContext
from ci.run.tasks.guest_maker import GuestMaker
from configs.result import Cell
from testcases.registry import find_suite
from testcases.suite import Payload, SuiteError
from util.children.tasks import succeeded


class WallTimes:
    """Needs kernels, and suites that were made for wall time (`Executor.prepare`)."""

    def __init__(self, shared: RunContext, kernels: Kernels, guests: GuestMaker) -> None:
        self._shared, self._kernels, self._guests = shared, kernels, guests
        self._futures: dict[Cell, Future[Wall | SuiteError]] = {}

    def measure(self, rounds: Rounds) -> None:
        """The wall time of each cell of the judged variant against base. One cell after the other: two guests at once
        would disturb each other's times."""
        for cell in self._measurable():
            self._futures[cell] = self._shared.tasks.start(self._wall, cell, rounds)
            self._shared.tasks.join()

    def measured(self) -> list[Wall]:
        """What was measured, as far as it came; `unmeasured` has the other cells."""
        done = (future.result() for future in self._futures.values() if succeeded(future))
        return [wall for wall in done if isinstance(wall, Wall)]

    def unmeasured(self) -> list[CellResult]:
        """Why there is no wall time: a result for each such cell of the judged variant and its base, one ERROR where
        the suite cannot be made. What has a failed build is missing, because the comparison of builds reports it."""
        judged, found = self._shared.variants.judged.name, []
        for cell in self._measurable():
            future = self._futures.get(cell)
            made = future.result() if future and succeeded(future) else None
            if isinstance(made, Wall):
                continue
            for blank in (self._guests.blank(one, judged, 0) for one in (self._base_of(cell), cell)):
                stopped = blank.model_copy(update={"not_run": INTERRUPTED})
                found.append(suite_error(blank, made) if made else stopped)
        return found

    def _measurable(self) -> list[Cell]:
        """The cells of the judged variant of which both kernels are built."""
        built = {(key.variant, key.arch, key.flavour) for key, build in self._kernels.finished().items() if build.ok}
        judged = (cell for cell in self._shared.plan.cells() if cell.variant == self._shared.variants.judged.name)
        return [
            cell
            for cell in judged
            if {(one.variant, one.arch, one.flavour) for one in (self._base_of(cell), cell)} <= built
        ]

    def _wall(self, cell: Cell, rounds: Rounds) -> Wall | SuiteError:
        """Of the judged variant's cell, both of whose kernels are built. Its guests run even where both kernels are the
        same binary, and are never taken from the cache."""
        judged = self._shared.variants.judged.name
        payload = self._guests.payloads.of(cell, judged)
        if isinstance(payload, SuiteError):
            return payload
        base, own = (self._made(one, payload) for one in (self._base_of(cell), cell))
        return measure(WallCell(base, own, rounds), find_suite(cell.suite)[0], self._shared)

    def _made(self, cell: Cell, payload: Payload) -> GuestCell:
        blank = self._guests.blank(cell, self._shared.variants.judged.name, 0)
        return self._guests.made(blank, self._kernels.of(cell.variant, cell.arch, cell.flavour), payload)

    def _base_of(self, cell: Cell) -> Cell:
        return replace(cell, variant=self._shared.variants.base.name)
