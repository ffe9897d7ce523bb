# SPDX-License-Identifier: GPL-2.0-or-later
"""One wish for a build, with all that is needed to fulfil it."""

from dataclasses import dataclass
from typing import TypeGuard

from kernels.build.make.recipe import KernelRequest, request_key
from kernels.build.store.build_store import BuildStore
from kernels.build.store.manifest import Build, Manifest
from kernels.sandbox.room import fixed_paths
from kernels.source.store import Store
from util.children.jobserver import Jobserver
from util.events import Event, Listener, Phase
from util.stop import Stop


@dataclass(frozen=True, slots=True)
class BuildJob:
    """What is built, with what, and where it goes. `sandbox` is its kind, `toolchain` its identity;
    `objects`: a finished build serves only if it still has its objects."""

    request: KernelRequest
    store: Store
    jobserver: Jobserver
    emit: Listener
    stop: Stop
    builds: BuildStore
    sandbox: str
    toolchain: str
    objects: bool

    def serves(self, found: Manifest | None) -> TypeGuard[Manifest]:
        """Whether a finished build is all that was asked for."""
        if found is None:
            return False
        return not (self.objects and found.ok and fixed_paths(self.sandbox)) or self.builds.objects.has(found.key)

    @property
    def key(self) -> str:
        return request_key(self.request, self.toolchain, self.sandbox)

    @property
    def step(self) -> str:
        return f"build {self.request.label}"

    def cached(self, manifest: Manifest) -> Build:
        """Reports a build that was made earlier."""
        text = "unchanged, from the cache" if manifest.ok else f"failed before: {manifest.failure}"
        self.emit(Event(self.step, Phase.DONE if manifest.ok else Phase.FAILED, text))
        self.builds.objects.touch(manifest.key)
        return manifest.build(self.builds.folder(manifest.key), cached=True)
