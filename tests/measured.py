# SPDX-License-Identifier: GPL-2.0-or-later
"""What the coverage of a test run is measured in: the tests' own process, and each Python that they start.

Coverage doubles the processor time of what it watches, and costs a child a tenth of a second before its first line. So
a test that repeats what others execute is marked `no_cover` (pytest-cov's own word), and its children are not watched
either; nor are programs that stand in for others, such as the fake QEMU.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from tests.command import USER
from util.paths import ROOT

VARIABLE = "COVERAGE_PROCESS_CONFIG"
"""By which a Python that starts learns that it is watched, and how (coverage.control.process_startup)."""


def keep_from_workers() -> None:
    """A worker of pytest-xdist is a child as well, but pytest-cov measures in it already (see `begin_once`)."""
    os.environ.pop(VARIABLE, None)


def begin_once(config: pytest.Config) -> None:
    """pytest-cov (7.1) begins to measure in a worker once when it is loaded, and once more for the session. A second
    measurement takes over whenever the first one pauses: a test marked `no_cover` would be watched after all. What was
    executed until now, the imports of this folder's `conftest.py`, the run's main process has executed and measured."""
    plugin = config.pluginmanager.getplugin("_cov")
    if plugin and plugin.cov_controller and hasattr(config, "workerinput"):
        plugin.cov_controller.cov.stop()


def begin_children() -> None:
    """Children are watched as this process is. Only, one with `source` looks at its end for every file of the rig that
    it did not execute, in 50 ms: the tests' own process does that for all of them."""
    if VARIABLE in os.environ:
        from coverage.config import CoverageConfig  # slow, and not needed where nothing is measured

        config = CoverageConfig.deserialize(os.environ[VARIABLE])
        config.source, config.run_include = None, [f"{ROOT}/*"]
        USER[VARIABLE] = os.environ[VARIABLE] = config.serialize()


@contextmanager
def no_children() -> Iterator[None]:
    """No child is watched meanwhile."""
    with patch.dict(os.environ), patch.dict(USER):
        for place in (os.environ, USER):
            place.pop(VARIABLE, None)
        yield
