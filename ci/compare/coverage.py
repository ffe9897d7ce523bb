# SPDX-License-Identifier: GPL-2.0-or-later
"""What a revision changed in the lines that the suites execute, where the run asked for it. A line is the same line if
file and text are, wherever it stands."""

from collections import Counter
from collections.abc import Iterator

from ci.compare.answer import CoverageChange
from ci.model.coverage import AddedLine, Coverage, LineState

Line = tuple[str, str]
"""Path and text."""


def coverage_change(before: Coverage | None, after: Coverage | None) -> CoverageChange | None:
    """None where one of the two has no coverage."""
    if before is None or after is None:
        return None
    ran = Counter((path, line.text) for path, line in before.lines(LineState.EXECUTED))
    known = {(file.path, line.text) for file in before.files for line in file.counted}
    missed = list(after.lines(LineState.MISSED))
    return CoverageChange(
        before=(before.executed, before.counted),
        after=(after.executed, after.counted),
        lost=tuple(_shown(path, line) for path, line in missed if _no_longer(ran, after, (path, line.text))),
        unseen=tuple(_shown(path, line) for path, line in missed if (path, line.text) not in known),
    )


def _no_longer(ran: Counter[Line], after: Coverage, line: Line) -> bool:
    """Whether fewer lines of this text are executed than were."""
    return sum(1 for path, found in after.lines(LineState.EXECUTED) if (path, found.text) == line) < ran[line]


def _shown(path: str, line: AddedLine) -> str:
    return f"{path}:{line.number}: {line.text.strip()}"


def lines(change: CoverageChange, before: str, after: str) -> Iterator[str]:
    """The change in words, a heading and the lines below it; a line of source begins with a blank."""
    sides = ((before, change.before), (after, change.after))
    counted = [f"{name} {executed} of {count}" for name, (executed, count) in sides]
    yield f"added lines that the suites execute: {', '.join(counted)}"
    for words, found in (("no longer executed", change.lost), ("new and never executed", change.unseen)):
        if found:
            yield f"{words}:"
            yield from (f" {line}" for line in found)
