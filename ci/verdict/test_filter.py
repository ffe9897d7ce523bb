# SPDX-License-Identifier: GPL-2.0-or-later
"""Picks tests by name, for `--test`."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from ci.model.results import Comparison, Effect
from configs.result import Cell, Status


def select(comparisons: Iterable[Comparison], glob: str, variant: str = "") -> list[Comparison]:
    """The comparisons whose test `glob` names, as `TEST` or `SUITE/TEST`.

    A name that nothing answers to is no success: then the one comparison of the result says so.
    """
    chosen = [item for item in comparisons if named(item, glob)]
    if chosen:
        return chosen
    cell = Cell(variant, "-", "-", "-", "-")
    reason = "no test of this name was reported"
    return [
        Comparison(cell=cell, test=glob, verdict=None, effect=Effect.UNKNOWN, patched=(Status.MISS,), message=reason)
    ]


def named(item: Comparison, glob: str) -> bool:
    return fnmatchcase(item.test, glob) or fnmatchcase(f"{item.cell.suite}/{item.test}", glob)
