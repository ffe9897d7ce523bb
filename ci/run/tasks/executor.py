# SPDX-License-Identifier: GPL-2.0-or-later
"""Carries out a plan: kernels, suites and guests as a graph of tasks, each started as soon as what it needs is there.

Every task that loads the machine holds a token of the one jobserver, so that a guest can run on the core that a link
step leaves idle, and no core gets two tasks at once. A task is a thread that waits; the work is in child processes.
A guest that is expected to hang holds no core, but a token of another jobserver, which has PATIENT for each core.
"""

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from ci.cells.further.follow_up import follow_up
from ci.cells.further.trace_cell import trace_cell
from ci.cells.guest.guest_cell import GuestCell, run_guest_cell, selected
from ci.cells.guest.payloads import Payloads
from ci.cells.static.static_tasks import INTERRUPTED, Statics
from ci.model.stages import CellResult, PatchFinding
from ci.plan.build_tasks import KernelKey, Kernels, RunContext
from ci.plan.plan import Plan
from ci.plan.variants import PreparedVariant, Variants
from ci.run.tasks.deaths import Deaths
from ci.run.tasks.guest_maker import GuestMaker
from ci.run.tasks.wall_times import WallTimes
from ci.run.tasks.whole import WholeRun
from ci.verdict.figures.explain import Traced
from ci.verdict.guest_tests import died, usual_seconds
from configs.model import SuiteChoice
from configs.result import Cell
from guests.host.host import LOCAL, Host
from guests.run.accel import Accelerator
from kernels.build.build import Build, KernelRequest
from kernels.source.store import Store
from kernels.source.worktree import worktree
from testcases.registry import find_suite
from testcases.suite import Suite, SuiteError
from util.children.jobserver import Jobserver
from util.children.tasks import Tasks, succeeded
from util.events import Listener
from util.stop import Stop

PATIENT = 4
"""Guests that are expected to hang, for each core: they boot, and then wait."""


class Executor:
    """The tasks of one run. A context manager: leaving it ends every task and gives the worktrees back."""

    def __init__(
        self, plan: Plan, variants: Variants, store: Store, folder: Path, emit: Listener, stop: Stop,
        host: Host = LOCAL, whole: WholeRun | None = None,
    ) -> None:  # fmt: skip
        self._plan, self._variants, self._host, self._whole = plan, variants, host, whole
        self._stack = ExitStack()
        jobserver = self._stack.enter_context(Jobserver(plan.jobs))
        preparing = self._stack.enter_context(Jobserver(1))
        patient = self._stack.enter_context(Jobserver(PATIENT * plan.jobs))
        self._tasks = self._stack.enter_context(Tasks(stop))
        self._shared = RunContext(plan, variants, store, jobserver, self._tasks, emit, stop)
        self._patient = replace(self._shared, jobserver=patient)
        self._kernels = Kernels(self._shared)
        self._statics = Statics(self._shared, self._kernels)
        self._payloads = Payloads(self._shared, preparing)
        self._guests = GuestMaker(self._shared, self._kernels, self._payloads, folder, host, self._base_took)
        self._cells: dict[tuple[Cell, str, int], Future[CellResult]] = {}
        self._followed: dict[tuple[Cell, str, int], Future[CellResult]] = {}
        self._left_out: list[CellResult] = []
        self._deaths = Deaths()
        self._begun = False
        self._changed: frozenset[str] = frozenset()
        """The suites of which base's own tree has others."""
        self.wall_times = WallTimes(self._shared, self._kernels, self._guests)

    def __enter__(self) -> "Executor":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stack.__exit__(kind, error, tb)

    def kernels(self) -> Mapping[KernelKey, Build]:
        """The kernels that were finished, built or not."""
        return self._kernels.finished()

    @property
    def jobserver(self) -> Jobserver:
        """That of all its compilers and guests; there as long as the executor is."""
        return self._shared.jobserver

    def build(self) -> None:
        """Only the kernels."""
        self._kernels.start(self._worktree(self._variants.judged))
        self._tasks.join()

    @property
    def variants(self) -> Variants:
        return self._variants

    @property
    def host(self) -> Host:
        """Where the guests run."""
        return self._host

    @property
    def context(self) -> RunContext:
        """What further tasks of the same run share with those that are here."""
        return self._shared

    def build_of(self, arch: str, flavour: str, objects: bool = False) -> Build:
        """The judged variant's kernel, with its objects where they are asked for."""
        of = self._kernels.with_objects if objects else self._kernels.of
        return of(self._variants.judged.name, arch, flavour)

    def request_for(self, arch: str, flavour: str) -> KernelRequest:
        """What the judged variant's kernel was made from."""
        return self._kernels.request(self._variants.judged.name, arch, flavour)

    def judged_tree(self) -> Path:
        """A checkout of the judged variant's tree."""
        return self._worktree(self._variants.judged)

    def prepare(self, wall: bool = False) -> None:
        """The kernels and suites of the judged variant, and no guest yet; `rerun` boots as many as are wanted. With
        `wall` the suites are made for wall time, and `wall_times` boots the guests."""
        judged = self._variants.judged
        tree = self._worktree(judged)
        self._kernels.start(tree)
        self._payloads.start(judged, tree, self._plan.profile.suites, wall)
        self._tasks.join()

    def guest_of(self, cell: Cell, *, shell: bool = False) -> GuestCell | str:
        """What a cell's guest is made of, with `shell` the tools of a shell too; `prepare` has to be over. Where there
        is none, why."""
        build = self._kernels.of(cell.variant, cell.arch, cell.flavour)
        made = self._guests.of(cell, build, self._variants.judged.name, 0, shell=shell)
        if isinstance(made, GuestCell):
            return made
        return made.not_run if build.ok else f"{made.not_run} (log: {build.output('log')})"

    def payload_digests(self) -> tuple[str, ...]:
        """What the guests of the suites that were prepared will run, in the plan's order."""
        return self._payloads.digests()

    def first_runs(self, cells: Iterable[Cell] | None = None) -> None:
        """Starts every kernel and suite of the plan, unless that was done, and these cells, by default all; returns
        when all have ended.

        Raises the first error of any task; the others are stopped then.
        """
        judged, base = self._variants.judged, self._variants.base
        if not self._begun:
            self._begin()
        for cell in self._plan.cells() if cells is None else cells:
            only = self._plan.tests_of(cell)
            self._start_cell(cell, judged.name, 0, only)
            if cell.variant == base.name and cell.suite in self._changed:
                # Base's own suite on the base kernel: the only way to see that a test is gone, or new.
                self._start_cell(cell, base.name, 0, only)
        self._tasks.join()

    def _begin(self) -> None:
        judged, base = self._variants.judged, self._variants.base
        self._begun = True
        tree = self._worktree(judged)
        if self._plan.needs_kernels:
            started = self._kernels.start(tree)
            if self._whole:
                self._whole.kernels(started)
        self._statics.start()
        self._payloads.start(judged, tree, self._plan.profile.suites)
        if changed := self._changed_suites():
            self._payloads.start(base, self._worktree(base), changed)
            self._changed = frozenset(choice.name for choice in changed)

    def leave_out(self, cells: Iterable[Cell], reason: str) -> None:
        """Cells that no guest is booted for."""
        self._left_out += [CellResult(cell=cell, not_run=reason) for cell in cells]

    def rerun(
        self,
        cells: Iterable[tuple[Cell, int]],
        only: Mapping[Cell, tuple[str, ...]] | None = None,
        hung: Collection[Cell] = (),
    ) -> None:
        """Fresh guests for these cells and attempts, each on its own variant, with the judged tree's suite. `only`
        names the tests of a cell that are wanted; where its suite can, it runs without the others. The guests of `hung`
        are expected to hang."""
        for cell, attempt in cells:
            self._start_cell(cell, self._variants.judged.name, attempt, (only or {}).get(cell, ()), cell in hung)
        self._tasks.join()

    def follow_up(self, failed: Mapping[Cell, Collection[str]]) -> None:
        """Lets suites follow up these failed tests of the judged variant's first runs."""
        for cell, names in failed.items():
            self._followed[cell, self._variants.judged.name, 0] = self._tasks.start(self._follow_up, cell, names)
        self._tasks.join()

    def trace(self, wanted: Iterable[tuple[Cell, tuple[str, ...]]]) -> dict[Cell, Traced]:
        """A traced guest for each cell and its figures, `<test>/<figure>`; the first runs have to be over."""
        futures = {cell: self._tasks.start(self._trace, cell, figures) for cell, figures in wanted}
        self._tasks.join()
        return {cell: future.result() for cell, future in futures.items()}

    def cells(self) -> list[CellResult]:
        """The result of every cell that was started; one that did not finish says so."""
        judged = self._variants.judged.name
        told = {key: future for key, future in self._followed.items() if succeeded(future)}
        guests = [
            future.result()
            if succeeded(future)
            else CellResult(
                cell=cell, not_run=INTERRUPTED, attempt=attempt, suite_variant="" if variant == judged else variant
            )
            for (cell, variant, attempt), future in {**self._cells, **told}.items()
        ]
        return [*self._statics.cells(), *guests, *self._left_out]

    def findings(self) -> tuple[PatchFinding, ...]:
        """What the static checks found in the patches."""
        return self._statics.findings()

    def accels(self) -> dict[str, Accelerator]:
        """The accelerator that was proved, by architecture."""
        return self._guests.accels()

    def _worktree(self, variant: PreparedVariant) -> Path:
        shared = self._shared
        return self._stack.enter_context(worktree(shared.store, variant.applied.commit, shared.emit, shared.stop))

    def _changed_suites(self) -> list[SuiteChoice]:
        """The suites whose own sources in the kernel tree differ between base and the judged variant. A suite that the
        series brings is none of them: base has no other."""
        judged, base = self._variants.judged.applied.tree, self._variants.base.applied.tree
        path_id = self._shared.store.path_id
        return [
            choice
            for choice in self._plan.profile.suites
            if (folder := find_suite(choice.name)[0].folder(choice))
            and (own := path_id(base, folder))
            and path_id(judged, folder) != own
        ]

    def _start_cell(
        self, cell: Cell, suite_variant: str, attempt: int, only: tuple[str, ...] = (), hung: bool = False
    ) -> None:
        future = self._tasks.start(self._cell, cell, suite_variant, attempt, only, hung)
        self._cells[cell, suite_variant, attempt] = future
        if self._whole:
            self._whole.guest(cell, attempt, suite_variant, future)

    def _cell(self, cell: Cell, suite_variant: str, attempt: int, only: tuple[str, ...], hung: bool) -> CellResult:
        guest = self._guest(cell, suite_variant, attempt)
        if isinstance(guest, CellResult):
            return guest
        suite = find_suite(cell.suite)[0]
        guest = selected(guest, suite, only)
        if attempt or cell.variant == self._variants.base.name:
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

                if result := run_guest_cell(guest, suite, self._shared, wanted, admission.ended):
                    self._deaths.add(kernel, result, self._of_base(cell) if died(result) else None)
                    return result

    def _base_took(self, cell: Cell, step: str) -> float | None:
        """Seconds of the fair clock; None for base itself, as long as base has not come to an end, and where the step
        did not."""
        base = self._variants.base.name
        future = self._cells.get((replace(cell, variant=base), self._variants.judged.name, 0))
        if cell.variant == base or future is None or not succeeded(future):
            return None
        return usual_seconds(future.result(), step)

    def _of_base(self, cell: Cell) -> CellResult | None:
        """What base's equal cell comes to, as soon as it has."""
        future = self._cells.get((self._base_of(cell), self._variants.judged.name, 0))
        return future.result() if future else None

    def _follow_up(self, cell: Cell, names: Collection[str]) -> CellResult:
        judged = self._variants.judged.name
        guest, result = self._guest(cell, judged, 0), self._cells[cell, judged, 0].result()
        return result if isinstance(guest, CellResult) else follow_up(guest, result, names, self._shared)

    def _guest(self, cell: Cell, suite_variant: str, attempt: int) -> GuestCell | CellResult:
        """What the cell's guest is made of, or the cell's result where none is needed or possible."""
        build = self._kernels.of(cell.variant, cell.arch, cell.flavour)
        same = build.ok and self._statics.same_as_base(cell.variant, cell.arch, cell.flavour)
        if same and not self._payloads.brings_modules(cell, suite_variant):
            return self._adopted(self._guests.blank(cell, suite_variant, attempt), suite_variant)
        return self._guests.of(cell, build, suite_variant, attempt)

    def _trace(self, cell: Cell, figures: tuple[str, ...]) -> Traced:
        """A cell that gave figures has a build and a suite that can be made."""
        judged = self._variants.judged.name
        payload = self._payloads.traced(cell, judged, figures)
        if isinstance(payload, SuiteError):
            return Traced({}, f"the suite cannot be made: {payload}")
        build = self._kernels.of(cell.variant, cell.arch, cell.flavour)
        guest = self._guests.made(self._guests.blank(cell, judged, 0), build, payload)
        return trace_cell(guest, find_suite(cell.suite)[0], figures, self._shared)

    def _base_of(self, cell: Cell) -> Cell:
        return replace(cell, variant=self._variants.base.name)

    def _adopted(self, blank: CellResult, suite_variant: str) -> CellResult:
        """Base's answer: its kernel is the same binary, and the suite and all else are the same as well."""
        base = self._variants.base.name
        result = self._cells[self._base_of(blank.cell), suite_variant, blank.attempt].result()
        return result.model_copy(update={"cell": blank.cell, "reproduce": blank.reproduce, "same_as": base})
