# SPDX-License-Identifier: GPL-2.0-or-later
"""A real kernel, a series from its objects, and from these the kernel again: is the image that of the clean build?"""

from dataclasses import dataclass
from pathlib import Path

from configs.loader import load_arch
from kernels.build.build import Build, BuildStore, KernelRequest, build_kernel
from kernels.kconfig.fragments import inline_fragment
from kernels.patches.apply import apply_series
from kernels.patches.series import read_series
from kernels.source.resolve import resolve_source
from kernels.source.store import Store
from tests.kernels.lab import same_outputs
from util.children.jobserver import Jobserver
from util.events import silent
from util.paths import ROOT, cache
from util.stop import Stop

SMALL = inline_fragment("small", ["CONFIG_64BIT=y", "CONFIG_SECCOMP=y", "CONFIG_PROC_FS=y", "CONFIG_PRINTK=y"])
"""Half of the objects of a kernel that a test would boot."""
WHOLE = ROOT / "tests/series/adds-objects"
"""Changes a header as well, that a tenth of the objects are made from: for the campaign."""
SHORT = ROOT / "tests/series/adds-object"


@dataclass(frozen=True, slots=True)
class ThereAndBack:
    """The three builds, in the order in which they were made."""

    clean: Build
    patched: Build
    back: Build

    @property
    def wrong(self) -> str:
        """What is not as it must be; nothing where all is well."""
        starts = (self.clean.started_from, self.patched.started_from, self.back.started_from)
        if not self.patched.ok:
            return self.patched.failure
        if starts != ("", self.clean.key, self.patched.key) or self.back.cached:
            return f"the builds started from {starts}"
        if not 0 < self.back.objects_built < self.clean.objects_built / 2:
            return f"{self.back.objects_built} of {self.clean.objects_built} objects were made again"
        if not same_outputs(self.back, self.clean):
            return "the outputs differ from those of the clean build"
        if self.back.output("image").read_bytes() == self.patched.output("image").read_bytes():
            return "the series changed nothing"
        return ""


def there_and_back(series_folder: Path, folder: Path) -> ThereAndBack:
    """Builds in stores below `folder`. The clean one is made once and kept in the user's cache: where nothing else is,
    nothing can have been its start."""
    arch, store, stop = load_arch("x86_64"), Store(), Stop()
    source = resolve_source("debian:linux-source-5.10", store, silent, stop)
    series = read_series(str(series_folder), store, source, stop)
    applied = apply_series(store, source, series, None, silent, stop)
    assert applied.failure is None
    before = KernelRequest(arch, source.commit, source.tree, (SMALL,), "x86_64 base equality")
    after = KernelRequest(arch, applied.commit, applied.tree, (SMALL,), "x86_64 patched equality")
    first, second, third = (BuildStore(root) for root in (cache("testcases", "equality"), folder / "2", folder / "3"))
    with Jobserver(2) as jobs:
        clean = build_kernel(before, store, jobs, silent, stop, builds=first)
        _only(second, clean)
        patched = build_kernel(after, store, jobs, silent, stop, builds=second)
        _only(third, patched)
        back = build_kernel(before, store, jobs, silent, stop, builds=third)
    return ThereAndBack(clean, patched, back)


def _only(builds: BuildStore, build: Build) -> None:
    """Nothing else is there to start from."""
    (builds.root / "builds" / build.key).symlink_to(build.folder)
