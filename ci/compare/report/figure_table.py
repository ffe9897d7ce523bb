# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures of all revisions side by side as plain text, one table for each cell."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from ci.compare.answer import CompareAnswer, FigureRow

_ROWS = 12
"""Rows of one cell that are shown; the rest is counted."""
_LABEL, _NAME = 24, 12
"""The least room for a figure's name, and the most for that of a column."""


def tables(answer: CompareAnswer, width: int, verbose: bool) -> Iterator[list[str]]:
    """Of each cell the figures that are not the same on all revisions: those that differ most, in the suite's order.
    `verbose` has every figure. Figures that the suite has no name for are left out where it names others."""
    own = [answer.columns.index(revision.name) for revision in answer.revisions]
    for _, group in groupby(answer.figures, key=lambda row: (row.arch, row.abi, row.flavour, row.suite)):
        rows = list(group)
        named = [row for row in rows if row.label] or rows
        told = rows if verbose else [row for row in named if len({row.values[at] for at in own}) > 1]
        most = told if verbose else sorted(told, key=lambda row: -_spread(row, own))[:_ROWS]
        if shown := [row for row in told if row in most]:
            more = len(told) - len(shown)
            rest = [f"and {more} more that differ, see compare.html"] if more else []
            yield [_title(shown[0]), *_lines(answer.columns, shown, width), *rest]


def _title(row: FigureRow) -> str:
    return " ".join(part for part in (row.suite, row.arch, row.abi, row.flavour) if part not in ("-", "plain"))


def _spread(row: FigureRow, own: Sequence[int]) -> float:
    """How much the revisions differ, as a share; what one of them does not have differs most."""
    values = [row.values[at] for at in own]
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values) or not min(numbers):
        return float("inf")
    return max(numbers) / min(numbers)


def _lines(columns: Sequence[str], rows: Sequence[FigureRow], width: int) -> Iterator[str]:
    """In several parts where not all columns fit beside each other."""
    names = [name[:_NAME] for name in columns]
    one = 1 + max(len(word) for word in (*names, *(_text(value) for row in rows for value in row.values)))
    fit = max(1, (width - _LABEL) // one)
    for start in range(0, len(columns), fit):
        part = range(start, min(start + fit, len(columns)))
        label = min(width - one * len(part), max(len(_name(row)) for row in rows))
        yield " " * label + "".join(f"{names[at]:>{one}}" for at in part)
        for row in rows:
            name = _name(row)
            short = name if len(name) <= label else f"{name[: label - 2]}.."
            yield f"{short:{label}}" + "".join(f"{_text(row.values[at]):>{one}}" for at in part)


def _name(row: FigureRow) -> str:
    unit = "" if row.unit == "insns" else f" ({row.unit})"
    return f"{row.label or row.figure}{unit}"


def _text(value: int | None) -> str:
    return "-" if value is None else str(value)
