# SPDX-License-Identifier: GPL-2.0-or-later
"""How `bench.campaign exact` counts, and the load that it makes."""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.guests import exact
from bench.guests.exact import ExactCount, Figures, Recorder, changing_load
from ci.cells.guest.guest_cell import GuestCell
from configs.loader import load_arch
from guests.qemu.machine import Spec
from util.stop import Stop


def test_one_difference_is_counted_and_named() -> None:
    count = ExactCount("i386")
    assert not count.good  # nothing ran
    for found in ({"a/b": 100, "c/d": 7}, {"a/b": 100, "c/d": 7}, {"a/b": 212, "c/d": 7}):
        assert (count.good, count.guests) == (count.guests > 0, count.guests)
        count.add(found)
    assert not count.good
    title, line = count.lines()
    assert "   3 guests     2 figures     1 that differ       1 differences  widest 112 instructions" in title
    assert line.strip() == "1 of 3  a/b: 100, and also 212"


def test_a_figure_that_is_missing_once_is_a_difference() -> None:
    count = ExactCount("arm")
    count.add({"a/b": 1})
    count.add({})
    assert not count.good
    assert "and also None" in list(count.lines())[1]


def test_a_guest_that_failed_is_no_good_count() -> None:
    count = ExactCount("arm", failed=["guest 2: panic"])
    count.add({"a/b": 1})
    assert not count.good
    assert list(count.lines())[-1].strip() == "guest 2: panic"


def test_an_interrupted_campaign_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guests = [SimpleNamespace(blank=SimpleNamespace(cell=SimpleNamespace(abi=abi)), key="k" * 64) for abi in ("a", "b")]
    values: Iterator[int | None] = iter([1, 1, 2, 1, None, *[1] * 10])
    asked: list[str] = []

    def figures(guest: GuestCell, _request: object, _stop: Stop) -> Figures:
        value = next(values)
        if value is None:
            raise KeyboardInterrupt
        asked.append(guest.blank.cell.abi)
        return {"test/figure": value}

    monkeypatch.setattr(exact, "counted_guests", lambda *_: nullcontext(guests))
    monkeypatch.setattr(exact, "changing_load", nullcontext)
    monkeypatch.setattr(exact, "figures_of", figures)
    monkeypatch.setattr(exact, "request_of", lambda _: None)
    monkeypatch.setattr(exact, "replayed", lambda *_: ({"test/figure": 1}, {"test/figure": 1}))
    with pytest.raises(KeyboardInterrupt):
        exact.exact_counts(4, 1, tmp_path)
    counts = exact.exact_counts(4, 1, tmp_path)
    assert asked == ["a", "b"] * 4, "each guest is counted once"
    assert [(count.guests, count.differences.total()) for count in counts] == [(5, 1), (5, 0)]
    assert counts[0].other == {"test/figure": {2}}
    assert [*tmp_path.iterdir()] == [], "one that came to its end begins anew"


def test_the_load_comes_and_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "CHANGE", (0.01, 0.02))
    seen: set[int] = set()
    with changing_load(1):
        end = time.monotonic() + 20
        while not seen and time.monotonic() < end:
            time.sleep(0.05)
            seen = children()
    assert seen, "no busy loop was started"
    assert not children()


def children() -> set[int]:
    """Busy loops of this process, by their id."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(pid) for pid in (task / "children").read_text().split()}
    return {pid for pid in found if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sh\0-c\0while")}


def test_a_guest_is_recorded_into_a_file_and_played_from_it(tmp_path: Path) -> None:
    spec = Spec(load_arch("x86_64"), "", tmp_path / "vmlinux", "", "tcg", 512, 1, counted=True)
    for mode in ("record", "replay"):
        recorder = Recorder(mode, tmp_path / "recording")
        command = recorder.starter(spec, (), Stop())(7, 9, "initrd")
        assert command[command.index("-icount") + 1] == f"shift=0,sleep=off,rr={mode},rrfile={tmp_path}/recording"
