# SPDX-License-Identifier: GPL-2.0-or-later
"""Struct layout and size for a person: each figure that changed, base -> judged, and what changed in it."""

from collections.abc import Iterator

from ci.cells.static.static_cells import SYMBOL
from ci.model.results import HostRecord, Run
from ci.model.stages import CellResult
from ci.verdict.figures.budget import words
from configs.names import CHECKPATCH, STATIC
from configs.result import Cell, Figure, Status, TestResult

_SHOWN, _BRIEF = 12, 4
"""Lines about one struct or one object; the rest is counted."""

Line = tuple[int, str]
"""Indent and text."""


def figure_lines(run: Run, verbose: bool = True) -> Iterator[Line]:
    """Nothing where nothing was measured; an empty line after each cell. What is unchanged is counted, and of a long
    list the first lines are shown, unless `verbose`."""
    base = run.base
    if base is None:
        return
    found = {item.cell: item for item in run.cells if item.cell.suite in STATIC}
    for cell, judged in found.items():
        before = found.get(Cell(base.name, cell.arch, cell.abi, cell.flavour, cell.suite))
        if cell.variant == run.judged.name and before:
            title = " ".join(part for part in (cell.suite, cell.arch, cell.flavour) if part not in ("-", "plain"))
            lines = _checked if cell.suite == CHECKPATCH else _measured
            yield from lines(title, before, judged, verbose)
            yield 0, ""


def _measured(title: str, before: CellResult, judged: CellResult, verbose: bool) -> Iterator[Line]:
    pairs = [(_named(before, test.name), test) for test in judged.tests]
    quiet = [] if verbose else [pair for pair in pairs if _is_quiet(*pair)]
    same = f"{len(quiet)} unchanged" if len(quiet) > 1 else f"{quiet[0][1].name} unchanged" if quiet else ""
    if quiet and len(quiet) == len(pairs):
        yield 0, f"{title}: {same}"
        return
    yield 0, title
    for old, new in pairs:
        if (old, new) not in quiet:
            yield from _test_lines(old, new, _SHOWN if verbose else _BRIEF)
    if same:
        yield 2, same


def _is_quiet(before: TestResult | None, after: TestResult) -> bool:
    """Measured on both variants, the same, and without a remark."""
    return (
        before is not None
        and before.figures == after.figures != ()
        and not after.output
        and not after.message
        and after.status is Status.PASS
    )


def _checked(title: str, _before: CellResult, judged: CellResult, verbose: bool) -> Iterator[Line]:
    """What checkpatch said of each patch: it has no base to be compared with."""
    clean = [test for test in judged.tests if test.figures and not any(figure.value for figure in test.figures)]
    if clean and not verbose and len(clean) == len(judged.tests):
        yield 0, f"{title}: no complaint about {len(clean)} patch{'es' * (len(clean) != 1)}"
        return
    yield 0, title
    for test in judged.tests:
        if test in clean and not verbose:
            continue
        counted = ", ".join(
            f"{figure.value} {figure.name.removesuffix('s') if figure.value == 1 else figure.name}"
            for figure in test.figures
            if figure.value
        )
        said = "no complaint" if test in clean else counted or test.message or "not checked"
        yield 2, f"{test.name}: {said}"
        lines = test.output.splitlines()
        yield from ((4, line) for line in lines[:_SHOWN])
        if len(lines) > _SHOWN:
            yield 4, f"and {len(lines) - _SHOWN} more, see results.json"
    if clean and not verbose:
        yield 2, f"no complaint about {len(clean)} other patch{'es' * (len(clean) != 1)}"


def _named(result: CellResult, name: str) -> TestResult | None:
    return next((test for test in result.tests if test.name == name), None)


def _test_lines(before: TestResult | None, after: TestResult, shown: int) -> Iterator[Line]:
    old = {figure.name: figure for figure in before.figures} if before else {}
    new = {figure.name: figure for figure in after.figures}
    unchanged = "" if old != new else ": unchanged" if new else ": not measured"
    yield 2, f"{after.name}{unchanged}{': ' if after.message else ''}{after.message}"
    if old and new:
        names = (name for name in dict.fromkeys((*old, *new)) if not name.startswith(SYMBOL))
        yield from ((4, text) for name in names if (text := _change(old.get(name), new.get(name))))
    else:
        yield from ((4, _change(None, figure)) for figure in list(new.values())[:1])
    lines = after.output.splitlines()
    yield from ((4, line) for line in lines[:shown])
    if len(lines) > shown:
        yield 4, f"and {len(lines) - shown} more, see results.json"


def accel_text(host: HostRecord, arch: str) -> str:
    """`kvm`, or `tcg, although the hardware's accelerator is there (kvm: REASON)`."""
    why = host.fallback.get(arch)
    return host.accel[arch] + (f", although the hardware's accelerator is there ({why})" if why else "")


def _change(old: Figure | None, new: Figure | None) -> str:
    """`size 96 -> 104 bytes (+8, +8.3 %)`; nothing where both are the same."""
    if old == new:
        return ""
    if new is None:
        assert old is not None
        return f"{old.name} {words(None, old)} -> gone"
    return f"{new.name} {words(old, new)}"
