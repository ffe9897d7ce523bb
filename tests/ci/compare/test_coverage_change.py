# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines that a revision's suites execute no longer, or never did."""

from ci.compare.changes import coverage_change, coverage_change_lines
from ci.model.coverage import AddedLine, Coverage, FileCoverage, LineState

RAN, MISSED, NONE = LineState.EXECUTED, LineState.MISSED, LineState.NO_CODE


def coverage(*found: tuple[str, LineState]) -> Coverage:
    added = tuple(AddedLine(number=at, patch=1, text=text, state=state) for at, (text, state) in enumerate(found, 10))
    return Coverage(files=(FileCoverage(path="a.c", lines=added),), cells=("cell",))


def test_lines_are_known_by_their_text_wherever_they_stand() -> None:
    before = coverage(("\ta++;", RAN), ("\tb++;", RAN), ("\tc++;", MISSED), ("/* text */", NONE))
    after = coverage(("\tnew++;", MISSED), ("\tc++;", MISSED), ("\tb++;", MISSED), ("\ta++;", RAN))
    change = coverage_change(before, after)
    assert change
    assert (change.before, change.after) == ((2, 3), (1, 4))
    assert change.lost == ("a.c:12: b++;",)
    assert change.unseen == ("a.c:10: new++;",)
    assert list(coverage_change_lines(change, "v3", "v4")) == [
        "added lines that the suites execute: v3 2 of 3, v4 1 of 4",
        "no longer executed:", " a.c:12: b++;",
        "new and never executed:", " a.c:10: new++;",
    ]  # fmt: skip


def test_of_equal_lines_as_many_must_be_executed_as_were() -> None:
    before = coverage(("\treturn;", RAN), ("\treturn;", MISSED))
    same, fewer = coverage(("\treturn;", MISSED), ("\treturn;", RAN)), coverage(("\treturn;", MISSED))
    for after, wanted in ((same, ()), (fewer, ("a.c:10: return;",))):
        change = coverage_change(before, after)
        assert change
        assert change.lost == wanted
        assert change.unseen == ()


def test_where_one_has_none_nothing_is_said() -> None:
    assert coverage_change(None, coverage()) is None
    assert coverage_change(coverage(), None) is None
