# SPDX-License-Identifier: GPL-2.0-only
"""Real kernels: what the fragments promise, and that reused objects give the image of a clean build."""

from collections.abc import Callable
from pathlib import Path

import pytest

from configs.events import silent
from configs.loader import load_arch
from configs.paths import ROOT
from configs.stop import Stop
from kernels.apply import apply_series
from kernels.build import BuildStore, KernelRequest, build_kernel
from kernels.jobserver import Jobserver
from kernels.kconfig import load_fragment, parse_config
from kernels.series import read_series
from kernels.source import resolve_source
from kernels.store import Store
from tests.kernels.lab import same_outputs

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


def test_the_image_of_reused_objects_is_that_of_a_clean_build(
    built_kernel: Callable[[str], Path], tmp_path: Path
) -> None:
    """From the objects of the built-in series back to its base, which was built clean: the series has new files, a
    Makefile, Kconfig symbols and a header that nearly everything includes."""
    base = built_kernel("x86_64")
    clean = BuildStore().load(base.name)
    assert clean
    if clean.started_from:
        pytest.skip("the base in the cache was itself made from other objects: `./rig.py clean` and repeat")
    arch, store, stop = load_arch("x86_64"), Store(), Stop()
    source = resolve_source("debian:linux-source-5.10", store, silent, stop)
    series = read_series(str(ROOT / "kernels/series/seccomp-cache"), store, source, stop)
    applied = apply_series(store, source, series, None, silent, stop)
    assert applied.failure is None
    fragments = tuple(map(load_fragment, arch.fragments))
    before = KernelRequest(arch, source.commit, source.tree, fragments, "x86_64 base equality")
    after = KernelRequest(arch, applied.commit, applied.tree, fragments, "x86_64 patched equality")
    builds = BuildStore(tmp_path / "builds")
    with Jobserver(2) as jobs:
        patched = build_kernel(after, store, jobs, silent, stop)
        (builds.root / "builds" / patched.key).symlink_to(patched.folder)  # nothing else to start from
        back = build_kernel(before, store, jobs, silent, stop, builds=builds)
    assert back.started_from == patched.key and not back.cached
    assert 0 < back.objects_built < clean.objects_built
    assert same_outputs(back, clean.build(base, cached=True))
    assert back.output("image").read_bytes() != patched.output("image").read_bytes()
