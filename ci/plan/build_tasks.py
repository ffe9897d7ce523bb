# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernels of a run: one for each variant, architecture and flavour, base first and the others from its objects."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from ci.plan.plan import Plan
from ci.plan.variants import PreparedVariant, Variants
from configs.model import Arch
from kernels.build.build import Build, KernelRequest, build_kernel
from kernels.kconfig.fragments import Fragment, flavour_fragments, inline_fragment, load_fragment
from kernels.source.store import Store
from testcases.registry import find_suite
from util.children.jobserver import Jobserver
from util.children.tasks import Tasks, succeeded
from util.events import Listener
from util.paths import ROOT
from util.stop import Stop


@dataclass(frozen=True, slots=True)
class KernelKey:
    """Which kernel."""

    variant: str
    arch: str
    flavour: str


@dataclass(frozen=True, slots=True)
class RunContext:
    """What every task of a run shares."""

    plan: Plan
    variants: Variants
    store: Store
    jobserver: Jobserver
    tasks: Tasks
    emit: Listener
    stop: Stop


def _taint(variant: PreparedVariant) -> str:
    """The origin of the build's objects: a series from outside shares them with its own later revisions only.

    Its revisions come from one place: a file, a folder, or a range that was asked for in one folder."""
    if variant.series is None:
        return ""
    place = Path(variant.series.origin).expanduser().resolve()
    return "" if place.exists() and place.is_relative_to(ROOT) else str(place)


class Kernels:
    """The builds of a run as futures."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._futures: dict[KernelKey, Future[Build]] = {}
        self._requests: dict[KernelKey, KernelRequest] = {}

    def start(self, tree: Path) -> Mapping[KernelKey, "Future[Build]"]:
        """Starts every build, and returns them. `tree` is a checkout of the judged variant, which says what the suites
        ask of a kernel."""
        names = [variant.name for variant in self._context.variants.all]
        self._requests = kernel_requests(self._context.plan, self._context.variants, tree)
        for key, request in self._requests.items():
            # Of consecutive patches each starts from the one before it: what is rebuilt is what one patch touches.
            near = names[max(0, names.index(key.variant) - 1)] if self._context.plan.each else names[0]
            before = self._futures.get(KernelKey(near, key.arch, key.flavour))
            self._futures[key] = self._context.tasks.start(self._build, request, before)
        return dict(self._futures)

    def of(self, variant: str, arch: str, flavour: str) -> Build:
        """Waits for one build."""
        return self._futures[KernelKey(variant, arch, flavour)].result()

    def request(self, variant: str, arch: str, flavour: str) -> KernelRequest:
        """What one kernel is made from."""
        return self._requests[KernelKey(variant, arch, flavour)]

    def with_objects(self, variant: str, arch: str, flavour: str) -> Build:
        """Waits for one build; makes it again where its objects were deleted since."""
        build = self.of(variant, arch, flavour)
        if not build.ok or (build.folder / "objects").is_dir():
            return build
        context, request = self._context, self._requests[KernelKey(variant, arch, flavour)]
        return build_kernel(request, context.store, context.jobserver, context.emit, context.stop, objects=True)

    def finished(self) -> Mapping[KernelKey, Build]:
        """The builds that came to an end, good or bad."""
        return {key: future.result() for key, future in self._futures.items() if succeeded(future)}

    def _build(self, request: KernelRequest, base: "Future[Build] | None") -> Build:
        nearest = base.result() if base else None
        context = self._context
        return build_kernel(request, context.store, context.jobserver, context.emit, context.stop, nearest)


def kernel_requests(plan: Plan, variants: Variants, tree: Path) -> dict[KernelKey, KernelRequest]:
    """Every kernel of the plan, base first. `tree` is a checkout of the judged variant."""
    suites = _suite_fragments(plan, tree)
    return {
        KernelKey(variant.name, target.arch.name, flavour): KernelRequest(
            arch=target.arch,
            commit=variant.applied.commit,
            tree=variant.applied.tree,
            fragments=tuple(_fragments(plan, variant, target.arch, flavour, suites)),
            label=f"{target.arch.name} {variant.name} {flavour}",
            taint=_taint(variant),
        )
        for variant in variants.all
        for target in plan.targets
        for flavour in plan.profile.flavours
        if plan.wants_kernels(target.arch.name, flavour)
    }


def _fragments(
    plan: Plan, variant: PreparedVariant, arch: Arch, flavour: str, suites: tuple[Fragment, ...]
) -> Iterator[Fragment]:
    """From the general to the special, since the last one that asks for an option has it."""
    yield from map(load_fragment, arch.fragments)
    yield from flavour_fragments(flavour)
    yield from suites
    if plan.profile.config:
        yield inline_fragment(f"profile {plan.profile.name}", plan.profile.config)
    if variant.choice.config:
        yield inline_fragment(f"variant {variant.name}", variant.choice.config)


def _suite_fragments(plan: Plan, tree: Path) -> tuple[Fragment, ...]:
    """First the lines that each suite needs, then those that the profile adds for the suite."""
    needed = (fragment for choice in plan.shaping for fragment in find_suite(choice.name)[0].fragments(choice, tree))
    wanted = (inline_fragment(f"suite {choice.name}", choice.config) for choice in plan.shaping if choice.config)
    return (*needed, *wanted)
