# SPDX-License-Identifier: GPL-2.0-only
"""From windows to instructions by function, and the file that tells the guest's program which to mark."""

import pytest

from guests.symbols import USER_SPACE
from guests.trace import Window
from testcases.benchmark.windows import MOST, breakdowns, encode

KERNEL = 1 << 63
COST = Window(1, {0x401000: 3})
FIGURE = "call/none/getppid/unfiltered"


def place(address: int) -> str:
    return "entry" if address & KERNEL else USER_SPACE


def test_the_file_is_as_long_whatever_it_names() -> None:
    assert len(encode([])) == len(encode([FIGURE, "fork/none/unfiltered"])) == MOST * 96
    assert encode(["a/b", "c/d"])[96:100] == b"c/d\0"
    for figures in (["a"] * (MOST + 1), ["a" * 96]):
        with pytest.raises(ValueError, match="at most 16 figures"):
            encode(figures)


def test_the_measurement_itself_is_taken_off_user_space() -> None:
    window = Window(2, {0x401000: 3, 0x401010: 4, KERNEL: 90, KERNEL + 4: 10})
    found = breakdowns([COST, Window(1, {0x401000: 9}), window], [FIGURE], {FIGURE: 104}, place)
    assert found == {FIGURE: {"entry": 100, USER_SPACE: 4}}


def test_the_window_is_the_one_that_came_to_the_figure() -> None:
    whole = Window(2, {0x401000: 3, KERNEL: 100})
    with_tick = Window(2, {0x401000: 3, KERNEL: 100, KERNEL + 8: 900})
    cut = Window(2, {0x401000: 3, KERNEL: 20})
    found = breakdowns([COST, with_tick, cut, whole], [FIGURE], {FIGURE: 100}, place)
    assert found == {FIGURE: {"entry": 100}}


def test_each_figure_has_its_own_marks_and_none_is_made_up() -> None:
    windows = [COST, Window(3, {0x401000: 3, KERNEL: 7})]
    assert breakdowns(windows, ["a/b", "c/d"], {"a/b": 5, "c/d": 7}, place) == {"c/d": {"entry": 7}}
    assert breakdowns(windows, ["a/b", "c/d"], {}, place) == {}
