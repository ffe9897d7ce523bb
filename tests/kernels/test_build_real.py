# SPDX-License-Identifier: GPL-2.0-or-later
"""Real kernels: what the fragments promise, and that reused objects give the image of a clean build."""

from collections.abc import Callable
from pathlib import Path

import pytest

from configs.loader import load_arch
from kernels.build.build import Build, BuildStore, KernelRequest, build_kernel
from kernels.kconfig.fragments import inline_fragment, parse_config
from kernels.patches.apply import apply_series
from kernels.patches.series import read_series
from kernels.source.resolve import resolve_source
from kernels.source.store import Store
from tests.kernels.lab import same_outputs
from util.children.jobserver import Jobserver
from util.events import silent
from util.paths import ROOT, cache
from util.stop import Stop

pytestmark = [pytest.mark.real, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_what_a_finished_build_holds(built_kernel: Callable[[str], Path], arch: str) -> None:
    folder = built_kernel(arch)
    config = parse_config((folder / "config").read_text())
    assert config["SECCOMP_FILTER"] == config["VIRTIO_CONSOLE"] == config["KALLSYMS"] == "y"
    manifest = BuildStore().load(folder.name)
    assert manifest and manifest.ok and not manifest.failure
    assert not [warning for warning in manifest.warnings if warning.file == ".config"]
    assert (
        "  schedule\n" not in (folder / "System.map").read_text()
        and " schedule\n" in (folder / "System.map").read_text()
    )


SMALL = inline_fragment("small", ["CONFIG_64BIT=y", "CONFIG_SECCOMP=y", "CONFIG_PROC_FS=y", "CONFIG_PRINTK=y"])
"""Half of the objects of a kernel that a test would boot."""


def only(builds: BuildStore, build: Build) -> None:
    """Nothing else is there to start from."""
    (builds.root / "builds" / build.key).symlink_to(build.folder)


def test_the_image_of_reused_objects_is_that_of_a_clean_build(tmp_path: Path) -> None:
    """A clean base, a series from its objects, and from these the base again. The clean one is made once and kept in
    the user's cache: where nothing else is, nothing can have been its start."""
    arch, store, stop = load_arch("x86_64"), Store(), Stop()
    source = resolve_source("debian:linux-source-5.10", store, silent, stop)
    series = read_series(str(ROOT / "tests/series/adds-objects"), store, source, stop)
    applied = apply_series(store, source, series, None, silent, stop)
    assert applied.failure is None
    before = KernelRequest(arch, source.commit, source.tree, (SMALL,), "x86_64 base equality")
    after = KernelRequest(arch, applied.commit, applied.tree, (SMALL,), "x86_64 patched equality")
    first, second, third = (
        BuildStore(root) for root in (cache("testcases", "equality"), tmp_path / "2", tmp_path / "3")
    )
    with Jobserver(2) as jobs:
        clean = build_kernel(before, store, jobs, silent, stop, builds=first)
        only(second, clean)
        patched = build_kernel(after, store, jobs, silent, stop, builds=second)
        only(third, patched)
        back = build_kernel(before, store, jobs, silent, stop, builds=third)
    assert patched.ok, patched.failure
    assert (clean.started_from, patched.started_from, back.started_from) == ("", clean.key, patched.key)
    assert not back.cached
    assert 0 < back.objects_built < clean.objects_built / 2
    assert same_outputs(back, clean)
    assert back.output("image").read_bytes() != patched.output("image").read_bytes()
