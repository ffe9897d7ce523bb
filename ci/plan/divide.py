# SPDX-License-Identifier: GPL-2.0-or-later
"""Divides a plan into shards of about the same time: kernels first, then the guests that boot them.

A shard is of one architecture, so that a runner needs one QEMU and one compiler. Its guests share a set-up, and the
tests of a place its re-runs: a place is never divided.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ci.model.results import Run
from ci.model.shard import BUILDS, cell_at, place_of
from ci.plan.places import places
from ci.plan.plan import Plan
from ci.plan.shards import ShardChoice, Shards
from configs.names import OF_PATCHES, STATIC

UNKNOWN = {BUILDS: 400.0, **dict.fromkeys(STATIC, 10.0)}
"""Seconds that a place is taken to need where no earlier run says better: two kernels of a small configuration."""
UNKNOWN_GUESTS = 60.0
LEAST = 300.0
"""Seconds of guests below which a job of their own is not worth its set-up."""


@dataclass(frozen=True, slots=True)
class Times:
    """What earlier runs took, by place, in seconds of one processor's work."""

    by_place: Mapping[str, float] = field(default_factory=dict)

    def of(self, place: str) -> float:
        suite = cell_at(place, "").suite
        return self.by_place.get(place, UNKNOWN.get(suite, UNKNOWN_GUESTS))


def times_of(runs: Iterable[Run]) -> Times:
    """From results of earlier runs, the latest of them last. A kernel that came from the cache says what it took when
    it was made."""
    found: dict[str, float] = {}
    for run in runs:
        own: dict[str, float] = {}
        for build in run.builds:
            place = f"{build.arch}/-/{build.flavour}/{BUILDS}"
            own[place] = own.get(place, 0.0) + build.seconds
        for cell in run.cells:
            if not cell.not_run and cell.cell.suite not in STATIC:
                place = place_of(cell.cell)
                own[place] = own.get(place, 0.0) + cell.seconds
        found |= own
    return Times(found)


def divide(plan: Plan, times: Times, jobs: int, least: float = LEAST) -> Shards:
    """At most `jobs` shards. With few jobs kernels and guests of an architecture, or of several, are one shard."""
    every = places(plan)
    kernels = _groups(place for place in every if cell_at(place, "").arch != "-" and cell_at(place, "").abi == "-")
    guests = _by_arch(place for place in every if cell_at(place, "").abi != "-")
    patches = tuple(place for place in every if cell_at(place, "").suite in OF_PATCHES)
    apart = len(kernels) + len(guests) + bool(patches)
    if apart > jobs:
        return Shards(shards=_together(every, times, jobs))
    shards = [_shard("patches", patches, times)] if patches else []
    shards += [_shard(f"build-{arch}-{flavour}", group, times) for (arch, flavour), group in kernels.items()]
    room = jobs - len(shards)
    for arch, count in _shares(guests, times, room, least).items():
        for number, group in enumerate(_bins(guests[arch], times.of, count), 1):
            flavours = dict.fromkeys(cell_at(place, "").flavour for place in group)
            after = tuple(f"build-{arch}-{flavour}" for flavour in flavours)
            shards.append(_shard(f"guests-{arch}-{number}", group, times, after))
    if plan.each and patches:  # the compiler is asked about every patch, so it needs every kernel
        builds = tuple(shard.name for shard in shards if shard.name.startswith("build-"))
        shards[0] = shards[0].model_copy(update={"after": builds})
    return Shards(shards=tuple(shards))


def _together(every: Sequence[str], times: Times, jobs: int) -> tuple[ShardChoice, ...]:
    """Whole architectures; what belongs to none goes with the first."""
    groups = _by_arch(every)
    loose = groups.pop("-", [])
    if not groups:
        return (_shard("patches", loose, times),)
    archs = _bins(list(groups), lambda arch: sum(map(times.of, groups[arch])), jobs)
    found = []
    for number, names in enumerate(archs):
        owned = {place for name in names for place in groups[name]} | (set(loose) if not number else set())
        found.append(_shard("-".join(names), [place for place in every if place in owned], times))
    return tuple(found)


def _shard(name: str, group: Sequence[str], times: Times, after: tuple[str, ...] = ()) -> ShardChoice:
    seconds = round(sum(map(times.of, group)), 1)
    return ShardChoice(name=name, places=tuple(group), after=after, seconds=seconds)


def _groups(found: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for place in found:
        cell = cell_at(place, "")
        groups.setdefault((cell.arch, cell.flavour), []).append(place)
    return groups


def _by_arch(found: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for place in found:
        groups.setdefault(cell_at(place, "").arch, []).append(place)
    return groups


def _shares(guests: Mapping[str, Sequence[str]], times: Times, room: int, least: float) -> dict[str, int]:
    """How many jobs each architecture gets: one, and one more as long as there is room for whoever has most left for
    each of its jobs, where that is worth another job."""
    seconds = {arch: sum(map(times.of, group)) for arch, group in guests.items()}
    counts = dict.fromkeys(guests, 1)
    while sum(counts.values()) < room:
        open_ones = [
            arch for arch, count in counts.items() if count < len(guests[arch]) and seconds[arch] > count * least
        ]
        if not open_ones:
            break
        counts[max(open_ones, key=lambda arch: seconds[arch] / counts[arch])] += 1
    return counts


def _bins(items: Sequence[str], seconds: Callable[[str], float], count: int) -> list[list[str]]:
    """The items in at most `count` groups, the longest first into whatever group has least; in their order inside."""
    groups: list[list[str]] = [[] for _ in range(min(count, len(items)))]
    sums = [0.0] * len(groups)
    for item in sorted(items, key=seconds, reverse=True):
        place = sums.index(min(sums))
        groups[place].append(item)
        sums[place] += seconds(item)
    return [sorted(group, key=items.index) for group in groups]
