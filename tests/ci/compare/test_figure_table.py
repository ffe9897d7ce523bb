# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of figures: what is shown, what is left out, and that it fits into a mail."""

from datetime import UTC, datetime

from ci.compare.answer import CompareAnswer, ComparedRevision, CompareOutcome, FigureRow
from ci.compare.report.figure_table import tables
from ci.model.variants import SeriesRecord, SourceRecord
from ci.model.verdicts import RunVerdict


def row(
    figure: str, *values: int | None, label: str = "", unit: str = "insns", suite: str = "benchmark/x"
) -> FigureRow:
    return FigureRow(
        arch="x86_64", abi="i386", flavour="plain", suite=suite, figure=figure, unit=unit, label=label, values=values
    )


def answer(columns: tuple[str, ...], *rows: FigureRow) -> CompareAnswer:
    source = SourceRecord(spec="", title="", version="", commit="", tree="")
    revisions = tuple(
        ComparedRevision(
            name=name, spec="", series=SeriesRecord(title="", origin=""), source=source, base="base", folder=name,
            verdict=RunVerdict.PASS, summary="",
        )
        for name in columns
        if not name.startswith("base")
    )  # fmt: skip
    return CompareAnswer(
        rig_version="", started=datetime(2026, 1, 1, tzinfo=UTC), profile="", revisions=revisions, steps=(),
        columns=columns, figures=rows, outcome=CompareOutcome.NO_WORSE, summary="",
    )  # fmt: skip


def test_what_is_the_same_on_all_revisions_is_left_out_whatever_base_has() -> None:
    found = answer(("base", "v3", "v4"), row("a", 1, 2, 2), row("b", 1, 2, 3), row("c", 1, 1, None, unit="bytes"))
    assert list(tables(found, 74, verbose=False)) == [
        ["benchmark/x x86_64 i386", "          base   v3   v4", "b            1    2    3", "c (bytes)    1    1    -"]
    ]
    assert [len(table) for table in tables(found, 74, verbose=True)] == [5]
    assert list(tables(answer(("base", "v3", "v4"), row("a", 1, 2, 2)), 74, verbose=False)) == []


def test_figures_without_a_name_of_the_suites_are_for_the_page() -> None:
    found = answer(("base", "v3", "v4"), row("a/b", 1, 2, 3, label="a call"), row("a/c", 1, 2, 3))
    (table,) = tables(found, 74, verbose=False)
    assert [line.split("  ")[0] for line in table[2:]] == ["a call"]


def test_the_rows_that_differ_most_are_shown_in_their_order_and_the_rest_is_counted() -> None:
    rows = [row(f"f{at:02}", 1, 1000, 1000 + (50 - at)) for at in range(30)]
    (table,) = tables(answer(("base", "v3", "v4"), *rows), 74, verbose=False)
    assert [line[:3] for line in table[2:-1]] == [f"f{at:02}" for at in range(12)]
    assert table[-1] == "and 18 more that differ, see compare.html"


def test_no_line_is_wider_than_a_mail() -> None:
    names = ("base", *(f"a-long-name-of-revision-{at}" for at in range(9)))
    rows = [row("f" * 90, *range(10**7, 10**7 + 10)), row("g", *range(10), label="g" * 60)]
    for verbose in (False, True):
        lines = [line for table in tables(answer(names, *rows), 74, verbose) for line in table]
        assert max(map(len, lines)) <= 74
        assert sum(line.startswith(("ffff", "gggg")) for line in lines) >= 3, "in several parts"
