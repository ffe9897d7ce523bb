# SPDX-License-Identifier: GPL-2.0-or-later
"""What the coverage of a test run is measured in: the tests' own process, and each Python that they start.

Coverage doubles the processor time of what it watches, and costs a child a tenth of a second before its first line. So
a test that repeats what others execute is marked `no_cover` (pytest-cov's own word), and its children are not watched
either; nor are programs that stand in for others, such as the fake QEMU.
"""

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from unittest.mock import patch

from tests.command import USER
from util.paths import ROOT

VARIABLE = "COVERAGE_PROCESS_CONFIG"
"""By which a Python that starts learns that it is watched, and how (coverage.control.process_startup)."""


def spare_children_the_walk() -> None:
    """A child with `source` looks at its end for every file of the rig that it did not execute, in 50 ms. The tests'
    own process does that for all of them."""
    from coverage.config import CoverageConfig  # slow, and not needed where nothing is measured

    places: tuple[MutableMapping[str, str], ...] = (os.environ, USER)
    for place in places:
        if VARIABLE in place:
            config = CoverageConfig.deserialize(place[VARIABLE])
            config.source, config.run_include = None, [f"{ROOT}/*"]
            place[VARIABLE] = config.serialize()


@contextmanager
def no_children() -> Iterator[None]:
    """No child is watched meanwhile."""
    with patch.dict(os.environ), patch.dict(USER):
        for place in (os.environ, USER):
            place.pop(VARIABLE, None)
        yield
