# SPDX-License-Identifier: GPL-2.0-or-later
"""Converts the figures of all rounds to rows in nanoseconds, with their confidence intervals."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from ci.model.figures import WallRow
from ci.model.stats import ERROR, compare
from testcases.benchmark.suite import CLOCK
from testcases.benchmark.topic import TableRow

Figures = Mapping[str, int]
"""The figures of one guest, in thousandths of ticks by `<test>/<figure>`."""
Pair = tuple[Figures, Figures]
"""One round: base and judged."""


def ticks_of(rounds: Sequence[Pair]) -> int:
    """Ticks in a second: the median of all guests, because each one's own measurement would only add its error to its
    variant. 0 without any guest."""
    rates = [figures[CLOCK] for pair in rounds for figures in pair if CLOCK in figures]
    return round(median(rates)) if rates else 0


def wall_rows(rows: Sequence[TableRow], rounds: Sequence[Pair]) -> Iterator[WallRow]:
    """One for each row whose figure both variants have in every round."""
    ticks = ticks_of(rounds)
    guests = [figures for pair in rounds for figures in pair]
    whole = [row for row in rows if guests and all(figures.get(row.figure, 0) > 0 for figures in guests)]
    for row in whole:
        base, judged = (tuple(pair[variant][row.figure] * 1e9 / 1e3 / ticks for pair in rounds) for variant in (0, 1))
        ratio = compare(base, judged, ERROR / len(whole))
        yield WallRow(
            label=row.label,
            figure=row.figure,
            base=base,
            judged=judged,
            ratio=ratio.value,
            low=ratio.low,
            high=ratio.high,
            shown=ratio.shown,
        )
