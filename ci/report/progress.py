# SPDX-License-Identifier: GPL-2.0-or-later
"""Listeners that show a person what goes on: a live display on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from util.events import WHOLE, Event, Listener, Phase, silent
from util.text import plain, plain_line

EVERY = 10.0
"""Seconds between two plain lines about the same step."""


@contextmanager
def listener(quiet: bool, stream: TextIO | None = None) -> Iterator[Listener]:
    """The listener that suits the stream, by default standard error, for as long as the context lasts."""
    stream = sys.stderr if stream is None else stream
    if quiet:
        yield silent
    elif stream.isatty() and not Console(file=stream).is_dumb_terminal:  # a dumb terminal moves no cursor
        with _Live(stream) as live:
            yield lambda event: live.hear(_printable(event))
    else:
        lines = _Lines(stream)
        yield lambda event: lines.hear(_printable(event))


def _printable(event: Event) -> Event:
    """The event without what a terminal would obey: titles, hunks and compilers' messages come from strangers."""
    return replace(event, step=plain(event.step).replace("\n", " "), text=plain(event.text).replace("\n", " "))


class _Lines:
    """One line when a step starts, ends or has news; for logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._start = time.monotonic()
        self._last: dict[str, float] = {}
        self._lock = threading.Lock()

    def hear(self, event: Event) -> None:
        now = time.monotonic()
        with self._lock:
            if event.step == WHOLE and event.phase is not Phase.PROGRESS:
                return
            if event.phase is Phase.PROGRESS and now - self._last.get(event.step, self._start) < EVERY:
                return
            self._last[event.step] = now
            text = _sentence(event)
            self._stream.write(f"[{now - self._start:7.1f}] {text}\n")
            self._stream.flush()


class _Remaining(TimeRemainingColumn):
    """The whole run says itself what is left."""

    def render(self, task: Task) -> Text:
        return Text("") if task.description == WHOLE else super().render(task)


class _Live:
    """A bar for the run, a bar for each step of it; finished steps leave one line above."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[text]}", markup=False),
            TimeElapsedColumn(),
            _Remaining(),
            console=self._console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> "_Live":
        self._progress.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._progress.stop()

    def hear(self, event: Event) -> None:
        with self._lock:
            if event.phase is Phase.NOTE:
                self._say(event)
            elif event.phase in (Phase.DONE, Phase.FAILED):
                task = self._tasks.pop(event.step, None)
                if task is not None:
                    self._progress.remove_task(task)
                if event.step != WHOLE:
                    self._say(event)
            else:
                self._move(event)

    def _say(self, event: Event) -> None:
        style = "red" if event.phase is Phase.FAILED else None
        self._progress.console.print(_sentence(event), style=style, markup=False)

    def _move(self, event: Event) -> None:
        if event.step not in self._tasks:
            self._tasks[event.step] = self._progress.add_task(event.step, total=None, text="")
        text = event.text if not event.total else f"{_amount(event)} {event.text}".rstrip()
        self._progress.update(self._tasks[event.step], completed=event.done, total=event.total or None, text=text)


def _sentence(event: Event) -> str:
    parts = [event.step]
    if event.phase is Phase.START:
        parts.append("starts")
    elif event.phase is Phase.FAILED:
        parts.append("FAILED")
    elif event.phase is Phase.DONE:
        parts.append("done")
    if event.phase is Phase.PROGRESS and (event.done or event.total):
        parts.append(_amount(event))
    line = " ".join(parts)
    return plain_line(f"{line}: {event.text}" if event.text else line)


def _amount(event: Event) -> str:
    if event.unit == "bytes":
        done, total = f"{event.done / 1e6:.0f}", f"{event.total / 1e6:.0f} MB"
    else:
        done, total = str(event.done), f"{event.total} {event.unit}"
    return f"{done}/{total}" if event.total else f"{done} {event.unit}"
