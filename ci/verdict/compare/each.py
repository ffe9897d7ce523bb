# SPDX-License-Identifier: GPL-2.0-or-later
"""After every patch of a series: which patch breaks something, and which later one mends it.

Each variant between base and the whole series is compared with base, as the judged one is. What is bad after several
patches in a row is one finding, of the first of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ci.model.results import Run
from ci.model.stages import BuildResult, CellResult
from ci.model.variants import Variant
from ci.model.verdicts import Comparison, Effect
from ci.verdict.compare.builds import BUILD, SERIES, compare_build
from ci.verdict.compare.cells import compare_cell
from configs.result import Cell

_Subject = tuple[str, str, str, str, str]
"""arch, ABI, flavour, suite, test: what is followed through the series."""


@dataclass(frozen=True, slots=True)
class _Step:
    """What was found after one patch. `blind` are the kernels (arch, flavour) that were not built, in which no test
    could run."""

    found: dict[_Subject, Comparison]
    blind: frozenset[tuple[str, str]]

    def at(self, subject: _Subject, before: Effect) -> Effect:
        """The effect of a subject after this patch; what nothing is known of stays what it was."""
        arch, _abi, flavour, suite, _test = subject
        if suite != BUILD and (arch, flavour) in self.blind:
            return before
        return self.found[subject].effect if subject in self.found else Effect.NONE


def with_each(run: Run, comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons of a run with one for each thing that some patch breaks, in place of those of the variants
    between base and the judged one. Of a run without `--each` what was given."""
    between = run.variants[1:-1]
    if not run.each or not between or any(variant.failure for variant in run.variants):
        return list(comparisons)
    names = {variant.name for variant in between}
    kept = [item for item in comparisons if item.cell.variant not in names or item.cell.suite == SERIES]
    judged = [item for item in kept if item.cell.variant == run.judged.name]
    steps = [*(_step(_found(run, variant), _blind(run, variant)) for variant in between)]
    steps.append(_step(judged, _blind(run, run.judged)))
    return [*kept, *_breaks(run, steps)]


def _step(found: Sequence[Comparison], blind: frozenset[tuple[str, str]]) -> _Step:
    return _Step({_subject(item): item for item in found}, blind)


def _subject(item: Comparison) -> _Subject:
    cell = item.cell
    return cell.arch, cell.abi, cell.flavour, cell.suite, item.test


def _blind(run: Run, variant: Variant) -> frozenset[tuple[str, str]]:
    return frozenset((item.arch, item.flavour) for item in run.builds if item.variant == variant.name and not item.ok)


def _found(run: Run, variant: Variant) -> list[Comparison]:
    """One variant against base: its kernels and the cells of the suite that runs after every patch."""
    base = run.variants[0].name
    own = {(item.arch, item.flavour): item for item in run.builds if item.variant == variant.name}
    of_base = {(item.arch, item.flavour): item for item in run.builds if item.variant == base}
    found: list[Comparison] = []
    for spot in dict.fromkeys((*of_base, *own)):
        found += _of_build(variant.name, spot, of_base.get(spot), own.get(spot), base)
    for cell in dict.fromkeys(item.cell for item in run.cells if item.cell.variant == variant.name):
        build = own.get((cell.arch, cell.flavour))
        if build is None or build.ok:
            found += compare_cell(_runs(run, replace(cell, variant=base)), _runs(run, cell))
    return found


def _of_build(
    name: str, spot: tuple[str, str], base: BuildResult | None, build: BuildResult | None, against: str
) -> list[Comparison]:
    return compare_build(Cell(name, spot[0], "-", spot[1], BUILD), base, build, against)


def _runs(run: Run, cell: Cell) -> list[CellResult]:
    return sorted(
        (item for item in run.cells if item.cell == cell and not item.suite_variant), key=lambda item: item.attempt
    )


def _breaks(run: Run, steps: Sequence[_Step]) -> Iterator[Comparison]:
    """For each subject the patches at which it turns bad; the last patch is judged as the whole series is."""
    for subject in dict.fromkeys(subject for step in steps for subject in step.found):
        effects = [Effect.NONE]
        for step in steps:
            effects.append(step.at(subject, effects[-1]))
        for number in range(1, len(steps)):
            if effects[number] is Effect.NONE or effects[number] is effects[number - 1]:
                continue
            mended = next((later for later in range(number, len(steps) + 1) if effects[later] is Effect.NONE), 0)
            yield _named(run, steps[number - 1].found[subject], number, mended)


def _named(run: Run, item: Comparison, number: int, mended: int) -> Comparison:
    verb = "breaks this" if item.effect is Effect.FAIL else "leaves this without an answer"
    later = f"{_title(run, mended)} mends it" if mended else "no later patch mends it"
    text = f"{_title(run, number)} {verb}, {later}"
    message = f"{text}: {item.message}" if item.message else text
    return item.model_copy(update={"patch": number, "mended": mended, "message": message})


def _title(run: Run, number: int) -> str:
    patches = run.series.patches if run.series else ()
    return f"patch {number} “{patches[number - 1].subject}”" if number <= len(patches) else f"patch {number}"


def breaks_line(comparisons: Sequence[Comparison]) -> str:
    """`patch 3 breaks x86_64 build/kernel, which patch 4 mends; ...` for the summary; nothing where no patch breaks
    anything that a later one mends."""
    found: dict[tuple[int, int], list[Comparison]] = {}
    for item in comparisons:
        if item.patch and item.mended and item.effect is Effect.FAIL:
            found.setdefault((item.patch, item.mended), []).append(item)
    texts = []
    for (number, mended), items in sorted(found.items()):
        first, archs = items[0], dict.fromkeys(item.cell.arch for item in items)
        more = f" and {len(items) - 1} more" if len(items) > 1 else ""
        name = f"{'/'.join(archs)} {first.cell.suite}/{first.test}{more}"
        texts.append(f"patch {number} breaks {name}, which patch {mended} mends")
    return "; ".join(texts)
