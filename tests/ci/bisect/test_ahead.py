# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels that are built while a guest runs: the one that is wanted is kept, the others end at once."""

import threading
from collections.abc import Iterator

import pytest

from ci.bisect.facts.ahead import Ahead
from ci.bisect.facts.steps import BisectStep
from util.errors import MachineError
from util.stop import Stop, Stopped

ONE, TWO = (BisectStep(name, name, "source") for name in ("one", "two"))
LONG = 20.0
"""Seconds after which a test has failed."""


class Builds:
    """Builds that go on until they are let go or stopped."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.log: list[str] = []
        self.whole = Stop()
        self.ahead = Ahead(self.work, self.whole)

    def work(self, step: BisectStep, stop: Stop) -> list[str]:
        self.log.append(f"{step.commit} begins")
        self.begun.set()
        while not self.go.wait(0.01):
            if stop.is_set():
                self.log.append(f"{step.commit} stopped")
                raise Stopped
        self.log.append(f"{step.commit} done")
        return [f"key of {step.commit}"]


@pytest.fixture
def builds() -> Iterator[Builds]:
    made = Builds()
    yield made
    made.ahead.settle()


def test_what_is_not_wanted_ends_at_once_and_nothing_else_begins(builds: Builds) -> None:
    builds.ahead.start((ONE, TWO))
    assert builds.begun.wait(LONG)
    builds.ahead.settle(TWO)
    assert builds.log == ["one begins", "one stopped"]
    assert builds.ahead.made == set()


def test_what_is_wanted_is_waited_for(builds: Builds) -> None:
    builds.ahead.start((ONE, TWO))
    assert builds.begun.wait(LONG)
    threading.Timer(0.05, builds.go.set).start()
    builds.ahead.settle(ONE)
    assert builds.log == ["one begins", "one done"]
    assert builds.ahead.made == {"key of one"}


def test_both_are_built_where_there_is_time(builds: Builds) -> None:
    builds.go.set()
    builds.ahead.start((ONE, TWO))
    while len(builds.log) < 4:
        builds.begun.wait(0.01)
    builds.ahead.settle(TWO)
    assert builds.ahead.made == {"key of one", "key of two"}


def test_a_second_start_changes_nothing_and_after_a_settle_it_begins_anew(builds: Builds) -> None:
    builds.ahead.start((ONE,))
    assert builds.begun.wait(LONG)
    builds.ahead.start((TWO,))
    builds.ahead.settle()
    builds.go.set()
    builds.ahead.start((TWO,))
    builds.ahead.settle(TWO)
    assert builds.log[:2] == ["one begins", "one stopped"]
    assert builds.log[2:] in ([], ["two begins", "two done"])


def test_the_stop_of_the_whole_ends_it_too(builds: Builds) -> None:
    builds.ahead.start((ONE,))
    assert builds.begun.wait(LONG)
    builds.whole.set()
    builds.ahead.settle(ONE)
    assert builds.log == ["one begins", "one stopped"]


def test_what_goes_wrong_is_left_to_the_steps_own_turn() -> None:
    asked: list[str] = []

    def fails(step: BisectStep, _stop: Stop) -> list[str]:
        asked.append(step.commit)
        raise MachineError("the disk is full")

    ahead = Ahead(fails, Stop())
    ahead.start((ONE, TWO))
    while len(asked) < 2:
        threading.Event().wait(0.01)
    ahead.settle(ONE)
    assert (asked, ahead.made) == (["one", "two"], set())
