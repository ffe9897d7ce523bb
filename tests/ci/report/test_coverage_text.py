# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of a file was executed, in a few words; the page opens the files that are worth a look."""

import pytest

from ci.model.coverage import AddedLine, FileCoverage, LineState
from ci.text.coverage_text import file_summary

E, M, L, N = LineState.EXECUTED, LineState.MISSED, LineState.LEFT_OUT, LineState.NO_CODE


@pytest.mark.parametrize(
    ("states", "words", "worth"),
    [
        ((N,), "1 added line, none with code", False),
        ((N, N), "2 added lines, none with code", False),
        ((E, N, E), "2 of 2 lines with code executed", False),
        ((E, M, N), "1 of 2 lines with code executed", True),
        ((E, L), "1 of 1 lines with code executed, 1 not compiled", True),
        ((L, N), "1 not compiled", True),
    ],
)
def test_one_file(states: tuple[LineState, ...], words: str, worth: bool) -> None:
    lines = tuple(AddedLine(number=n, patch=1, text="x", state=state) for n, state in enumerate(states, 1))
    file = FileCoverage(path="a.c", lines=lines)
    assert (file_summary(file), bool(file.not_executed)) == (words, worth)
