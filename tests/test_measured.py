# SPDX-License-Identifier: GPL-2.0-or-later
"""What coverage watches, in a run that measures it (`make test`); elsewhere these hold by themselves."""

import os
import subprocess
import sys

import pytest

from tests.command import USER
from tests.measured import VARIABLE


@pytest.mark.no_cover
def test_a_test_that_is_not_measured_and_its_children_are_not_watched() -> None:
    assert sys.gettrace() is None
    assert VARIABLE not in os.environ and VARIABLE not in USER


def test_children_are_watched_as_the_test_is() -> None:
    assert (VARIABLE in os.environ) == (VARIABLE in USER) == (sys.gettrace() is not None)
    code = "import sys; print(sys.gettrace() is not None)"
    said = subprocess.run([sys.executable, "-c", code], env=USER, capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(VARIABLE in USER)
