# SPDX-License-Identifier: GPL-2.0-or-later
"""Which windows of a guest program are to be explained, and which functions the instructions of a figure are in.

`guest/windows.h` has the other side: a figure's windows carry marks by its place in the file.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from guests.crash.symbols import USER_SPACE
from guests.tracer.trace import Window

FILE = "windows"
"""Beside the program. It has the same size whatever it names, so that what a guest does before the measurement, and
with it the state that the measurement finds, is the same as without."""
MOST = 16
"""Figures that one guest can explain."""
_NAME = 96
_COST = 1
_FIRST = 2
"""Marks of a window with nothing in it, and of the first figure."""


def encode(figures: Sequence[str]) -> bytes:
    """The file for these figures, `<test>/<figure>`. Raises ValueError for too many, or too long a name."""
    names = [figure.encode("ascii") for figure in figures]
    if len(names) > MOST or any(len(name) >= _NAME for name in names):
        raise ValueError(f"at most {MOST} figures with fewer than {_NAME} characters each")
    return b"".join(name.ljust(_NAME, b"\0") for name in names).ljust(MOST * _NAME, b"\0")


def breakdowns(
    windows: Iterable[Window], figures: Sequence[str], values: Mapping[str, int], function: Callable[[int], str]
) -> dict[str, dict[str, int]]:
    """Instructions by function for each of `figures` that has a window, most first.

    `values` are what the program itself reported in the same guest: a figure is the smallest of several samples, so its
    window is the one that comes nearest to it (a shorter one was cut by somebody else's look at the counter). The cost
    of the measurement is taken off user space, where it arises. `function` names an address.
    """
    by_marks: dict[int, list[Window]] = {}
    for window in windows:
        by_marks.setdefault(window.marks, []).append(window)
    cost = min((window.total for window in by_marks.get(_COST, [])), default=0)
    found = {}
    for marks, figure in enumerate(figures, _FIRST):
        if figure in values and marks in by_marks:
            whole = values[figure] + cost
            window = min(by_marks[marks], key=lambda window: abs(window.total - whole))
            found[figure] = _by_function(window, cost, function)
    return found


def _by_function(window: Window, cost: int, function: Callable[[int], str]) -> dict[str, int]:
    spent = Counter({USER_SPACE: -cost})
    for address, count in window.counts.items():
        spent[function(address)] += count
    return {name: count for name, count in spent.most_common() if count}
