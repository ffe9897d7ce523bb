# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py build`: the kernels of a plan and nothing more."""

from collections.abc import Iterator
from dataclasses import dataclass

from ci.plan.build_tasks import KernelKey
from ci.plan.expand import expanded
from ci.plan.plan import Plan
from ci.plan.variants import prepare_variants
from ci.run.tasks.executor import Executor
from configs import host
from kernels.build.build import Build
from kernels.source.store import Store
from util.events import Listener
from util.paths import cache
from util.stop import Stop


@dataclass(frozen=True, slots=True)
class KernelBuilds:
    """What became of each kernel; `refused` has a line for each variant whose series does not apply."""

    builds: dict[KernelKey, Build]
    refused: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.refused and all(build.ok for build in self.builds.values())

    def lines(self) -> Iterator[str]:
        """For a person: a line for each kernel, and below it where its parts are."""
        yield from self.refused
        for key, build in self.builds.items():
            name = f"{key.arch} {key.variant} {key.flavour}"
            if build.ok:
                how = "from the cache" if build.cached else f"{build.seconds:.0f} s"
                yield f"{name}: built ({how}, {len(build.warnings)} warnings)"
                yield from (f"    {part}: {build.output(part)}" for part in ("image", "vmlinux", "config", "log"))
            else:
                yield f"{name}: FAILED: {build.failure}"
                yield f"    log: {build.output('log')}"


def build_kernels(plan: Plan, emit: Listener, stop: Stop) -> KernelBuilds:
    """Builds every variant for every architecture and flavour. Raises UserError, MachineError, Stopped."""
    host.require([target.arch.name for target in plan.targets], ("sources", "builds"))
    store = Store()
    variants = prepare_variants(plan, store, emit, stop)
    refused = tuple(f"{variant.name}: {variant.applied.failure}" for variant in variants.all if variant.applied.failure)
    if refused:
        return KernelBuilds({}, refused)
    plan = expanded(plan, variants, store, emit, stop)
    with Executor(plan, variants, store, cache("runs"), emit, stop) as executor:
        executor.build()
        return KernelBuilds(dict(executor.kernels()))
