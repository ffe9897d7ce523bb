# SPDX-License-Identifier: GPL-2.0-or-later
"""What a figure may grow by where the profile names no budget for it, and what changed without breaking one. Pure
functions.

Instructions and bytes are exact: a difference between the variants is never noise of the machine. A few instructions
may differ all the same without the series' doing: two kernels draw different random numbers from one seed (where a
compiled filter is placed, which slot an allocator gives). So an allowance is a share *and* a number. Units that are not
exact, such as those of time, have no allowance: only a profile's budget judges them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ci.model.stages import CellResult
from configs.result import Figure


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is more than both a `share` of base and `much` in the figure's own unit is too much."""

    share: Fraction
    much: int

    def keeps(self, figure: int, base: int) -> bool:
        growth = figure - base
        return growth <= self.much or growth <= self.share * base

    def words(self, unit: str) -> str:
        return f"{float(100 * self.share):g} % and {self.much} {unit}"


ALLOWANCES: Mapping[str, Allowance] = {
    "insns": Allowance(Fraction(1, 100), 8),
    "bytes": Allowance(Fraction(1, 100), 16),
}
"""By unit. Bytes are counted in pages that a thousand objects share: 16 are four pages of them."""


def changed_figures(base: Iterable[Figure], judged: Iterable[Figure]) -> list[tuple[Figure, Figure]]:
    """The figures that both variants report and that are not the same, as (base, judged)."""
    before = {figure.name: figure for figure in base}
    pairs = ((before[figure.name], figure) for figure in judged if figure.name in before)
    return [(old, new) for old, new in pairs if old != new]


def told(changed: Sequence[tuple[str, Figure, Figure]]) -> str:
    """`22 figures changed, most: attach/length/1024 +3.1 %`, of (name, base, judged); empty where none changed."""
    if not changed:
        return ""
    name, old, new = max(changed, key=lambda item: _weight(item[1], item[2]))
    count = f"{len(changed)} figures changed, most:" if len(changed) > 1 else "1 figure changed:"
    return f"{count} {name} {_step(old, new)}"


def cell_changes(base: CellResult, judged: CellResult) -> str:
    """The line about all figures of one cell."""
    before = {test.name: test.figures for test in base.tests}
    return told(
        [
            (f"{test.name}/{new.name}", old, new)
            for test in judged.tests
            for old, new in changed_figures(before.get(test.name, ()), test.figures)
        ]
    )


def _weight(old: Figure, new: Figure) -> tuple[Fraction, int]:
    """The share of base first; what base has none of changed by more than any share."""
    change = abs(new.value - old.value)
    return (Fraction(change, old.value), change) if old.value else (Fraction(10**9), change)


def _step(old: Figure, new: Figure) -> str:
    change = new.value - old.value
    if not old.value:
        return f"{change:+d} {new.unit}"
    share = f"{100 * change / old.value:+.1f} %"
    return f"{change:+d} {new.unit}" if share in ("+0.0 %", "-0.0 %") else share
