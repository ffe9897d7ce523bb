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
    """The built-in series: new files, a Makefile, Kconfig symbols, and a header that nearly everything includes."""
    base = built_kernel("x86_64")
    arch, store, stop = load_arch("x86_64"), Store(), Stop()
    source = resolve_source("debian:linux-source-5.10", store, silent, stop)
    series = read_series(str(ROOT / "kernels/series/seccomp-cache"), store, source, stop)
    applied = apply_series(store, source, series, None, silent, stop)
    assert applied.failure is None
    request = KernelRequest(
        arch, applied.commit, applied.tree, tuple(map(load_fragment, arch.fragments)), "x86_64 patched equality"
    )
    reused, empty = BuildStore(tmp_path / "reused"), BuildStore(tmp_path / "clean")
    (reused.root / "builds" / base.name).symlink_to(base)  # nothing but the base to start from
    with Jobserver(2) as jobs:
        part = build_kernel(request, store, jobs, silent, stop, builds=reused)
        whole = build_kernel(request, store, jobs, silent, stop, builds=empty)
    assert part.started_from == base.name and not whole.started_from
    assert part.objects_built < whole.objects_built
    assert same_outputs(part, whole)
