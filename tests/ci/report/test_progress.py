# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person sees while the rig works: lines in a log, bars on a terminal, nothing when asked to be quiet."""

import io

import pytest

from ci.report import progress
from ci.report.progress import listener
from util.events import Event, Phase

STEPS = (
    Event("build x86_64 base plain", Phase.START, "from scratch"),
    Event("build x86_64 base plain", Phase.PROGRESS, "kernel/fork.o", 40, 900, "objects"),
    Event("check", Phase.NOTE, "1 cells differ"),
    Event("build x86_64 base plain", Phase.DONE, "900 objects in 61 s"),
    Event("boot patched [x32]", Phase.FAILED, "Kernel panic"),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_a_line_for_each_start_end_and_note() -> None:
    stream = io.StringIO()
    with listener(False, stream) as hear:
        for event in STEPS:
            hear(event)
    lines = [line.partition("] ")[2] for line in stream.getvalue().splitlines()]
    assert lines == [
        "build x86_64 base plain starts: from scratch",
        "check: 1 cells differ",
        "build x86_64 base plain done: 900 objects in 61 s",
        "boot patched [x32] FAILED: Kernel panic",
    ]


def test_a_log_gets_progress_only_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    stream = io.StringIO()
    with listener(False, stream) as hear:
        hear(Event("fetch", Phase.PROGRESS, "", 3_000_000, 120_000_000, "bytes"))
        hear(Event("series", Phase.PROGRESS, "", 3, 0, "patches"))
    lines = [line.partition("] ")[2] for line in stream.getvalue().splitlines()]
    assert lines == ["fetch 3/120 MB", "series 3 patches"]


def test_a_terminal_keeps_a_line_of_what_ended_and_shows_brackets_as_they_are() -> None:
    stream = Terminal()
    with listener(False, stream) as hear:
        for event in STEPS:
            hear(event)
    text = stream.getvalue()
    assert "build x86_64 base plain done: 900 objects in 61 s" in text
    assert "boot patched [x32] FAILED: Kernel panic" in text
    assert "1 cells differ" in text


def test_quiet_says_nothing() -> None:
    stream = io.StringIO()
    with listener(True, stream) as hear:
        for event in STEPS:
            hear(event)
    assert stream.getvalue() == ""
