# SPDX-License-Identifier: GPL-2.0-or-later
"""The cache of a real kernel that does not show it: told from counted instructions."""

from pathlib import Path

import pytest

from configs.result import Status
from testcases.seccomp import COUNTED
from testcases.seccomp.check.counted import counted_stacks
from tests.command import results, rig

PROFILE = """
name: hidden
description: the cache without its file
source: debian:linux-source-5.10
series: kernels/series/seccomp-cache
archs: [x86_64]
suites: [seccomp/counted, seccomp/ways]
config: ["# CONFIG_SECCOMP_CACHE_DEBUG is not set"]
"""


@pytest.mark.real
def test_a_cache_without_its_file_is_still_checked(tmp_path: Path) -> None:
    profile, out = tmp_path / "hidden.yaml", tmp_path / "out"
    profile.write_text(PROFILE)
    done = rig("check", "--profile", str(profile), "--abi", "x86_64", "--out", str(out), "--quiet", "--rerun", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {(cell.cell.variant, result.name): result.status for cell in results(out).cells for result in cell.tests}
    for stack in counted_stacks("x86_64"):
        assert (found["base", stack], found["patched", stack]) == (Status.SKIP, Status.PASS)
    assert found["patched", COUNTED] is Status.PASS
    assert found["patched", "ways/plain.behaviour"] is Status.PASS
    assert found["patched", "ways/plain.bitmap"] is Status.SKIP
