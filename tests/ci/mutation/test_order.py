# SPDX-License-Identifier: GPL-2.0-or-later
"""Which cell is asked first about a fault."""

from typing import Any, cast

from ci.mutation.judge_cells import JudgeCell, JudgeOrder
from configs.result import Cell


def judge(suite: str, seconds: float) -> JudgeCell:
    cell = Cell("patched", "x86_64", "x86_64", "plain", suite)
    nothing = cast(Any, None)
    return JudgeCell(cell, nothing, frozenset(), frozenset(), seconds, nothing, {})


def names(order: JudgeOrder, function: str) -> list[str]:
    return [item.cell.suite for item in order.now(function)]


def test_the_cheap_one_is_asked_first_where_nothing_is_known() -> None:
    order = JudgeOrder([judge("dear", 9.0), judge("cheap", 1.0)])
    assert names(order, "f") == ["cheap", "dear"]


def test_what_kills_nothing_goes_behind_what_kills() -> None:
    cheap, dear = judge("cheap", 1.0), judge("dear", 3.0)
    order = JudgeOrder([cheap, dear])
    for _ in range(9):
        order.note(cheap, "f", killed=False)
        order.note(dear, "f", killed=True)
    assert names(order, "f") == names(order, "never seen") == ["dear", "cheap"]


def test_each_function_has_an_order_of_its_own() -> None:
    proc, fuzz = judge("proc", 2.0), judge("fuzz", 2.5)
    order = JudgeOrder([proc, fuzz])
    for _ in range(6):
        order.note(proc, "show", killed=True)
        order.note(proc, "lookup", killed=False)
        order.note(fuzz, "lookup", killed=True)
        order.note(fuzz, "show", killed=False)
    assert names(order, "show") == ["proc", "fuzz"]
    assert names(order, "lookup") == ["fuzz", "proc"]
