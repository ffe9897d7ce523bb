# SPDX-License-Identifier: GPL-2.0-or-later
"""Coverage in words: how much, and the lines that nothing executed."""

from collections.abc import Iterator

from ci.model.coverage import AddedLine, Coverage, FileCoverage, LineState
from util.text import counted

_SHOWN = 40
"""Lines of each sort that are shown; the page and the files have all of them."""


def coverage_lines(coverage: Coverage) -> Iterator[str]:
    """For the terminal and the summary."""
    yield summary(coverage)
    yield from _listed(coverage, LineState.MISSED, "never executed")
    yield from _listed(coverage, LineState.LEFT_OUT, "compiled by no configuration of this run")
    yield from (f"note: {note}" for note in coverage.notes)


def summary(coverage: Coverage) -> str:
    """One line."""
    if not coverage.counted:
        return "coverage: the compiler made no code of the lines that the series adds, or none of it was counted"
    share = 100 * coverage.executed / coverage.counted
    return (
        f"coverage: {coverage.executed} of {coverage.counted} added lines with code were executed ({share:.1f} %),"
        f" in {counted(len(coverage.cells), 'cell')}"
    )


def file_summary(file: FileCoverage) -> str:
    """The same of one file, in a few words."""
    left_out = len(file.not_executed) - sum(line.state is LineState.MISSED for line in file.lines)
    executed = sum(line.state is LineState.EXECUTED for line in file.lines)
    parts = [f"{executed} of {len(file.counted)} lines with code executed"] if file.counted else []
    parts += [f"{left_out} not compiled"] if left_out else []
    return ", ".join(parts) or f"{counted(len(file.lines), 'added line')}, none with code"


def _listed(coverage: Coverage, state: LineState, words: str) -> Iterator[str]:
    found = list(coverage.lines(state))
    if not found:
        return
    yield f"{words}: {counted(len(found), 'line')}"
    for path, line in found[:_SHOWN]:
        yield f"  {path}:{line.number} (patch {line.patch}): {line.text.strip()}"
    if len(found) > _SHOWN:
        yield f"  and {len(found) - _SHOWN} more, in report.html"


def word(line: AddedLine) -> str:
    """What stands before the line in the page."""
    if line.state is LineState.EXECUTED:
        return f"{line.count}"
    return {LineState.MISSED: "never", LineState.LEFT_OUT: "not compiled", LineState.NO_CODE: ""}[line.state]
