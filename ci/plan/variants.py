# SPDX-License-Identifier: GPL-2.0-or-later
"""The first stage of a run: the source is resolved, the series read, and every variant becomes a tree: with
`check --each` also what each patch by itself leaves, `patch-1`, `patch-2`, ... between base and the whole series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from ci.plan.plan import Plan
from configs.model import VariantChoice
from kernels.patches.apply import Applied, apply_series
from kernels.patches.onto.base import choose_base, foreign_tree, guessed_base
from kernels.patches.onto.fit import misfits
from kernels.patches.onto.prerequisites import PreparedSource, with_prerequisites
from kernels.patches.patch import Series, first
from kernels.patches.series import read_series
from kernels.source.resolve import Source, resolve_source
from kernels.source.store import Store
from util.events import Event, Listener, Phase
from util.stop import Stop


@dataclass(frozen=True, slots=True)
class PreparedVariant:
    """One variant with its tree; `series` is what was applied, None for none."""

    choice: VariantChoice
    series: Series | None
    applied: Applied

    @property
    def name(self) -> str:
        return self.choice.name


@dataclass(frozen=True, slots=True)
class Variants:
    """All variants of a run in the plan's order. `series` is the judged variant's; `notes` say which base was chosen
    where the source as it was named is not it, and what of a series does not fit it exactly."""

    source: Source
    all: tuple[PreparedVariant, ...]
    notes: tuple[str, ...] = ()

    @property
    def base(self) -> PreparedVariant:
        return self.all[0]

    @property
    def judged(self) -> PreparedVariant:
        return self.all[-1]

    @property
    def series(self) -> Series | None:
        return self.judged.series


def prepare_variants(
    plan: Plan, store: Store, emit: Listener, stop: Stop, leave_out: Sequence[Path] = (),
    read: Mapping[str, Series] = MappingProxyType({}),
) -> Variants:  # fmt: skip
    """Raises UserError for a source or series that cannot be read; one that does not apply is a value in
    `PreparedVariant`.

    `leave_out` are files and folders of ours that may stand inside a source folder, `read` the series by spec that were
    read already (a pipe can be read once).
    """
    specs = [choice.series or plan.profile.series for choice in plan.variants]
    known = {
        spec: read[spec] if spec in read else read_series(spec, store, plan.profile.source, stop, plan.choice)
        for spec in dict.fromkeys(specs)
        if spec != "none"
    }
    judged = known.get(specs[-1])
    if plan.guess_base and judged is not None:
        chosen = guessed_base(plan.profile.source, judged, stop)
    else:
        # A bisection asks about the commit that it has checked out, whatever base the mails name.
        bisecting = not plan.follow and judged is not None and judged.start is None
        chosen = choose_base(plan.profile.source, judged, keep=plan.keep_base or bisecting)
    # A run that is made again wants its guests fresh, and the source as it was; so does a part of a run, whose other
    # parts must be of the same tree.
    refresh = plan.fresh and plan.tests is None and plan.part is None
    source = resolve_source(chosen.spec, store, emit, stop, refresh=refresh, leave_out=leave_out)
    ground = (
        PreparedSource(source) if plan.keep_base else with_prerequisites(source, judged, plan.choice, store, emit, stop)
    )
    source = ground.source
    notes = [
        *chosen.notes,
        *ground.notes,
        *(note for series in known.values() for note in [foreign_tree(series, source)] if note),
    ]
    for note in [*notes, *(text for series in known.values() for text in series.warnings)]:
        emit(Event("series", Phase.NOTE, note))
    variants = []
    for choice, spec in zip(plan.variants, specs, strict=True):
        if spec == "none":
            variants.append(PreparedVariant(choice, None, Applied(source.commit, source.tree, None)))
            continue
        applied = apply_series(store, source, known[spec], choice.patches, emit, stop)
        variants.append(PreparedVariant(choice, known[spec], applied))
    notes += _misfits(store, source, variants, emit, stop)
    return Variants(source, tuple(variants), tuple(notes))


def _misfits(
    store: Store, source: Source, variants: Sequence[PreparedVariant], emit: Listener, stop: Stop
) -> list[str]:
    """What of the judged series does not fit its base exactly."""
    judged = variants[-1]
    if judged.series is None or judged.applied.failure:
        return []
    found = misfits(store, source, judged.applied.commit, first(judged.series, judged.choice.patches).patches, stop)
    for text in found:
        emit(Event("series", Phase.NOTE, text))
    return found


def each_patch(plan: Plan, variants: Variants, store: Store, emit: Listener, stop: Stop) -> tuple[Plan, Variants]:
    """The plan and the trees with a variant after each patch but the last, which the judged variant stands for.

    Raises what `apply_series` raises. A series that does not apply is left as it is: that is the result already.
    """
    base, judged = variants.base, variants.judged
    if judged.applied.failure or judged.series is None:
        return plan, variants
    between = []
    for count in range(1, len(judged.series.patches)):
        choice = VariantChoice(name=f"patch-{count}", patches=count)
        applied = apply_series(store, variants.source, judged.series, count, emit, stop)
        between.append(PreparedVariant(choice, judged.series, applied))
    every = (base, *between, judged)
    plan = replace(plan, variants=tuple(variant.choice for variant in every))
    return plan, replace(variants, all=every)
