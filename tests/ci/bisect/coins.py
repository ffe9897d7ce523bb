# SPDX-License-Identifier: GPL-2.0-or-later
"""Simulated bisections: the statistics and the search are real, the kernels are coins, git is a straight line."""

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from ci.bisect.ends import EndsCheck
from ci.bisect.facts.asking import Asking
from ci.bisect.facts.signature import Boot, FailedTest, Sought, SoughtKind
from ci.bisect.facts.state import BisectKernel, State
from ci.bisect.facts.steps import BisectStep
from ci.bisect.git_driver import Mark, Position
from ci.bisect.search import BisectSearch
from util.events import silent

TEST = "suite.test"
SOUGHT = Sought(kind=SoughtKind.TEST, pattern=TEST)


class Coins:
    """A history of numbered commits. From `culprit` on the test fails in a share `rate` of the boots, before it in a
    share `noise`."""

    def __init__(self, culprit: int, rate: float, seed: int, noise: float = 0.0) -> None:
        self.culprit, self.rate, self.noise = culprit, rate, noise
        self.random, self.boots = random.Random(seed), 0

    def build(self, step: BisectStep) -> BisectKernel:
        return BisectKernel(binary=f"b{step.commit}")

    def boot(self, step: BisectStep, first: int, count: int) -> list[Boot]:  # noqa: ARG002
        self.boots += count
        return [self._boot(int(step.commit)) for _ in range(count)]

    def _boot(self, number: int) -> Boot:
        if self.random.random() < (self.rate if number >= self.culprit else self.noise):
            return Boot(failures=(FailedTest(name=TEST, mark="fails"),), finished=True, booted=True)
        return Boot(passed=(TEST,), finished=True, booted=True)

    def ahead(self, steps: object) -> None: ...

    def narrow(self, spots: object) -> None: ...


class Line:
    """`git bisect` over a straight history, from 0 (good) to `last` (bad)."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.low, self.high = 0, last

    def start(self, marks: Iterable[tuple[str, Mark]] = ()) -> Position:
        self.low, self.high = 0, self.last
        for commit, mark in marks:
            self.mark(commit, mark)
        return self._position()

    def mark(self, commit: str, mark: Mark) -> Position:
        if mark is Mark.BAD:
            self.high = min(self.high, int(commit))
        elif int(commit) < self.high:
            self.low = max(self.low, int(commit))
        return self._position()

    def _position(self) -> Position:
        if self.high - self.low <= 1:
            return Position(found=(str(self.high),))
        return Position(next=str((self.low + self.high) // 2), left=self.high - self.low - 2, steps=1)

    def foresee(self, commit: str) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def parents(self, commit: str) -> tuple[str, ...]:
        return (str(int(commit) - 1),)

    def open_words(self) -> str:
        return f"{self.low} to {self.high}"


class Memory(State):
    """A state without a disk."""

    def _write(self) -> None: ...


def simulate(folder: Path, rate: float, seed: int, last: int = 64, noise: float = 0.0) -> tuple[bool | None, int]:
    """(whether the right commit was named, None where none was; boots) of one bisection."""
    culprit = random.Random(seed + 1000).randrange(1, last + 1)
    coins = Coins(culprit, rate, seed, noise)
    asking = Asking(SOUGHT, Memory(folder), coins, lambda commit: BisectStep(commit, commit, ""), str, jobs=2)
    ends = EndsCheck(asking, str(last), "0", 0.99, None).check()
    if ends.trouble:
        return None, coins.boots
    place = BisectSearch(asking, Line(last), ends, str(last), "0", 0.99, silent).run()
    if len(place.found) != 1:
        return None, coins.boots
    assert place.unasked or place.doubt <= 0.02
    if place.unasked:
        return None, coins.boots
    return place.found[0] == str(culprit), coins.boots


def wrong_answers(folder: Path, rates: Sequence[float], each: int) -> tuple[int, int, int]:
    """(bisections, wrong answers, without an answer)."""
    answers = [simulate(folder, rate, seed)[0] for rate in rates for seed in range(each)]
    return len(answers), answers.count(False), answers.count(None)
