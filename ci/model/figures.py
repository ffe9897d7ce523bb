# SPDX-License-Identifier: GPL-2.0-or-later
"""Part of the results model: where the instructions of a figure are spent, and wall time."""

from ci.model.stats import Shown
from configs.model import Strict
from configs.result import Cell
from guests.host.facts import HostFacts


class FunctionCost(Strict):
    """Instructions of one call in one function, all that are executed there and nothing of what it calls. `base` is
    None where there is no base."""

    function: str
    base: int | None
    judged: int

    @property
    def difference(self) -> int:
        return self.judged - (self.base or 0)


class Explanation(Strict):
    """Which functions the instructions of one figure are in, on both variants. `cell` is the judged one, `figure` is
    `<test>/<figure>`; the rows of a variant add up to its figure. `missing` says why there are none."""

    cell: Cell
    figure: str
    base: int | None = None
    judged: int | None = None
    functions: tuple[FunctionCost, ...] = ()
    """By difference, what was added first; two functions of one name are one."""
    missing: str = ""
    reproduce: tuple[str, ...] = ()
    """The rig's command line that asks for this explanation."""


class WallRow(Strict):
    """One figure in nanoseconds, by round; `ratio` is judged / base. An interval that is not there is null."""

    label: str
    figure: str
    base: tuple[float, ...]
    judged: tuple[float, ...]
    ratio: float
    low: float | None
    high: float | None
    shown: Shown


class Wall(Strict):
    """The wall time of one benchmark, base against the judged variant: information that no verdict depends on.

    `first` names for each round the variant that was measured first, by `seed`; the intervals of all rows hold together
    with probability `confidence`. `pinned` is the host's processor that QEMU was kept on; `ticks` how many the guests'
    counter makes in a second; `host` is as found before the first round, `load_after` behind the last; `command` is
    QEMU's own; `problems` are lines on what is missing and why."""

    cell: Cell
    against: str
    accel: str
    qemu_version: str = ""
    host: HostFacts
    load_after: float = 0.0
    pinned: int
    seed: int
    first: tuple[str, ...] = ()
    confidence: float
    ticks: int = 0
    rows: tuple[WallRow, ...] = ()
    problems: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    @property
    def emulated(self) -> bool:
        """True where the wall time is that of an emulator, which says nothing about hardware."""
        return self.accel == "tcg"
