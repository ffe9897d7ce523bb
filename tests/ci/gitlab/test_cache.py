# SPDX-License-Identifier: GPL-2.0-or-later
"""The cache that is carried from job to job: small, and never somebody else's."""

from pathlib import Path

import pytest

from tests.command import USER, rig_here


def filled(folder: Path) -> Path:
    """A cache with one compiled suite of 3 MB."""
    entry = folder / "kernel-patch-rig" / "testcases" / "selftests" / "abc"
    entry.mkdir(parents=True)
    (entry / "program").write_bytes(b"x" * 3_000_000)
    return entry


@pytest.mark.parametrize(("limit", "stays"), [(1, False), (100, True)])
def test_a_jobs_own_cache_is_made_small(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], limit: int, stays: bool
) -> None:
    entry = filled(tmp_path / ".rig-cache")
    environment = USER | {"XDG_CACHE_HOME": str(tmp_path / ".rig-cache"), "CI_PROJECT_DIR": str(tmp_path)}
    done = rig_here(capsys, "gitlab", "cache", str(limit), environment=environment)
    assert done.returncode == 0 and f"of {limit}: " in done.stdout, done.stderr
    assert entry.exists() is stays


@pytest.mark.parametrize("project", ["", "/nowhere"])
def test_any_other_cache_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str], project: str) -> None:
    entry = filled(tmp_path / "shared")
    environment = USER | {"XDG_CACHE_HOME": str(tmp_path / "shared"), "CI_PROJECT_DIR": project}
    done = rig_here(capsys, "gitlab", "cache", "0", environment=environment)
    assert done.returncode == 0 and "is left alone" in done.stdout
    assert entry.exists()
