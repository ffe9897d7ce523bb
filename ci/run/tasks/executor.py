# SPDX-License-Identifier: GPL-2.0-or-later
"""Carries out a plan: kernels, suites and guests as a graph of tasks, each started as soon as what it needs is there.

Every task that loads the machine holds a token of the one jobserver, so that a guest can run on the core that a link
step leaves idle, and no core gets two tasks at once. A task is a thread that waits; the work is in child processes.
A guest that is expected to hang holds no core, but a token of another jobserver, which has PATIENT for each core.
"""

from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from ci.cells.guest.guest_cell import GuestCell
from ci.cells.guest.payloads import Payloads
from ci.cells.static.static_tasks import Statics
from ci.model.stages import CellResult, PatchFinding
from ci.plan.build_tasks import KernelKey, Kernels, RunContext
from ci.plan.plan import Plan
from ci.plan.variants import PreparedVariant, Variants
from ci.run.tasks.guest_cells import GuestCells
from ci.run.tasks.wall_times import WallTimes
from ci.run.tasks.whole import WholeRun
from ci.verdict.figures.explain import Traced
from configs.model import SuiteChoice
from configs.result import Cell
from guests.host.host import LOCAL, Host
from guests.run.accel import Accelerator
from kernels.build.build import Build, KernelRequest
from kernels.source.store import Store
from kernels.source.worktree import worktree
from testcases.registry import find_suite
from util.children.jobserver import Jobserver
from util.children.tasks import Tasks
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
        self._kernels = Kernels(self._shared)
        self._statics = Statics(self._shared, self._kernels)
        self._payloads = Payloads(self._shared, preparing)
        waiting = replace(self._shared, jobserver=patient)
        self._cells = GuestCells(
            self._shared, waiting, self._kernels, self._statics, self._payloads, folder, host, whole
        )
        self._guests = self._cells.guests
        self._left_out: list[CellResult] = []
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
            self._cells.start(cell, judged.name, 0, only)
            if cell.variant == base.name and cell.suite in self._changed:
                # Base's own suite on the base kernel: the only way to see that a test is gone, or new.
                self._cells.start(cell, base.name, 0, only)
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
            self._cells.start(cell, self._variants.judged.name, attempt, (only or {}).get(cell, ()), cell in hung)
        self._tasks.join()

    def follow_up(self, failed: Mapping[Cell, Collection[str]]) -> None:
        """Lets suites follow up these failed tests of the judged variant's first runs."""
        for cell, names in failed.items():
            self._cells.follow_up(cell, names)
        self._tasks.join()

    def trace(self, wanted: Iterable[tuple[Cell, tuple[str, ...]]]) -> dict[Cell, Traced]:
        """A traced guest for each cell and its figures, `<test>/<figure>`; the first runs have to be over."""
        futures = self._cells.trace(dict(wanted))
        self._tasks.join()
        return {cell: future.result() for cell, future in futures.items()}

    def cells(self) -> list[CellResult]:
        """The result of every cell that was started; one that did not finish says so."""
        return [*self._statics.cells(), *self._cells.results(), *self._left_out]

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
