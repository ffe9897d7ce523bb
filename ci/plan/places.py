# SPDX-License-Identifier: GPL-2.0-or-later
"""The places of a plan (`ci.model.shard`), and the plan that is left where only some of them, or of their tests, are
wanted."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from ci.model.shard import BUILDS, KnownAt, Shard, cell_at, place_of
from ci.plan.plan import Plan
from ci.plan.variants import Variants
from ci.verdict.compare.builds import SERIES
from ci.verdict.known import Issue
from configs.names import CHECKS, LAYOUT, OF_PATCHES, SIZE, did_you_mean
from configs.result import Cell
from util.errors import UserError
from util.paths import version

Chosen = Mapping[Cell, tuple[str, ...]]
"""What of an earlier run is run again: cells without their variant, each with the tests that are wanted of it, none for
all of them. Suites without a guest, `build` and `series` among them, are cells as well."""


def places(plan: Plan) -> tuple[str, ...]:
    """Every place of a plan, in the order of the report: kernels, static checks, guests."""
    builds: list[str] = []
    statics = [place_of(Cell("", "-", "-", "-", suite)) for suite in OF_PATCHES if suite in plan.static]
    for flavour in plan.profile.flavours if plan.needs_kernels else ():
        for target in plan.targets:
            kinds = [BUILDS, *(suite for suite in (LAYOUT, SIZE) if suite in plan.static)]
            found = [place_of(Cell("", target.arch.name, "-", flavour, kind)) for kind in kinds]
            builds.append(found[0])
            statics += found[1:] if len(plan.variants) > 1 else []
    if len(plan.variants) < 2:
        statics = []
    return (*builds, *statics, *dict.fromkeys(map(place_of, plan.cells())))


def matching(plan: Plan, globs: Iterable[str]) -> tuple[str, ...]:
    """The places that these globs name (`x86_64/*`). Raises UserError for a glob that names none."""
    every, found = places(plan), set()
    for glob in globs:
        named = [place for place in every if fnmatchcase(place, glob)]
        if not named:
            raise UserError(f"no cell of the plan answers to {glob!r}{did_you_mean(glob, every)}; --dry-run names them")
        found.update(named)
    return tuple(place for place in every if place in found)


def narrowed(plan: Plan, part: Sequence[str]) -> Plan:
    """The same plan for these places alone. What the kernels are configured for stays that of the whole plan."""
    cells = [cell_at(place, "") for place in part]
    if plan.each and any(cell.suite == CHECKS for cell in cells):
        # the compiler is asked about every patch, in the first flavour of every architecture
        flavour = plan.profile.flavours[0]
        cells += [Cell("", target.arch.name, "-", flavour, BUILDS) for target in plan.targets]
    guests = {cell.suite for cell in cells}
    profile = plan.profile.model_copy(
        update={
            "suites": tuple(choice for choice in plan.profile.suites if choice.name in guests),
            "flavours": tuple(name for name in plan.profile.flavours if name in {cell.flavour for cell in cells}),
        }
    )
    return replace(
        plan,
        profile=profile,
        # with all their ABIs: which one is the first of an architecture stays the same
        targets=tuple(target for target in plan.targets if target.arch.name in {cell.arch for cell in cells}),
        static=tuple(suite for suite in plan.static if suite in guests),
        coverage=plan.coverage and any(cell.abi != "-" for cell in cells),
        part=frozenset((cell.arch, cell.abi, cell.flavour, cell.suite) for cell in cells),
    )


def again(plan: Plan, chosen: Chosen) -> Plan:
    """The plan for these cells of an earlier run alone, with the same kernels. Where the series itself did not apply
    everything is in question, and the plan stays whole."""
    if any(cell.suite == SERIES for cell in chosen):
        return replace(plan, tests={})
    return replace(narrowed(plan, [place_of(cell) for cell in chosen]), tests=chosen)


def plan_digest(plan: Plan, variants: Variants, known: Sequence[KnownAt]) -> str:
    """What all shards of a plan must have in common. Paths of sources and series are left out, for they differ between
    machines; the trees that they lead to are in."""
    profile = plan.profile.model_dump(mode="json", exclude={"source", "series", "known_issues", "budget_file"})
    parts = (
        version(),
        profile,
        [(target.arch.name, target.abis) for target in plan.targets],
        [(variant.name, variant.applied.tree, str(variant.applied.failure)) for variant in variants.all],
        variants.source.tree,
        variants.series.digest if variants.series else "",
        (plan.test, plan.static, plan.each, plan.explain, plan.follow, plan.fail_fast, plan.coverage),
        [choice.model_dump(mode="json") for choice in plan.shaping],
        [item.entry.model_dump(mode="json") for item in known],
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ShardPlaces:
    """The places of one shard of a plan, and the shard's name."""

    name: str
    places: tuple[str, ...]

    def shard(self, plan: Plan, variants: Variants, folder: Path, issues: Iterable[Issue]) -> Shard:
        """What the run says of itself to be joined with others; `plan` is the whole one."""
        known = tuple(KnownAt(entry=issue.entry, where=issue.where) for issue in issues)
        return Shard(
            name=self.name,
            plan=plan_digest(plan, variants, known),
            places=self.places,
            all=places(plan),
            folder=str(folder),
            test=plan.test,
            budgets=plan.profile.budgets,
            known=known,
        )
