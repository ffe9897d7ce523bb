# SPDX-License-Identifier: GPL-2.0-or-later
"""The first stage of a run: the source is resolved, the series read, and every variant becomes a tree."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ci.plan.plan import Plan
from configs.model import VariantChoice
from kernels.patches.apply import Applied, apply_series
from kernels.patches.git_range import start_inside
from kernels.patches.series import Series, read_series, split_range
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
    """All variants of a run in the plan's order. `series` is the judged variant's."""

    source: Source
    all: tuple[PreparedVariant, ...]

    @property
    def base(self) -> PreparedVariant:
        return self.all[0]

    @property
    def judged(self) -> PreparedVariant:
        return self.all[-1]

    @property
    def series(self) -> Series | None:
        return self.judged.series


def prepare_variants(plan: Plan, store: Store, emit: Listener, stop: Stop, leave_out: Sequence[Path] = ()) -> Variants:
    """Raises UserError for a source or series that cannot be read; one that does not apply is a value in
    `PreparedVariant`.

    `leave_out` are files and folders of ours that may stand inside a source folder.
    """
    spec = before_series(plan, emit)
    source = resolve_source(spec, store, emit, stop, refresh=plan.fresh, leave_out=leave_out)
    known: dict[str, Series] = {}
    variants = []
    for choice in plan.variants:
        spec = choice.series or plan.profile.series
        if spec == "none":
            variants.append(PreparedVariant(choice, None, Applied(source.commit, source.tree, None)))
            continue
        if spec not in known:
            known[spec] = read_series(spec, store, source, stop)
        applied = apply_series(store, source, known[spec], choice.patches, emit, stop)
        variants.append(PreparedVariant(choice, known[spec], applied))
    return Variants(source, tuple(variants))


def before_series(plan: Plan, emit: Listener) -> str:
    """The plan's source; where that is a checkout that already holds the range to be judged, the commit before it."""
    profile = plan.profile
    folder, parts = Path(profile.source).expanduser(), split_range(profile.series)
    if parts is None or not folder.is_dir():
        return profile.source
    named = Path(parts[0]).expanduser() if parts[0] else folder
    if not named.is_dir() or not named.samefile(folder):
        return profile.source
    start = start_inside(folder, parts[1], parts[2])
    if start is None:
        return profile.source
    text = f"{profile.source} holds {profile.series} already; base is the commit before it, {start[:12]}"
    emit(Event("source", Phase.NOTE, text))
    return f"git:{folder}@{start}"
