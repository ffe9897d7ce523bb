# SPDX-License-Identifier: GPL-2.0-or-later
"""From windows to instructions by function, and the file that tells the guest's program which to mark."""

from pathlib import Path

import pytest

from guests.crash.symbols import USER_SPACE, Functions, parse_symbols
from guests.tracer.trace import Window, read_trace
from testcases.benchmark.windows import MOST, breakdowns, encode

DATA = Path(__file__).parent / "data"
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


def test_a_call_of_a_real_kernel() -> None:
    """getppid() on 5.10 with the slow path of tests/series/costs, and the part of `nm -nS` around it."""
    functions = Functions(parse_symbols((DATA / "nm.txt").read_text(encoding="ascii")))
    found = breakdowns(read_trace(DATA / "windows.txt"), [FIGURE], {FIGURE: 233}, functions.at)
    assert found == {
        FIGURE: {
            "entry_SYSCALL_64_after_hwframe": 50,
            "syscall_return_via_sysret": 23,
            "__task_pid_nr_ns": 22,
            "do_syscall_64": 21,
            "exit_to_user_mode_prepare": 19,
            "pid_nr_ns": 16,
            "syscall_exit_to_user_mode": 15,
            "syscall_trace_enter.constprop.0": 15,
            "__do_sys_getppid": 14,
            "syscall_enter_from_user_mode": 8,
            "task_active_pid_ns": 7,
            "amd_clear_divider": 5,
            "entry_SYSCALL_64_safe_stack": 5,
            "__rcu_read_unlock": 5,
            "(user space)": 3,
            "entry_SYSCALL_64": 3,
            "rcu_read_unlock_strict": 2,
        }
    }
    assert sum(found[FIGURE].values()) == 233
