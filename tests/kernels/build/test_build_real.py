# SPDX-License-Identifier: GPL-2.0-or-later
"""Real kernels: what the fragments promise, and that reused objects give the image of a clean build."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kernels.build.build import BuildStore
from kernels.kconfig.fragments import parse_config
from tests.kernels.equality import SHORT, there_and_back

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


def test_the_image_of_reused_objects_is_that_of_a_clean_build(tmp_path: Path) -> None:
    """With few objects to make; the campaign does it with many."""
    assert there_and_back(SHORT, tmp_path).wrong == ""
