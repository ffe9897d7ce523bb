# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of the added lines were executed in any shard."""

from collections.abc import Sequence

from ci.model.coverage import AddedLine, Coverage, FileCoverage, LineState

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
