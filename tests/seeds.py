# SPDX-License-Identifier: GPL-2.0-or-later
"""The seed of a test run, in the head of pytest's output. `--seed N` or `RIG_TEST_SEED=N` repeats a run.

It is drawn anew for tests that hit random moments and for hypothesis. Tests that walk over generated filters walk over
the same ones in every run, so that no change is blamed for what an unlucky draw found; a seed that was asked for makes
them walk over others.
"""

import os
import random

VARIABLE = "RIG_TEST_SEED"


def given() -> int | None:
    """The seed that the caller of pytest asked for."""
    text = os.environ.get(VARIABLE, "")
    return int(text) if text else None


def drawn() -> int:
    """The caller's seed, or a new one."""
    wanted = given()
    return random.SystemRandom().randrange(1 << 30) if wanted is None else wanted


def seeds(count: int) -> range:
    """So many seeds in a row: from 0, or from the caller's."""
    first = given() or 0
    return range(first, first + count)
