# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks one kernel: built and booted through the parts that `rig.py check` is made of, always in fresh guests."""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ci.bisect.facts.ahead import Ahead
from ci.bisect.facts.signature import Boot, Sought, read_boot
from ci.bisect.facts.state import BisectKernel
from ci.bisect.facts.steps import BisectStep
from ci.model.stages import CellResult
from ci.plan.build_tasks import kernel_requests
from ci.plan.plan import Plan
from ci.plan.variants import Variants, prepare_variants
from ci.run.tasks.executor import Executor
from configs.model import VariantChoice
from configs.result import Cell
from guests.host.host import LOCAL, Host
from guests.run.request import INITRD
from kernels.binary.object_code import loaded_digest
from kernels.build.build import Build, build_kernel
from kernels.kconfig.tree import srcarch
from kernels.source.store import Store
from kernels.source.worktree import worktree
from util.errors import KconfigError
from util.events import Listener
from util.stop import Linked, Stop

Spot = tuple[str, str, str, str]
"""arch, ABI, flavour, suite."""


class FactSource(Protocol):
    """Where the search gets its facts from."""

    def build(self, step: BisectStep) -> BisectKernel:
        """The kernel of a step, and what its guests will run. What cannot be built is a value."""

    def boot(self, step: BisectStep, first: int, count: int) -> list[Boot]:
        """`count` fresh guests of a step that was built; `first` numbers them among those of the same binary."""

    def ahead(self, steps: Sequence[BisectStep]) -> None:
        """One of these is likely to be asked next: their kernels may be built while guests run."""

    def narrow(self, spots: tuple[Spot, ...]) -> None:
        """From here on only these cells are asked."""


NOT_APPLIED = "does not apply: "
"""How `BisectKernel.failure` begins where a step's series does not apply."""


class NotAppliedError(Exception):
    """The series of a step does not apply; says where."""


@dataclass(frozen=True, slots=True)
class BisectContext:
    """What all steps share. `plan` says everything but source, series and variants; `folder` takes consoles."""

    plan: Plan
    sought: Sought
    store: Store
    folder: Path
    emit: Listener
    stop: Stop
    host: Host = LOCAL
    fixup: str = ""


class RigOracle:
    """The oracle that builds and boots. A context manager: leaving it ends what still runs."""

    def __init__(self, context: BisectContext) -> None:
        self._context, self._plan = context, context.plan
        self._spots: tuple[Spot, ...] = ()
        self._open: tuple[BisectStep, Executor, ExitStack] | None = None
        self._ahead, self._next = Ahead(self._build_ahead, context.stop), tuple[BisectStep, ...]()

    def __enter__(self) -> "RigOracle":
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()

    def narrow(self, spots: tuple[Spot, ...]) -> None:
        self._close()
        self._spots = spots
        profile, archs = self._context.plan.profile, {spot[0] for spot in spots}
        suites = tuple(choice for choice in profile.suites if choice.name in {spot[3] for spot in spots})
        flavours = tuple(flavour for flavour in profile.flavours if flavour in {spot[2] for spot in spots})
        targets = tuple(
            replace(target, abis=tuple(abi for abi in target.abis if abi in {spot[1] for spot in spots}))
            for target in self._context.plan.targets
            if target.arch.name in archs
        )
        update = {"suites": suites, "flavours": flavours}
        self._plan = replace(self._context.plan, profile=profile.model_copy(update=update), targets=targets)

    def ahead(self, steps: Sequence[BisectStep]) -> None:
        self._next = tuple(steps)

    def build(self, step: BisectStep) -> BisectKernel:
        self._ahead.settle(step)
        try:
            executor, variants, fixed_up = self._executor(step)
        except KconfigError as error:
            return BisectKernel(failure=f"the configuration cannot be had: {error}")
        except NotAppliedError as error:
            return BisectKernel(failure=f"{NOT_APPLIED}{error}")
        builds = executor.kernels()
        failed = next((build for build in builds.values() if not build.ok), None)
        made = [build for build in builds.values() if not build.cached or build.key in self._ahead.made]
        seconds, warm = sum(build.seconds for build in made), not made
        keys = {f"{key.arch}/{key.flavour}": build.key for key, build in builds.items()}
        if failed:
            log = str(failed.output("log"))
            return BisectKernel(
                failure=failed.failure, seconds=seconds, warm=warm, keys=keys, log=log, fixed_up=fixed_up
            )
        kernel = self._kernel(executor, variants)
        binary = _digest(kernel, executor.payload_digests(), self._spots, self._plan.profile.memory_mb)
        return BisectKernel(binary=binary, seconds=seconds, warm=warm, keys=keys, kernel=kernel, fixed_up=fixed_up)

    def boot(self, step: BisectStep, first: int, count: int) -> list[Boot]:
        executor, variants, _ = self._executor(step)
        cells = [cell for cell in self._cells(variants) if not self._spots or cell_spot(cell) in self._spots]
        attempts = range(first, first + count)
        if len(cells) * count < self._plan.jobs:
            self._ahead.start(self._next)
        else:
            self._ahead.settle()  # the guests want every core
        executor.rerun((cell, attempt) for attempt in attempts for cell in cells)
        results = [result for result in executor.cells() if result.attempt in attempts]
        folder = self._folder(step)
        return [self._read([item for item in results if item.attempt == attempt], folder) for attempt in attempts]

    def _read(self, results: Sequence[CellResult], folder: Path) -> Boot:
        boot = read_boot(self._context.sought, results)
        for result in results:  # an image for each of hundreds of guests would fill the disk
            if result.attempt and result.console:
                (folder / result.console).with_name(INITRD).unlink(missing_ok=True)
        return boot.model_copy(update={"console": str(folder / boot.console) if boot.console else ""})

    def _cells(self, variants: Variants) -> list[Cell]:
        return [cell for cell in self._step_plan_of(variants).cells() if cell.variant == variants.judged.name]

    def _step_plan_of(self, variants: Variants) -> Plan:
        return replace(self._plan, variants=(variants.judged.choice,))

    def _kernel(self, executor: Executor, variants: Variants) -> str:
        tree = variants.judged.applied.tree
        parts = []
        for key, build in sorted(executor.kernels().items(), key=lambda item: (item[0].arch, item[0].flavour)):
            arch = next(target.arch for target in self._plan.targets if target.arch.name == key.arch)
            makefile = (self._context.store.blob(tree, "Makefile") or b"").decode("utf-8", "replace")
            around = self._context.store.path_id(tree, f"arch/{srcarch(makefile, arch.kernel_arch)}/boot")
            parts.append((key.arch, key.flavour, _loaded(build), around))
        return _digest(parts)

    def _folder(self, step: BisectStep) -> Path:
        return self._context.folder / "guests" / step.commit[:16]

    def _executor(self, step: BisectStep) -> tuple[Executor, Variants, bool]:
        """The executor of a step with its kernels and suites made, kept until another step is asked."""
        if self._open and self._open[0] == step:
            executor = self._open[1]
            return executor, executor.variants, self._fixed_up(step, executor.variants)
        self._close()
        context, stack = self._context, ExitStack()
        stop = Linked(context.stop)  # one step that gives up must not stop the rest
        try:
            plan, variants = self._prepare(step, stop)
            executor = stack.enter_context(
                Executor(plan, variants, context.store, self._folder(step), context.emit, stop, context.host)
            )
            executor.prepare()
        except BaseException:
            stop.set()
            with suppress(Exception):
                stack.close()
            raise
        self._open = (step, executor, stack)
        return executor, variants, self._fixed_up(step, variants)

    def _fixed_up(self, step: BisectStep, variants: Variants) -> bool:
        return bool(self._context.fixup) and step.series == "none" and variants.series is not None

    def _prepare(self, step: BisectStep, stop: Stop) -> tuple[Plan, Variants]:
        plan = plan_of(self._plan, step)
        context = self._context
        if context.fixup and step.series == "none":
            fixed = plan_of(self._plan, replace(step, series=context.fixup))
            variants = prepare_variants(fixed, context.store, context.emit, stop)
            if not variants.judged.applied.failure:
                return fixed, variants
        variants = prepare_variants(plan, context.store, context.emit, stop)
        if variants.judged.applied.failure:
            raise NotAppliedError(str(variants.judged.applied.failure))
        return plan, variants

    def _build_ahead(self, step: BisectStep, stop: Stop) -> list[str]:
        """The kernels of a step, by the jobs that the guests of the step in question leave idle."""
        context, opened = self._context, self._open
        if opened is None:
            return []
        plan, variants = self._prepare(step, stop)
        with worktree(context.store, variants.judged.applied.commit, context.emit, stop) as tree:
            requests = kernel_requests(plan, variants, tree)
        jobserver = opened[1].jobserver
        made = [build_kernel(item, context.store, jobserver, context.emit, stop) for item in requests.values()]
        return [build.key for build in made if not build.cached]

    def _close(self) -> None:
        self._ahead.settle()
        if self._open:
            _, _, stack = self._open
            self._open = None
            stack.close()


def plan_of(plan: Plan, step: BisectStep) -> Plan:
    """The plan of one step: its one variant, every guest fresh."""
    choice = VariantChoice(name=step.label, series=step.series, patches=step.patches, config=step.config)
    profile = plan.profile.model_copy(update={"source": step.source, "series": step.series, "variants": (choice,)})
    return replace(plan, profile=profile, variants=(choice,), fresh=True, static=(), follow=False)


def cell_spot(cell: Cell) -> Spot:
    return cell.arch, cell.abi, cell.flavour, cell.suite


def _loaded(build: Build) -> str:
    """A digest of what the kernel loads, whatever its line numbers are."""
    try:
        return loaded_digest(build.output("vmlinux"))
    except ValueError:
        return hashlib.sha256(build.output("image").read_bytes()).hexdigest()


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:40]
