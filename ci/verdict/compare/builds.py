# SPDX-License-Identifier: GPL-2.0-or-later
"""Comparisons of what comes before the guests: whether the series applies, whether each kernel builds, and the
compiler's warnings."""

from collections.abc import Iterable

from ci.model.results import Run
from ci.model.stages import BuildResult
from ci.model.variants import ApplyFailure
from ci.model.verdicts import Comparison, Effect, TestVerdict
from ci.verdict import verdict
from configs.result import Cell, Status
from kernels.build.diagnostics import BuildWarning

SERIES = "series"
BUILD = "build"
"""Suite names of the cells that stand for the series as a whole and for one kernel."""
KERNEL = "kernel"
"""The test of suite BUILD that says whether the kernel was built."""
WARNING = "warning: "
"""Prefix of the tests of suite BUILD that stand for a warning which one variant has and the other has not."""


def compare_series(run: Run) -> list[Comparison]:
    """One comparison for each variant that has a series, whether it applied or not. A variant between base and the
    judged one is named where it does not apply, which fails the run as well."""
    found = []
    for variant in run.variants:
        if variant not in (run.variants[0], run.judged) and variant.failure is None:
            continue
        has_series = run.series is not None and variant.patches != 0
        if not has_series and variant.failure is None:
            continue
        judged = variant is run.judged or variant is not run.variants[0]
        status = Status.FAIL if variant.failure else Status.PASS
        effect, word = Effect.NONE, TestVerdict.SAME if run.base else None
        if variant.failure:
            effect = Effect.FAIL if judged else Effect.UNKNOWN
            word = (TestVerdict.REGRESSION if judged else TestVerdict.UNKNOWN) if run.base else None
        found.append(
            Comparison(
                cell=Cell(variant.name, "-", "-", "-", SERIES),
                test="apply",
                verdict=word,
                effect=effect,
                patched=(status,),
                message=describe(variant.failure) if variant.failure else "",
            )
        )
    return found


def describe(failure: ApplyFailure) -> str:
    """The failure in one line."""
    where = ", ".join(part for part in (failure.file, failure.hunk) if part)
    text = f"patch {failure.patch} “{failure.subject}” does not apply"
    return (
        f"{text}: {where}"
        if where
        else f"{text}: {failure.message.strip().splitlines()[0]}"
        if failure.message
        else text
    )


def compare_builds(run: Run) -> list[Comparison]:
    """Whether each kernel builds, and each warning that only one of the judged variant and base has.

    Every variant that is named counts: one between base and the judged one that does not build where base does fails
    the run.
    """
    found = _between(run)
    of_base = {(item.arch, item.flavour): item for item in run.builds if run.base and item.variant == run.base.name}
    for build in run.builds:
        if build.variant != run.judged.name:
            continue
        cell = Cell(build.variant, build.arch, "-", build.flavour, BUILD)
        base = of_base.pop((build.arch, build.flavour), None)
        found += compare_build(cell, base, build, run.base.name if run.base else "")
    for base in of_base.values():
        cell = Cell(run.judged.name, base.arch, "-", base.flavour, BUILD)
        found += compare_build(cell, base, None, base.variant)
    return found


def _between(run: Run) -> list[Comparison]:
    """The kernels of the variants between base and the judged one that do not build, or of which nothing is known."""
    names = [variant.name for variant in run.variants[1:-1]]
    base = {(item.arch, item.flavour): item for item in run.builds if run.base and item.variant == run.base.name}
    own = {(item.variant, item.arch, item.flavour): item for item in run.builds if item.variant in names}
    spots = [(name, *spot) for name in names for spot in base]
    found: list[Comparison] = []
    for name, arch, flavour in dict.fromkeys((*spots, *own)):
        build = own.get((name, arch, flavour))
        if build is None or not build.ok:
            cell = Cell(name, arch, "-", flavour, BUILD)
            found += compare_build(cell, base.get((arch, flavour)), build, run.base.name if run.base else "")
    return found


def compare_build(cell: Cell, base: BuildResult | None, build: BuildResult | None, against: str) -> list[Comparison]:
    """One kernel against another (`against` is empty where there is none): was it built, and with which warnings."""
    patched = _built(build)
    if not against:
        judgement = verdict.judge_alone((patched,))
    else:
        judgement = verdict.judge((_built(base),), (patched,))
        if base and not base.ok:  # nothing was measured to compare with, so nothing was shown
            judgement = verdict.Judgement(TestVerdict.UNKNOWN, Effect.UNKNOWN, f"base does not build: {base.failure}")
    message = build.failure if build and not build.ok else judgement.reason
    kernel = Comparison(
        cell=cell,
        test=KERNEL,
        verdict=judgement.verdict,
        effect=judgement.effect,
        against=against,
        base=(_built(base),) if against else (),
        patched=(patched,),
        message=message,
    )
    if not (base and build and base.ok and build.ok):
        return [kernel]
    return [kernel, *_compare_warnings(cell, base, build)]


def _built(build: BuildResult | None) -> Status:
    if build is None:
        return Status.MISS
    return Status.PASS if build.ok else Status.FAIL


def _compare_warnings(cell: Cell, base: BuildResult, build: BuildResult) -> list[Comparison]:
    """By file, text and option: a line number moves with every patch. A second one of the same kind counts."""
    before, after = _by_kind(base.warnings), _by_kind(build.warnings)
    found = []
    for kind in sorted(before.keys() | after.keys()):
        had, has = before.get(kind, []), after.get(kind, [])
        if len(had) == len(has):
            continue
        worse = len(has) > len(had)
        warning = (has if worse else had)[-1]
        option = f" [{warning.option}]" if warning.option else ""
        found.append(
            Comparison(
                cell=cell,
                test=f"{WARNING}{warning.file}: {warning.text}{option}",
                verdict=TestVerdict.REGRESSION if worse else TestVerdict.FIXED,
                effect=Effect.FAIL if worse else Effect.NONE,
                against=base.variant,
                base=(Status.FAIL if had else Status.PASS,),
                patched=(Status.FAIL if has else Status.PASS,),
                message=f"{warning.file}:{warning.line}: {warning.text}{option}",
            )
        )
    return found


def _by_kind(warnings: Iterable[BuildWarning]) -> dict[tuple[str, str, str], list[BuildWarning]]:
    kinds: dict[tuple[str, str, str], list[BuildWarning]] = {}
    for warning in warnings:
        kinds.setdefault((warning.file, warning.text, warning.option), []).append(warning)
    return kinds
