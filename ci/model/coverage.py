# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of the lines that a series adds were executed (`check --coverage`)."""

from collections.abc import Iterator, Sequence
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


_STRONGEST = (LineState.EXECUTED, LineState.MISSED, LineState.NO_CODE, LineState.LEFT_OUT)
"""What one shard says of a line is true of all, the first of these first: another configuration may compile it."""


def joined_coverage(found: Sequence[Coverage]) -> Coverage | None:
    """None where no shard looked. Files and lines are in the order of the first shard that has them."""
    if not found:
        return None
    lines: dict[str, dict[int, AddedLine]] = {}
    for file in (file for one in found for file in one.files):
        known = lines.setdefault(file.path, {})
        for line in file.lines:
            known[line.number] = _both(known[line.number], line) if line.number in known else line
    return Coverage(
        files=tuple(FileCoverage(path=path, lines=tuple(known.values())) for path, known in lines.items()),
        cells=tuple(dict.fromkeys(cell for one in found for cell in one.cells)),
        notes=tuple(dict.fromkeys(note for one in found for note in one.notes)),
    )


def _both(one: AddedLine, other: AddedLine) -> AddedLine:
    state = min((one.state, other.state), key=_STRONGEST.index)
    return one.model_copy(update={"state": state, "count": one.count + other.count})
