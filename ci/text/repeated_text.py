# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run that repeats an earlier one says about it, as lines."""

from collections.abc import Iterator

from ci.model.results import RepeatedTest, Run
from ci.text.cell_text import show_cell
from util.text import counted

_SHOWN = 12
"""Tests that come to something else and are named; the rest is counted."""


def repeated_lines(run: Run, verbose: bool = False) -> Iterator[tuple[int, str]]:
    """(indent, line): the earlier run, what is not as it was then, and each test that came to something else. Nothing
    of a run that repeats none."""
    about = run.repeats
    if about is None:
        return
    yield 0, f"earlier run  {about.started:%Y-%m-%d %H:%M:%S %z}, {about.folder}"
    yield 2, about.summary
    for text in about.moved:
        yield 2, f"not as it was: {text}"
    if not about.moved:
        yield 2, "source, series, profile, rig and machine are as they were"
    yield 2, summary_line(run)
    differ = [item for item in about.tests if item.then != item.now]
    shown = differ if verbose else differ[:_SHOWN]
    for item in shown:
        yield 4, _line(item)
    if differ and any(cell.only for cell in run.cells if not cell.attempt):
        yield 4, "they were run without the other tests of their suites; --cell runs the whole of one"
    if len(differ) > len(shown):
        yield 4, f"and {len(differ) - len(shown)} more; -v names them"


def summary_line(run: Run) -> str:
    """How many of the tests that were run again came to something else."""
    tests = run.repeats.tests if run.repeats else ()
    differ = sum(item.then != item.now for item in tests)
    if not differ:
        return f"run again: {counted(len(tests), 'test')}, all as in the earlier run"
    return f"run again: {counted(len(tests), 'test')}, {differ} not as in the earlier run"


def _line(item: RepeatedTest) -> str:
    then, now = item.then or "not reported", item.now or "not reported"
    return f"{show_cell(item.cell)} {item.test}: {then} then, {now} now"
