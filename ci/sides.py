# SPDX-License-Identifier: GPL-2.0-only
"""The first stage of a run: the source is resolved, the series read, and every variant becomes a tree."""

from dataclasses import dataclass

from ci.plan import Plan
from configs.events import Listener
from configs.model import VariantChoice
from configs.stop import Stop
from kernels.apply import Applied, apply_series
from kernels.series import Series, read_series
from kernels.source import Source, resolve_source
from kernels.store import Store


@dataclass(frozen=True, slots=True)
class Side:
    """One variant with its tree; `series` is what was applied, None for none."""

    choice: VariantChoice
    series: Series | None
    applied: Applied

    @property
    def name(self) -> str:
        return self.choice.name


@dataclass(frozen=True, slots=True)
class Sides:
    """All variants of a run in the plan's order. `series` is the judged variant's."""

    source: Source
    sides: tuple[Side, ...]

    @property
    def base(self) -> Side:
        return self.sides[0]

    @property
    def judged(self) -> Side:
        return self.sides[-1]

    @property
    def series(self) -> Series | None:
        return self.judged.series


def prepare_sides(plan: Plan, store: Store, emit: Listener, stop: Stop) -> Sides:
    """Raises UserError for a source or series that cannot be read; one that does not apply is a value in `Side`."""
    source = resolve_source(plan.profile.source, store, emit, stop)
    known: dict[str, Series] = {}
    sides = []
    for choice in plan.variants:
        spec = choice.series or plan.profile.series
        if spec == "none":
            sides.append(Side(choice, None, Applied(source.commit, source.tree, None)))
            continue
        if spec not in known:
            known[spec] = read_series(spec, store, source, stop)
        applied = apply_series(store, source, known[spec], choice.patches, emit, stop)
        sides.append(Side(choice, known[spec], applied))
    return Sides(source, tuple(sides))
