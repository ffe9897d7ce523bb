# SPDX-License-Identifier: GPL-2.0-or-later
"""Converts the outputs of the stages to the results model."""

import os
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from ci.model.results import HostRecord, Run
from ci.model.stages import BuildResult
from ci.model.variants import ApplyFailure, PatchRecord, SeriesRecord, SourceRecord, Variant
from ci.plan.build_tasks import KernelKey
from ci.plan.plan import Plan
from ci.plan.variants import PreparedVariant, Variants
from ci.verdict.guest_tests import tail
from guests.host import host as guests
from guests.run.accel import Accelerator
from guests.run.qemu import qemu_version
from kernels.build.build import Build
from kernels.build.make import compiler
from kernels.patches.patch import Series
from kernels.sandbox.sandbox import sandbox_kind
from util.paths import version

LOG_TAIL = 20
"""Lines of a failed build's log that a report quotes."""


def new_run(plan: Plan, variants: Variants, started: datetime, command: Sequence[str], host: guests.Host) -> Run:
    """The run as far as it is known before anything was built."""
    source = variants.source
    return Run(
        rig_version=version(),
        started=started,
        command=tuple(command),
        called_in=str(Path.cwd()),
        profile=plan.profile.name,
        profile_digest=plan.profile_digest,
        each=plan.each,
        source=SourceRecord(
            spec=source.spec, title=source.title, version=source.version, commit=source.commit, tree=source.tree
        ),
        series=series_record(variants.series, variants.notes) if variants.series else None,
        host=host_record(plan, {}, host),
        variants=tuple(_variant(variant) for variant in variants.all),
    )


def series_record(series: Series, notes: tuple[str, ...] = ()) -> SeriesRecord:
    """`notes` are of the base and of how the series fits it."""
    return SeriesRecord(
        title=series.title,
        origin=series.origin,
        version=series.version,
        digest=series.digest,
        patches=tuple(
            PatchRecord(
                number=patch.number,
                subject=patch.subject,
                author=patch.author,
                patch_id=patch.patch_id,
                message_id=patch.message_id,
            )
            for patch in series.patches
        ),
        warnings=(*series.warnings, *notes),
    )


def _variant(variant: PreparedVariant) -> Variant:
    failure = variant.applied.failure
    return Variant(
        name=variant.name,
        patches=variant.choice.patches if variant.series else 0,
        config=variant.choice.config,
        commit=variant.applied.commit,
        tree=variant.applied.tree,
        failure=ApplyFailure(
            patch=failure.patch.number,
            subject=failure.patch.subject,
            file=failure.file,
            hunk=failure.hunk,
            message=failure.message,
        )
        if failure
        else None,
    )


def host_record(plan: Plan, accels: Mapping[str, Accelerator], host: guests.Host) -> HostRecord:
    """The machine as far as results depend on it, with what `host` has for guests; `accels` by architecture."""
    return HostRecord(
        cpus=os.cpu_count() or 0,
        machine=platform.machine(),
        system=platform.platform(),
        qemu=", ".join(sorted({qemu_version(target.arch.qemu, host) for target in plan.targets})),
        compilers={target.arch.name: compiler.version(f"{compiler.prefix(target.arch)}gcc") for target in plan.targets},
        accel={arch: accel.name for arch, accel in accels.items()},
        fallback={arch: accel.fallback for arch, accel in accels.items() if accel.fallback},
        guests=host.name,
        sandbox=sandbox_kind(),
    )


def build_results(builds: Mapping[KernelKey, Build], folder: Path) -> tuple[BuildResult, ...]:
    """The builds as records; configuration and log are copied into the output folder."""
    return tuple(_build_result(key, build, folder) for key, build in builds.items())


def _build_result(key: KernelKey, build: Build, folder: Path) -> BuildResult:
    name = f"{key.variant}-{key.arch}-{key.flavour}"
    return BuildResult(
        variant=key.variant,
        arch=key.arch,
        flavour=key.flavour,
        ok=build.ok,
        failure=build.failure,
        log_tail=() if build.ok else tail(build.output("log"), LOG_TAIL),
        warnings=build.warnings,
        seconds=build.seconds,
        cached=build.cached,
        key=build.key,
        sandbox=build.sandbox,
        commands=build.commands,
        config=_kept(build.output("config"), folder, f"configs/{name}.config"),
        log=_kept(build.output("log"), folder, f"builds/{name}.log"),
    )


def _kept(path: Path, folder: Path, name: str) -> str:
    """Copies a file into the output folder; its name there, or nothing where there is no such file."""
    if not path.is_file():
        return ""
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(path.read_bytes())
    return name
