# SPDX-License-Identifier: GPL-2.0-or-later
"""The files that each patch of a series touches, compiled before it and after it with every compiler asked for."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ci.plan.build_tasks import Kernels, RunContext
from configs.model import Arch
from kernels.build.build import Build
from kernels.build.units import Units
from kernels.checks.check import CannotCheckError, PatchInTree, StaticCheckResult
from kernels.checks.objects.compare import BY_SPARSE, Spot, compared, without_contexts
from kernels.checks.objects.folder import ObjectFolder
from kernels.checks.objects.said import FileMessages
from kernels.checks.objects.setting import SETTINGS, ObjectRequest, Setting
from util.events import Event, Listener, Phase

COMPILERS = "compilers"
"""The step that stands for all trees under all settings."""


@dataclass(slots=True)
class _Progress:
    """How many trees are through, of all settings together. Called from any thread."""

    emit: Listener
    total: int
    _through: dict[tuple[str, str], int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, arch: str, setting: str, trees: int) -> None:
        with self._lock:
            self._through[arch, setting] = trees
            done = sum(self._through.values())
            self.emit(Event(COMPILERS, Phase.PROGRESS, "", done, self.total, "trees"))


@dataclass(frozen=True, slots=True)
class ObjectChecks:
    """The compilers' part of `check --each`."""

    context: RunContext
    kernels: Kernels

    def checked(self, patches: Sequence[PatchInTree]) -> list[StaticCheckResult]:
        """The checks of the compilers, patch by patch. Raises Stopped, MachineError."""
        names = self.context.plan.profile.compile_with
        if not names:
            return []
        after = self.context.variants.all[1:]
        paths = [self._paths(item, variant.name) for item, variant in zip(patches, after, strict=True)]
        settings = [(target.arch, SETTINGS[name]) for target in self.context.plan.targets for name in names]
        progress = _Progress(self.context.emit, len(settings) * (len(patches) + 1))
        futures = [self.context.tasks.start(self._along, patches, paths, *item, progress) for item in settings]
        spots = zip(*[future.result() for future in futures], strict=True)
        self.context.emit(Event(COMPILERS, Phase.DONE))
        found = [item for patch, group in zip(patches, spots, strict=True) for item in self._of(patch, group)]
        blind = without_contexts(self.context.store, self.context.variants.source.tree)
        return [self._with_remark(item, blind) if item.check is BY_SPARSE else item for item in found]

    def _of(self, item: PatchInTree, spots: Sequence[Spot]) -> list[StaticCheckResult]:
        return compared(item.patch, [spot for spot in spots if spot.before or spot.after or spot.problem], item.added)

    def _with_remark(self, item: StaticCheckResult, blind: str) -> StaticCheckResult:
        remark = "; ".join(part for part in (item.remark, blind) if part)
        return replace(item, remark=remark) if item.applied and not item.skipped else item

    def _along(
        self, patches: Sequence[PatchInTree], paths: Sequence[frozenset[str]], arch: Arch, setting: Setting,
        progress: _Progress,
    ) -> list[Spot]:  # fmt: skip
        """What is said before and after each patch, in one folder that goes from tree to tree."""
        try:
            return self._spots(patches, paths, arch, setting, progress)
        finally:
            progress.say(arch.name, str(setting), len(patches) + 1)

    def _spots(
        self, patches: Sequence[PatchInTree], paths: Sequence[frozenset[str]], arch: Arch, setting: Setting,
        progress: _Progress,
    ) -> list[Spot]:  # fmt: skip
        context = self.context
        if not any(paths):
            return [Spot(arch.name, setting, {}, {}) for _ in patches]
        problem = setting.missing
        said: list[Mapping[str, FileMessages]] = []
        if not problem:
            flavour = context.plan.profile.flavours[0]
            asked = self.kernels.request(context.variants.judged.name, arch.name, flavour)
            request = ObjectRequest(arch, setting, asked.fragments, asked.taint)
            folder = ObjectFolder(request, context.store, context.jobserver, context.emit, context.stop)
            try:
                for number in range(len(patches) + 1):
                    said.append(self._said(folder, number, paths))
                    progress.say(arch.name, str(setting), number + 1)
            except CannotCheckError as error:
                problem = str(error)
        if problem:
            return [Spot(arch.name, setting, {}, {}, problem if touched else "") for touched in paths]
        return [
            Spot(arch.name, setting, _only(before, touched), _only(after, touched))
            for touched, before, after in zip(paths, said[:-1], said[1:], strict=True)
        ]

    def _said(self, folder: ObjectFolder, number: int, paths: Sequence[frozenset[str]]) -> Mapping[str, FileMessages]:
        """Of the tree after `number` patches: the files of the patch before it and of the one behind it."""
        variant = self.context.variants.all[number].applied
        near = frozenset[str]().union(*paths[max(0, number - 1) : number + 1])
        there = sorted(path for path in near if self.context.store.path_id(variant.tree, path))
        return folder.said(variant.commit, variant.tree, there) if there else {}

    def _paths(self, item: PatchInTree, variant: str) -> frozenset[str]:
        """The C files of the kernel that the patch touches, and for each header one that shows what it defines."""
        found = {path for path in item.kernel_files if path.endswith(".c")}
        if headers := [path for path in item.kernel_files if path.endswith(".h")]:
            found.update(self._showing(headers, variant))
        return frozenset(found)

    def _showing(self, headers: Sequence[str], variant: str) -> list[str]:
        """Looked up in the finished builds, as far as they kept their objects."""
        flavour = self.context.plan.profile.flavours[0]
        builds: list[Build] = []
        for target in self.context.plan.targets:
            builds.append(self.kernels.with_objects(variant, target.arch.name, flavour))
        units = [Units(build.folder / "objects") for build in builds if build.ok and build.sandbox == "bwrap"]
        shown = [unit.showing(header) for unit in units for header in headers]
        return [unit.source for unit in shown if unit]


def _only(said: Mapping[str, FileMessages], paths: frozenset[str]) -> dict[str, FileMessages]:
    return {path: item for path, item in said.items() if path in paths}
