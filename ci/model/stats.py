# SPDX-License-Identifier: GPL-2.0-or-later
"""Two variants measured in turn: in which order, and what the ratios of the rounds show.

A round measures both variants one after the other, so that what is slow to change (temperature, other load) meets both;
which comes first changes at random. The interval is that of the median of the rounds' ratios, from the order of the
ratios alone: the k-th smallest and the k-th largest have the median between them unless fewer than k rounds fall on one
side of it, which is a matter of tossing coins (W. R. Thompson, "On confidence ranges for the median", 1936). It
supposes nothing of how the noise is distributed, only that rounds are independent.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

ERROR = 0.05
"""Probability that any interval of a table misses its median, all of them together (Bonferroni's bound)."""


class Shown(StrEnum):
    """What an interval shows. TOO_FEW: with so few rounds there is none."""

    FASTER = "faster"
    SLOWER = "slower"
    NOTHING = "no difference shown"
    TOO_FEW = "too few rounds"


@dataclass(frozen=True, slots=True)
class Ratio:
    """Judged / base: the median of the rounds, and its interval if there is one."""

    value: float
    low: float | None
    high: float | None

    @property
    def shown(self) -> Shown:
        if self.low is None or self.high is None:
            return Shown.TOO_FEW
        return Shown.FASTER if self.high < 1 else Shown.SLOWER if self.low > 1 else Shown.NOTHING


def order(rounds: int, seed: int) -> tuple[bool, ...]:
    """For each round whether base comes first: as often as not (give or take one), shuffled by the seed."""
    first = [number % 2 == 0 for number in range(rounds)]
    random.Random(seed).shuffle(first)
    return tuple(first)


def compare(base: Sequence[float], judged: Sequence[float], error: float) -> Ratio:
    """Of positive figures, one of each variant for each round; `error` is the probability that the interval misses."""
    logarithms = sorted(math.log(after / before) for before, after in zip(base, judged, strict=True))
    place = _place(len(logarithms), error)
    low, high = (logarithms[place - 1], logarithms[-place]) if place else (None, None)
    return Ratio(
        math.exp(median(logarithms)),
        None if low is None else math.exp(low),
        None if high is None else math.exp(high),
    )


def least_rounds(error: float) -> int:
    """So many rounds give an interval."""
    return next(rounds for rounds in range(1, 1000) if _place(rounds, error))


def _place(rounds: int, error: float) -> int:
    """How many of the outermost ratios on each side are the last one within the interval's bound; 0 if not even the
    outermost can bound it."""
    missed, place = 0.0, 0
    while place <= rounds // 2:
        missed += 2 * math.comb(rounds, place) / 2**rounds
        if missed > error:
            break
        place += 1
    return place
