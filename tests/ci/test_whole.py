# SPDX-License-Identifier: GPL-2.0-or-later
"""The line for the whole run: what is done of it, and how long it still takes."""

import io
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from ci.cells.static.object_checks import COMPILERS
from ci.command.series.check import plan_of
from ci.model.results import Run
from ci.model.stages import CellResult
from ci.plan.build_tasks import KernelKey
from ci.plan.divide import Times
from ci.report import progress
from ci.report.progress import listener
from ci.run.tasks.whole import WholeRun, remember, remembered
from configs.result import Cell, Status
from kernels.build.build import Build
from tests.ci.samples import judged, ran
from util.events import WHOLE, Event, Phase
from util.text import duration

KEYS = [KernelKey(variant, "x86_64", "plain") for variant in ("base", "patched")]
CELLS = [Cell(variant, "x86_64", "x86_64", "plain", "boot") for variant in ("base", "patched")]
TIMES = Times({"x86_64/-/plain/build": 400.0, "x86_64/x86_64/plain/boot": 80.0})


def build(tmp_path: Path, seconds: float, cached: bool = False) -> Build:
    return Build("k", tmp_path, ok=True, failure="", warnings=(), commands=(), seconds=seconds, cached=cached)


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def whole(events: list[Event]) -> WholeRun:
    plan = plan_of(("--profile", "boot", "--arch", "x86_64", "--series", "kernels/series/seccomp-cache"))
    return WholeRun(replace(plan, jobs=2), events.append, TIMES)


def lines(events: list[Event]) -> list[str]:
    return [f"{event.done}/{event.total} {event.text}" for event in events if event.step == WHOLE]


def test_what_is_done_and_what_is_left(whole: WholeRun, events: list[Event], tmp_path: Path) -> None:
    kernels: dict[KernelKey, Future[Build]] = {key: Future() for key in KEYS}
    guests: list[Future[CellResult]] = [Future() for _ in CELLS]
    whole.kernels(kernels)
    for cell, future in zip(CELLS, guests, strict=True):
        whole.guest(cell, 0, "patched", future)
    assert whole.left() == 2 * 200 + 2 * 40 / 2
    whole.hear(Event("build x86_64 base plain", Phase.PROGRESS, "fork.o", 50, 100, "objects"))
    assert whole.left() == 100 + 200 + 40
    kernels[KEYS[0]].set_result(build(tmp_path, 100.0))  # twice as fast as was thought
    assert whole.left() == 0.5 * (200 + 40)
    kernels[KEYS[1]].set_result(build(tmp_path, 500.0, cached=True))  # says nothing about this machine
    assert whole.left() == 20
    guests[0].set_result(CellResult(cell=CELLS[0], seconds=20.0))
    guests[1].set_exception(RuntimeError())
    assert whole.left() == 0
    assert lines(events) == [
        "0/4 about 6 min left", "1/4 about 2 min left", "2/4 about 20 s left", "3/4 about 10 s left",
        "4/4 about 5 s left",
    ]  # fmt: skip
    whole.guest(CELLS[1], 1, "patched", Future())
    assert whole.left() == 0.5 * 40 / 2
    whole.over()
    assert events[-1] == Event(WHOLE, Phase.DONE)


def test_a_kernel_that_is_built_goes_by_its_own_pace(
    whole: WholeRun, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy machine: what was built in 200 s the last time takes 1000 s now, and so will the kernel behind it."""
    now = [1000.0]
    monkeypatch.setattr("ci.run.tasks.whole.time.monotonic", lambda: now[0])
    whole.kernels({key: Future() for key in KEYS})
    whole.hear(Event("build x86_64 base plain", Phase.PROGRESS, "fork.o", 10, 100, "objects"))
    assert whole.left() == 180 + 200 + 40
    now[0] += 100
    whole.hear(Event("build x86_64 base plain", Phase.PROGRESS, "exit.o", 20, 100, "objects"))
    assert whole.left() == pytest.approx(800 + 1000 + 40)
    assert lines(events)[-1] == "0/4 about 31 min left"
    # Both at once: each has half of the machine, and they end together.
    for done, then in ((10, 100.0), (20, 0.0)):
        whole.hear(Event("build x86_64 patched plain", Phase.PROGRESS, "fork.o", done, 100, "objects"))
        now[0] += then
    whole.hear(Event("build x86_64 base plain", Phase.PROGRESS, "sys.o", 30, 100, "objects"))
    assert whole.left() == pytest.approx(800 + 40)


def test_the_compilers_of_each_patch_are_waited_for(events: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels and guests are there long before what the compilers say of seven trees under four settings."""
    now = [1000.0]
    monkeypatch.setattr("ci.run.tasks.whole.time.monotonic", lambda: now[0])
    plan = plan_of(("--profile", "boot", "--arch", "x86_64", "--each", "--series", "kernels/series/seccomp-cache"))
    whole = WholeRun(replace(plan, jobs=2), events.append, TIMES)
    trees = len(plan.variants)
    assert whole.left() == 4 * (40 + 5 * trees) + trees * 80.0 / trees / 2
    for key in whole.plan.cells():
        future: Future[CellResult] = Future()
        whole.guest(key, 0, plan.variants[-1].name, future)
        future.set_result(CellResult(cell=key, cached=True))
    assert whole.left() == 4 * (40 + 5 * trees)
    for done, then in ((7, 20.0), (14, 1.0)):
        whole.hear(Event(COMPILERS, Phase.PROGRESS, "", done, 28, "trees"))
        now[0] += then
    whole.hear(Event(COMPILERS, Phase.PROGRESS, "", 21, 28, "trees"))
    assert whole.left() == pytest.approx(21 / 14 * 7)  # 14 trees in 21 s, 7 to come
    whole.hear(Event(COMPILERS, Phase.PROGRESS, "", 28, 28, "trees"))
    whole.hear(Event(COMPILERS, Phase.DONE))
    assert whole.left() == 0
    last = [event for event in events if event.step == WHOLE][-1]
    assert (last.done, last.total) == (trees + 1, trees + 1)
    assert last.unit == "kernels, guests and compilers"


def test_a_log_shows_it_now_and_then_and_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    with listener(False, stream) as hear:
        hear(Event(WHOLE, Phase.PROGRESS, "too early", 1, 4, "kernels and guests"))
        monkeypatch.setattr(progress, "EVERY", 0.0)
        hear(Event(WHOLE, Phase.PROGRESS, "about 3 min left", 2, 4, "kernels and guests"))
        hear(Event(WHOLE, Phase.DONE))
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("] run 2/4 kernels and guests: about 3 min left")


def test_a_terminal_shows_it_above_the_steps_and_leaves_nothing() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with listener(False, stream) as hear:
        hear(Event(WHOLE, Phase.PROGRESS, "about 3 min left", 2, 4, "kernels and guests"))
        hear(Event(WHOLE, Phase.DONE))
        hear(Event("build", Phase.DONE, "ends"))
    assert "run done" not in stream.getvalue() and "build done: ends" in stream.getvalue()


def test_the_next_run_knows_what_this_one_took(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run: Run = judged([ran("base", {"a": Status.PASS}), ran("patched", {"a": Status.PASS})])
    assert remembered(run.profile) == Times()
    cells = tuple(cell.model_copy(update={"seconds": 7.0}) for cell in run.cells)
    remember(run.model_copy(update={"cells": cells}))
    (seconds,) = remembered(run.profile).by_place.values()
    assert seconds == 14.0
    (file,) = tmp_path.rglob("took/*.json")
    for damaged in ("{", "[]", '{"a": "b"}', '{"a": null}'):
        file.write_text(damaged)
        assert remembered(run.profile) == Times()


def test_durations() -> None:
    assert duration(float("inf")) == duration(float("nan")) == "an unknown time"
    assert [duration(seconds) for seconds in (0, 42, 95, 1800, 5400, 7300)] == [
        "5 s", "40 s", "2 min", "30 min", "1 h 30 min", "2 h 2 min",
    ]  # fmt: skip
