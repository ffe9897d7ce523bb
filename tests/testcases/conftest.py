# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of selftests share."""

from pathlib import Path

import pytest

from testcases.selftests import data as target_data
from tests.testcases.selftree import Laboratory, make_laboratory


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Laboratory:
    """A small tree of selftests, without what the rig knows about real targets."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "targets").mkdir()
    monkeypatch.setattr(target_data, "TARGETS", tmp_path / "targets")
    return make_laboratory(tmp_path)
