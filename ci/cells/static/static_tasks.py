# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks without a guest: struct layout, sizes, checkpatch, and whether two kernels are the same binary."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property

from ci.cells.static.object_checks import ObjectChecks
from ci.cells.static.static_cells import (
    VMLINUX,
    Pair,
    check_cells,
    checkpatch_cells,
    found_in,
    layout_cells,
    size_cells,
    unmeasured,
)
from ci.model.stages import CellResult, PatchFinding
from ci.plan.build_tasks import Kernels, RunContext
from ci.plan.variants import PreparedVariant
from configs.loader import load_arch
from configs.names import CHECKPATCH, CHECKS, LAYOUT, SIZE
from configs.result import Cell, Status
from kernels.binary.layout import Layouts, Wanted, kept_layouts, layouts, parse_wanted
from kernels.binary.size import SizeError, kept_change, measure_change, same_kernel
from kernels.binary.structs import touched_structs
from kernels.build.build import Build
from kernels.build.debug_compile import LayoutError
from kernels.checks.check import PatchInTree, history_of
from kernels.checks.registry import run_checks
from kernels.patches.apply import apply_series
from kernels.patches.checkpatch import checkpatch
from kernels.patches.patch import first
from kernels.sandbox.room import fixed_paths
from kernels.source.worktree import worktree
from util.children.tasks import succeeded
from util.events import Event, Phase
from util.text import counted

INTERRUPTED = "the run ended before this cell was finished"
NO_OBJECTS = "only builds in bubblewrap keep the objects to read this from"


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where two kernels are compared."""

    arch: str
    flavour: str


class Statics:
    """The static cells of a run as futures. With one variant there is nothing to compare, and there are none."""

    def __init__(self, context: RunContext, kernels: Kernels) -> None:
        self._context, self._kernels = context, kernels
        self._futures: dict[Pair, Future[list[CellResult]]] = {}
        self._same: dict[tuple[str, _Spot], Future[bool]] = {}
        self._findings: list[PatchFinding] = []
        self._lock = threading.Lock()

    def start(self) -> None:
        plan = self._context.plan
        if len(plan.variants) < 2:
            return
        if CHECKPATCH in plan.static:
            pair = self._pair(_Spot("-", "-"), CHECKPATCH)
            self._futures[pair] = self._context.tasks.start(self._checkpatch, pair)
        if CHECKS in plan.static:
            pair = self._pair(_Spot("-", "-"), CHECKS)
            self._futures[pair] = self._context.tasks.start(self._checks, pair)
        for flavour in plan.profile.flavours:
            for target in plan.targets:
                spot = _Spot(target.arch.name, flavour)
                if LAYOUT in plan.static and plan.wants(spot.arch, "-", flavour, LAYOUT):
                    pair = self._pair(spot, LAYOUT)
                    self._futures[pair] = self._context.tasks.start(self._layout, spot, pair)
                if SIZE in plan.static and plan.wants(spot.arch, "-", flavour, SIZE):
                    pair = self._pair(spot, SIZE)
                    self._futures[pair] = self._context.tasks.start(self._size, spot, pair)

    def cells(self) -> list[CellResult]:
        """In the order of the report; a cell that did not finish says so."""
        found: list[CellResult] = []
        for pair, future in self._futures.items():
            unfinished = [CellResult(cell=cell, not_run=INTERRUPTED) for cell in pair]
            found += future.result() if succeeded(future) else unfinished
        return [item.model_copy(update={"reproduce": self._context.plan.command_for(item.cell)}) for item in found]

    def same_as_base(self, variant: str, arch: str, flavour: str) -> bool:
        """Whether the kernel of a variant is that of base, so that one guest speaks for both. Waits for both builds."""
        base, spot = self._context.variants.base.name, _Spot(arch, flavour)
        if variant == base:
            return False
        with self._lock:
            if (variant, spot) not in self._same:
                self._same[variant, spot] = self._context.tasks.start(self._compare, base, variant, spot)
        return self._same[variant, spot].result()

    def _compare(self, base: str, variant: str, spot: _Spot) -> bool:
        trees = {variant.name: variant.applied.tree for variant in self._context.variants.all}
        if any("/boot/" in path for _, path in self._context.store.changed_paths(trees[base], trees[variant])):
            return False
        builds = [self._kernels.of(name, spot.arch, spot.flavour) for name in (base, variant)]
        return all(build.ok for build in builds) and same_kernel(*builds)

    def _pair(self, spot: _Spot, suite: str) -> Pair:
        variants = self._context.variants
        base, judged = (
            Cell(variant.name, spot.arch, "-", spot.flavour, suite) for variant in (variants.base, variants.judged)
        )
        return base, judged

    def _builds(self, spot: _Spot, kept: bool) -> list[Build]:
        """Base's build and the judged variant's; with their objects, unless the answer was `kept`."""
        names = self._context.variants.base.name, self._context.variants.judged.name
        find = self._kernels.of if kept else self._kernels.with_objects
        return [find(name, spot.arch, spot.flavour) for name in names]

    # checkpatch --------------------------------------------------------------------------------------------------

    def _checkpatch(self, cells: Pair) -> list[CellResult]:
        """The patches of the judged variant, by the script of the tree before them."""
        context, variants = self._context, self._context.variants
        if variants.judged.series is None:
            return []
        patches = first(variants.judged.series, variants.judged.choice.patches).patches
        base = variants.source.commit
        with context.jobserver.token(context.stop), worktree(context.store, base, context.emit, context.stop) as source:
            context.emit(Event(CHECKPATCH, Phase.START, counted(len(patches), "patch")))
            checked = checkpatch(patches, source, context.stop)
        count = sum(len(item.complaints) for item in checked or ())
        context.emit(Event(CHECKPATCH, Phase.DONE, f"{count} complaints"))
        return checkpatch_cells(cells, checked) if checked else []

    # checks of patches -------------------------------------------------------------------------------------------

    def findings(self) -> tuple[PatchFinding, ...]:
        """What the static checks found in the patches, as far as they have finished."""
        return tuple(self._findings)

    def _checks(self, cells: Pair) -> list[CellResult]:
        """Each patch of the judged variant against the tree before it."""
        context, variants = self._context, self._context.variants
        if variants.judged.series is None:
            return []
        series, source = first(variants.judged.series, variants.judged.choice.patches), variants.source
        history = history_of(source.spec)
        with context.jobserver.token(context.stop):
            context.emit(Event(CHECKS, Phase.START, counted(len(series.patches), "patch")))
            trees = [source.tree]
            for count in range(1, len(series.patches) + 1):
                trees.append(apply_series(context.store, source, series, count, context.emit, context.stop).tree)
            total = len(series.patches)
            patches = [
                PatchInTree(patch, total, context.store, before, after, context.stop, history)
                for patch, before, after in zip(series.patches, trees, trees[1:], strict=False)
            ]
            checked = list(run_checks(patches))
        if context.plan.each:
            checked += ObjectChecks(context, self._kernels).checked(patches)
        self._findings = found_in(checked)
        context.emit(Event(CHECKS, Phase.DONE, counted(len(self._findings), "finding")))
        return check_cells(cells, checked)

    # size --------------------------------------------------------------------------------------------------------

    def _size(self, spot: _Spot, cells: Pair) -> list[CellResult]:
        base, judged = self._builds(spot, kept=True)
        if not (base.ok and judged.ok):
            return []
        if (change := kept_change(base, judged)) is None:
            if not (fixed_paths(base.sandbox) and fixed_paths(judged.sandbox)):
                return unmeasured(cells, [VMLINUX], Status.SKIP, NO_OBJECTS)
            base, judged = self._builds(spot, kept=False)
            step = f"compare sizes {spot.arch} {spot.flavour}"
            with self._context.jobserver.token(self._context.stop):
                self._context.emit(Event(step, Phase.START))
                try:
                    change = measure_change(base, judged)
                except SizeError as error:
                    self._context.emit(Event(step, Phase.FAILED, str(error)))
                    return unmeasured(cells, [VMLINUX], Status.MISS, str(error))
            self._context.emit(Event(step, Phase.DONE, f"{counted(len(change.objects), 'object')} changed"))
        return size_cells(cells, change)

    # struct layout -----------------------------------------------------------------------------------------------

    @cached_property
    def _named(self) -> tuple[Wanted, ...]:
        return tuple(map(parse_wanted, self._context.plan.profile.layout.structs))

    @cached_property
    def _wanted(self) -> list[Wanted]:
        """The structs that the profile names, and those that the series touches."""
        variants = self._context.variants
        touched: dict[str, str] = {}
        if self._context.plan.profile.layout.touched:
            touched = touched_structs(self._context.store, variants.base.applied.tree, variants.judged.applied.tree)
        named = {item.name for item in self._named}
        return sorted({*self._named, *(Wanted(name, path) for name, path in touched.items() if name not in named)})

    def _layout(self, spot: _Spot, cells: Pair) -> list[CellResult]:
        if not (wanted := self._wanted):
            return []
        builds = self._builds(spot, kept=True)
        if not all(build.ok for build in builds):
            return []
        known = [kept_layouts(build, wanted) for build in builds]
        if None in known and not all(fixed_paths(build.sandbox) for build in builds):
            return unmeasured(cells, [item.name for item in wanted], Status.SKIP, NO_OBJECTS)
        try:
            before, after = (
                self._layouts(variant, spot, wanted, found)
                for variant, found in zip(
                    (self._context.variants.base, self._context.variants.judged), known, strict=True
                )
            )
        except LayoutError as error:
            status = Status.MISS if self._named else Status.SKIP
            self._context.emit(Event(f"layout {spot.arch} {spot.flavour}", Phase.FAILED, str(error)))
            return unmeasured(cells, [item.name for item in wanted], status, str(error))
        return layout_cells(cells, before, after, self._named)

    def _layouts(
        self, variant: PreparedVariant, spot: _Spot, wanted: Sequence[Wanted], known: Layouts | None
    ) -> Layouts:
        if known is not None:
            return known
        context = self._context
        build = self._kernels.with_objects(variant.name, spot.arch, spot.flavour)
        step = f"layout {spot.arch} {variant.name} {spot.flavour}"
        with (
            context.jobserver.token(context.stop),
            worktree(context.store, variant.applied.commit, context.emit, context.stop) as source,
        ):
            context.emit(Event(step, Phase.START, f"{len(wanted)} structs"))
            found = layouts(build, source, wanted, context.stop, load_arch(spot.arch).cache_line)
        context.emit(Event(step, Phase.DONE))
        return found
