# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of the lines that a series adds were executed (`check --coverage`)."""

from collections.abc import Iterator
from enum import StrEnum

from configs.model import Strict


class LineState(StrEnum):
    """EXECUTED: by at least one guest. MISSED: the compiler made code of it, and no guest came there. LEFT_OUT: it
    holds code that no configuration of the run compiles. NO_CODE: a declaration, a comment, the rest of a statement."""

    EXECUTED = "executed"
    MISSED = "missed"
    LEFT_OUT = "not compiled"
    NO_CODE = "no code"


class AddedLine(Strict):
    """`number` is the line's in the patched tree, `patch` that of the patch, from 1; `count` over all guests."""

    number: int
    patch: int
    text: str
    state: LineState
    count: int = 0


class FileCoverage(Strict):
    """The lines of one file that the series adds."""

    path: str
    lines: tuple[AddedLine, ...]

    @property
    def counted(self) -> list[AddedLine]:
        """Those of which the compiler made code."""
        return [line for line in self.lines if line.state in (LineState.EXECUTED, LineState.MISSED)]

    @property
    def not_executed(self) -> list[AddedLine]:
        """Those that hold code and were executed by no guest, compiled or not."""
        return [line for line in self.lines if line.state in (LineState.MISSED, LineState.LEFT_OUT)]


class Coverage(Strict):
    """`cells` are those whose counters came back; `notes` say what did not."""

    files: tuple[FileCoverage, ...] = ()
    cells: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def lines(self, state: LineState) -> Iterator[tuple[str, AddedLine]]:
        """(path, line) of each line in that state."""
        return ((file.path, line) for file in self.files for line in file.lines if line.state is state)

    @property
    def executed(self) -> int:
        return sum(1 for _ in self.lines(LineState.EXECUTED))

    @property
    def counted(self) -> int:
        return self.executed + sum(1 for _ in self.lines(LineState.MISSED))
