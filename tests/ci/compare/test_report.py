# SPDX-License-Identifier: GPL-2.0-or-later
"""The text and the page of a comparison, with what a hostile series might put into them."""

from datetime import UTC, datetime

from ci.compare.answer import (
    ChangeKind,
    CompareAnswer,
    ComparedRevision,
    CompareOutcome,
    CoverageChange,
    RevisionChange,
    RevisionStep,
)
from ci.compare.report import text
from ci.compare.report.files import render_page
from ci.model.variants import SeriesRecord, SourceRecord
from ci.model.verdicts import RunVerdict
from configs.result import Cell
from kernels.patches.range_diff import PatchChange, PatchPair

CELL = Cell("v4", "x86_64", "i386", "plain", "selftests/x")
HOSTILE = "\x1b[31m<script>alert(1)</script>\u202e"


def change(kind: ChangeKind, test: str, worse: bool = False, said: str = "") -> RevisionChange:
    command = ("./rig.py", "compare", "v3.mbox", "v4.mbox")
    return RevisionChange(kind=kind, cell=CELL, test=test, against="v3", text=said, worse=worse, reproduce=command)


def answer(*changes: RevisionChange, outcome: CompareOutcome = CompareOutcome.WORSE) -> CompareAnswer:
    source = SourceRecord(spec="", title="linux 5.10", version="5.10", commit="c" * 40, tree="t")
    step = RevisionStep(
        before="v3", after="v4", outcome=outcome, summary="a summary", notes=(f"a note {HOSTILE}",), folder="v3-to-v4",
        patches=(
            PatchPair(1, 1, PatchChange.TEXT, f"one {HOSTILE}"),
            PatchPair(2, 2, PatchChange.CHANGED, "a subject " * 20, tuple(f"+line {at}" for at in range(100))),
            PatchPair(3, 0, PatchChange.DROPPED, "three"), PatchPair(0, 3, PatchChange.NEW, "four"),
        ),
        changes=changes,
        coverage=CoverageChange(before=(9, 10), after=(8, 11), lost=("a.c:3: b++;",), unseen=("a.c:9: c++;",) * 30),
    )  # fmt: skip
    series = SeriesRecord(title=f"title {HOSTILE}", origin="v3.mbox")
    revisions = tuple(
        ComparedRevision(
            name=name, spec=f"{name}.mbox", series=series, source=source, base="base", folder=name,
            verdict=RunVerdict.PASS, summary="12 same", cached=3, made=1,
        )
        for name in ("v3", "v4")
    )  # fmt: skip
    return CompareAnswer(
        rig_version="1", started=datetime(2026, 1, 1, tzinfo=UTC), seconds=90, command=("./rig.py", "compare"),
        profile="p", revisions=revisions, steps=(step,), columns=("base", "v3", "v4"), outcome=outcome,
        summary="v4 against v3: a summary",
    )  # fmt: skip


def test_what_is_worse_comes_first_with_the_command_that_repeats_it() -> None:
    found = answer(
        change(ChangeKind.BROKE, "one", worse=True, said="v3: PASS; v4: FAIL"),
        change(ChangeKind.DEARER, "call/cost", worse=True, said="1 -> 100 insns"),
        change(ChangeKind.FIXED, "two"),
        change(ChangeKind.DEARER, "call/other", said="100 -> 101 insns"),
    )
    lines = text.render(found).splitlines()
    assert lines[0] == "worse (exit 1, 1 min 30 s): v4 against v3: a summary"
    heads = [line.strip() for line in lines if line.startswith("  ") and line.endswith(":")]
    assert heads[:4] == ["broke:", "dearer beyond what is allowed:", "fixed:", "dearer:"]
    at = lines.index("      one: v3: PASS; v4: FAIL")
    assert lines[at - 1] == "    x86_64 i386 selftests/x"
    assert lines[at + 1] == "      ./rig.py compare v3.mbox v4.mbox"
    assert sum("./rig.py" in line for line in lines) == 1
    assert "  added lines that the suites execute: v3 9 of 10, v4 8 of 11" in lines
    assert "    a.c:3: b++;" in lines
    assert any("more lines, see compare.json" in line for line in lines)


def test_every_line_fits_a_mail_and_none_is_obeyed_by_a_terminal() -> None:
    found = answer(
        *(change(ChangeKind.BROKE, f"{HOSTILE}{'x' * 90} {at}", worse=True, said="y " * 90) for at in range(30))
    )
    for verbose in (False, True):
        said = text.render(found, verbose)
        assert "\x1b" not in said
        assert "\u202e" not in said
        assert max(map(len, said.splitlines())) < 75
    short, long = (text.render(found, verbose) for verbose in (False, True))
    assert "and 20 more, see compare.json" in short
    assert "+line 59" in long
    assert "+line 59" not in short
    assert "and 40 more lines, see compare.json" in long


def test_the_page_escapes_what_it_shows_and_runs_nothing() -> None:
    said = render_page(answer(change(ChangeKind.BROKE, HOSTILE, worse=True, said=HOSTILE)))
    assert "<script" not in said
    assert "&lt;script&gt;" in said
    assert 'href="v3-to-v4/report.html"' in said
    assert "a.c:3: b++;" in said
    assert 'class="verdict-fail"' in said
    assert 'class="verdict-pass"' in render_page(answer(outcome=CompareOutcome.NO_WORSE))
