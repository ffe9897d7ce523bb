# SPDX-License-Identifier: GPL-2.0-or-later
"""The order in which one run reports what it found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ci.merge.parts import ShardFolder
from ci.model.figures import Explanation
from ci.model.results import Run
from ci.model.shard import BUILDS, place_of
from ci.model.stages import BuildResult, CellResult
from configs.names import STATIC


@dataclass(frozen=True, slots=True)
class ReportOrder:
    """Sorts what shards of a plan found. `all` are the places of the plan in their order."""

    run: Run
    all: tuple[str, ...]

    def cells(self, cells: Iterable[CellResult]) -> list[CellResult]:
        """Static checks, the first runs, then the re-runs, each in the plan's order, base first."""

        def key(item: CellResult) -> tuple[bool, int, int, int, bool]:
            static, place = item.cell.suite in STATIC, self._index(place_of(item.cell))
            return not static, item.attempt, place, self._variant(item.cell.variant), bool(item.suite_variant)

        return sorted(cells, key=key)

    def builds(self, parts: Sequence[ShardFolder]) -> list[BuildResult]:
        """Each kernel once: of several shards that have it, the one that made it."""
        found: dict[tuple[str, str, str], BuildResult] = {}
        for item in (build for part in parts for build in part.run.builds):
            name = item.variant, item.arch, item.flavour
            if name not in found or (found[name].cached and not item.cached):
                found[name] = item
        kernels = [place.split("/") for place in self.all if place.endswith(f"/{BUILDS}")]
        archs = list(dict.fromkeys(words[0] for words in kernels))
        flavours = list(dict.fromkeys(words[2] for words in kernels))
        return sorted(
            found.values(),
            key=lambda item: (self._variant(item.variant), archs.index(item.arch), flavours.index(item.flavour)),
        )

    def explanations(self, parts: Sequence[ShardFolder]) -> tuple[Explanation, ...]:
        """By cell; those of one cell stay as they are."""
        found = [item for part in parts for item in part.run.explanations]
        return tuple(sorted(found, key=lambda item: self._index(place_of(item.cell))))

    def _index(self, place: str) -> int:
        return self.all.index(place) if place in self.all else len(self.all)

    def _variant(self, name: str) -> int:
        return [variant.name for variant in self.run.variants].index(name)
