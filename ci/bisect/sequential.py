# SPDX-License-Identifier: GPL-2.0-or-later
"""How many boots make a commit good or bad: a sequential probability ratio test over what was seen at the ends.

Wald, "Sequential Tests of Statistical Hypotheses" (1945): boot until the likelihood of what was seen under one
hypothesis is so many times that under the other. Neither failure rate is known, so each likelihood is the mean over all
rates that the boots of its end leave possible: a fault that never missed is either always there or often, and a good
kernel either never fails or seldom. The prior gives the fixed rate (1 or 0) a share, and the rest to all rates alike.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import exp, inf, lgamma, log, log1p

STEP_ERROR = 0.15
"""With what error a single step is decided. A step that was decided wrongly costs boots and no wrong answer: whatever
is named in the end is checked, it and its parent, to the confidence that was asked for."""
SHARE = 0.3
"""The prior share of faults that show in every boot, and of good kernels that never fail."""
CERTAIN = 700.0
"""The log likelihood ratio of what cannot be otherwise."""
LOWEST_RATE = 0.05
"""A fault that is rarer than this is not waited for, unless the user says how rare it is."""


class SequentialDecision(StrEnum):
    """What the boots of one commit say."""

    GOOD = "good"
    BAD = "bad"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class BootTally:
    """How many boots gave an answer, and in how many of them the fault showed."""

    boots: int = 0
    failures: int = 0

    def __add__(self, other: "BootTally") -> "BootTally":
        return BootTally(self.boots + other.boots, self.failures + other.failures)

    @property
    def passes(self) -> int:
        return self.boots - self.failures


@dataclass(frozen=True, slots=True)
class Rates:
    """What is known of both ends. `rate` is the failure rate of bad commits, where the user knows it; `exact` says that
    one boot decides, as for figures that are the same in every run."""

    bad: BootTally
    good: BootTally = BootTally()
    rate: float | None = None
    exact: bool = False

    def under_bad(self, seen: BootTally) -> float:
        """log P(seen | the commit is bad)."""
        if self.rate is not None:
            return _fixed(seen, self.rate)
        return _predict(seen, self.bad)

    def under_good(self, seen: BootTally) -> float:
        """log P(seen | the commit is good); by symmetry, a good kernel passes as a bad one fails."""
        return _predict(BootTally(seen.boots, seen.passes), BootTally(self.good.boots, self.good.passes))

    def ratio(self, seen: BootTally) -> float:
        """The log likelihood ratio: above 0 the boots speak for a bad commit."""
        if self.exact:
            return 0.0 if not seen.boots else CERTAIN if seen.failures else -CERTAIN
        bad, good = self.under_bad(seen), self.under_good(seen)
        return bad - good if bad > -inf or good > -inf else 0.0

    def call(self, seen: BootTally, error: float) -> SequentialDecision:
        """The decision that is wrong at most with probability `error`, or OPEN."""
        limit, ratio = log((1 - error) / error), self.ratio(seen)
        return (
            SequentialDecision.BAD
            if ratio >= limit
            else SequentialDecision.GOOD
            if ratio <= -limit
            else SequentialDecision.OPEN
        )

    def wanted(self, seen: BootTally, error: float, most: int) -> int:
        """How many further boots without the fault would make the commit good, from 1 to `most`."""
        for count in range(1, most):
            if self.call(BootTally(seen.boots + count, seen.failures), error) is SequentialDecision.GOOD:
                return count
        return most

    def cleared(self, boots: int, error: float) -> bool:
        """Whether so many boots without the fault would be too unlikely at the bad end's rate."""
        return self.under_bad(BootTally(boots, 0)) <= log(error)


def doubt(ratio: float) -> float:
    """The probability that a decision with this log likelihood ratio is wrong."""
    return 1 / (1 + exp(min(abs(ratio), CERTAIN)))


def boots_to_see(rate: float, error: float) -> int:
    """How many boots a fault of this rate is missed in with probability `error`."""
    return 1 if rate >= 1 else max(1, round(log(error) / log1p(-rate) + 0.5))


def fisher_p(one: BootTally, other: BootTally) -> float:
    """Fisher's exact test, one-sided: the probability that `one` fails so much more often than `other` by chance."""
    total, failures = one.boots + other.boots, one.failures + other.failures
    most = min(one.boots, failures)
    return sum(exp(_hypergeometric(count, one.boots, failures, total)) for count in range(one.failures, most + 1))


def _fixed(seen: BootTally, rate: float) -> float:
    failing = seen.failures * log(rate) if seen.failures else 0.0
    if not seen.passes:
        return failing
    return failing + seen.passes * log1p(-rate) if rate < 1 else -inf


def _predict(seen: BootTally, known: BootTally) -> float:
    """log P(seen | known): the rate is 1 (prior share SHARE) or anything between 0 and 1 with equal weight."""
    always = log(SHARE) if known.passes == 0 else -inf
    sometimes = log(1 - SHARE) + _beta(known)
    after_always = always if seen.passes == 0 else -inf
    after_sometimes = log(1 - SHARE) + _beta(known + seen)
    return _sum(after_always, after_sometimes) - _sum(always, sometimes)


def _beta(tally: BootTally) -> float:
    """log of the integral over all rates of the likelihood of a tally."""
    return lgamma(tally.failures + 1) + lgamma(tally.passes + 1) - lgamma(tally.boots + 2)


def _sum(one: float, other: float) -> float:
    high, low = max(one, other), min(one, other)
    return high if low == -inf else high + log1p(exp(low - high))


def _hypergeometric(count: int, drawn: int, marked: int, total: int) -> float:
    if count > marked or drawn - count > total - marked:
        return -inf
    return _choose(marked, count) + _choose(total - marked, drawn - count) - _choose(total, drawn)


def _choose(total: int, count: int) -> float:
    return lgamma(total + 1) - lgamma(count + 1) - lgamma(total - count + 1)
