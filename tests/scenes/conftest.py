# SPDX-License-Identifier: GPL-2.0-or-later
"""The stage of a scene. One cache serves all scenes of a test run: base is built once, in about a second."""

from pathlib import Path

import pytest

from tests.scenes.stage import Stage, write_tree
from util.files.lock import locked
from util.stop import Stop


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all workers of this test run have in common."""
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "scenes"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def template(shared: Path) -> Path:
    """The repository that every scene starts from."""
    with locked(shared / "lock", Stop()):
        if not (shared / "linux").exists():
            write_tree(shared / "part")
            (shared / "part").rename(shared / "linux")
    return shared / "linux"


@pytest.fixture
def stage(tmp_path: Path, shared: Path, template: Path, capsys: pytest.CaptureFixture[str]) -> Stage:
    """An empty stage: base and no series."""
    return Stage(tmp_path, template, shared / "cache", capsys)
