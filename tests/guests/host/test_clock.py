# SPDX-License-Identifier: GPL-2.0-or-later
"""The clock that leaves out what the host kept a guest waiting."""

import os
import shutil
from pathlib import Path

from guests.host.clock import UNSEEN, FairClock, IdleMeter, cpu_seconds


class Host:
    """A /proc with two threads of process 7, and a wall clock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.wall = 100.0
        self.wait(1, 0.0)
        self.wait(2, 0.0)
        self.looks: list[FairClock] = []

    def later(self, seconds: float) -> None:
        """Time goes by, and the clocks are looked at as often as they want to be."""
        until = self.wall + seconds
        while self.wall < until:
            self.wall = min(until, self.wall + 1.0)
            for clock in self.looks:
                clock.now()

    def wait(self, thread: int, seconds: float) -> None:
        folder = self.root / "7" / "task" / str(thread)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "schedstat").write_text(f"123 {round(seconds * 1e9)} 4\n")

    def clock(self) -> FairClock:
        clock = FairClock(7, wall=lambda: self.wall, proc=self.root)
        clock.now()
        self.looks.append(clock)
        return clock


def test_an_idle_host_gives_wall_time(tmp_path: Path) -> None:
    host = Host(tmp_path)
    clock = host.clock()
    host.later(2.5)
    assert clock.now() == 2.5


def test_what_its_reader_did_not_see_does_not_count(tmp_path: Path) -> None:
    host = Host(tmp_path)
    clock = host.clock()
    host.later(5.0)
    host.wall += 240.0  # the rig was stopped
    assert clock.now() == 5.0 + UNSEEN
    host.later(1.0)
    assert clock.now() == 6.0 + UNSEEN
    host.wall += 30.0
    host.wait(1, 29.0)  # and here the guest waited while the rig was starved: that counts once
    assert clock.now() == 7.0 + UNSEEN


def test_waiting_for_a_processor_does_not_count(tmp_path: Path) -> None:
    host = Host(tmp_path)
    clock = host.clock()
    host.later(4.0)
    host.wall += 6.0
    host.wait(1, 6.0)
    host.wait(2, 1.0)
    assert clock.now() == 4.0  # the longest wait, not the sum: the threads wait at the same time
    host.wall += 1.0
    assert clock.now() == 5.0  # a wait counts once


def test_a_wait_that_is_booked_late_is_made_up_for(tmp_path: Path) -> None:
    host = Host(tmp_path)
    clock = host.clock()
    for _ in range(10):
        host.wall += 0.1
        clock.now()
    assert round(clock.now(), 6) == 1.0
    host.wait(1, 1.5)  # it was waiting all the while
    host.wall += 1.0
    assert round(clock.now(), 6) == 1.0  # never back, and not on before it is right
    host.wall += 1.0
    assert round(clock.now(), 6) == 1.5


def test_a_thread_that_ended_has_waited_all_the_same(tmp_path: Path) -> None:
    host = Host(tmp_path)
    clock = host.clock()
    host.wait(2, 2.0)
    host.wall += 3.0
    assert clock.now() == 1.0
    shutil.rmtree(tmp_path / "7" / "task" / "2")
    host.wall += 1.0
    assert clock.now() == 2.0


def test_without_the_kernels_figures_it_is_wall_time(tmp_path: Path) -> None:
    host = Host(tmp_path)
    for thread in (1, 2):
        (tmp_path / "7" / "task" / str(thread) / "schedstat").write_text("nonsense\n")
    clock = host.clock()
    host.later(3.0)
    assert clock.now() == 3.0


def test_a_real_process() -> None:
    before = cpu_seconds(os.getpid())
    while cpu_seconds(os.getpid()) < before + 0.05:
        sum(range(10000))
    assert cpu_seconds(2**22 + 1) == 0.0


def test_idle_is_who_uses_next_to_no_processor() -> None:
    used = 0.0
    meter = IdleMeter(1, lambda _pid: used)
    for second in range(1, 11):
        used += 1.0
        assert meter.seconds(float(second)) == 0.0
    for second in range(11, 31):
        used += 0.05  # idle ticks and heartbeats
        assert meter.seconds(float(second)) == second - 10
    used += 0.5
    assert meter.seconds(31.0) == 0.0


def test_nobody_is_idle_whose_processor_time_cannot_be_seen() -> None:
    meter = IdleMeter(1, lambda _pid: None)
    assert [meter.seconds(float(second)) for second in range(1, 31)] == [0.0] * 30
