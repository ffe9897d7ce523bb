# SPDX-License-Identifier: GPL-2.0-or-later
"""Tasks wait for each other, and the first error stops them all."""

import threading

import pytest

from util.children.tasks import Tasks, succeeded
from util.errors import MachineError
from util.stop import Stop, Stopped


def test_a_task_waits_for_another_and_may_start_a_third() -> None:
    with Tasks(Stop()) as tasks:
        first = tasks.start(lambda: 20)
        second = tasks.start(lambda: tasks.start(lambda: first.result() + 1).result() * 2)
        tasks.join()
        assert second.result() == 42


def test_join_waits_for_what_a_task_starts_last() -> None:
    done = threading.Event()
    gate = threading.Event()

    def late() -> None:
        gate.wait(5)
        done.set()

    with Tasks(Stop()) as tasks:

        def starter() -> None:
            tasks.start(late)
            gate.set()

        tasks.start(starter)
        tasks.join()
        assert done.is_set()


def test_the_first_error_stops_the_others_and_is_the_one_raised() -> None:
    stop = Stop()

    def patient() -> None:
        while not stop.wait(0.05):
            pass
        raise Stopped

    def broken() -> None:
        raise MachineError("no disk")

    with Tasks(stop) as tasks:
        waiting = tasks.start(patient)
        tasks.start(broken)
        with pytest.raises(MachineError, match="no disk"):
            tasks.join()
        assert stop.is_set()
        assert not succeeded(waiting)


def test_a_stop_from_outside_is_stopped_and_keeps_what_was_finished() -> None:
    stop = Stop()
    with Tasks(stop) as tasks:
        kept = tasks.start(lambda: "kept")
        assert kept.result() == "kept"
        stop.set()
        tasks.start(lambda: "never")
        with pytest.raises(Stopped):
            tasks.join()
        assert succeeded(kept)


def test_leaving_by_an_exception_stops_the_tasks() -> None:
    stop = Stop()
    with pytest.raises(KeyboardInterrupt), Tasks(stop):
        raise KeyboardInterrupt
    assert stop.is_set()
