# SPDX-License-Identifier: GPL-2.0-or-later
"""Struct layout and size for a person: each figure that changed, base -> judged, and what changed in it."""

from collections.abc import Iterator

from ci.cells.static_cells import SYMBOL
from ci.model.results import CellResult, Host, Run
from ci.model.suites import STATIC
from ci.verdict.budget import words
from configs.result import Cell, Figure, TestResult

_SHOWN = 12
"""Lines about one struct or one object; the rest is counted."""

Line = tuple[int, str]
"""Indent and text."""


def figure_lines(run: Run) -> Iterator[Line]:
    """Nothing where nothing was measured; an empty line after each cell."""
    base = run.base
    if base is None:
        return
    found = {item.cell: item for item in run.cells if item.cell.suite in STATIC}
    for cell, judged in found.items():
        before = found.get(Cell(base.name, cell.arch, cell.abi, cell.flavour, cell.suite))
        if cell.variant == run.judged.name and before:
            yield 0, " ".join(part for part in (cell.suite, cell.arch, cell.flavour) if part not in ("-", "plain"))
            for test in judged.tests:
                yield from _test_lines(_named(before, test.name), test)
            yield 0, ""


def _named(result: CellResult, name: str) -> TestResult | None:
    return next((test for test in result.tests if test.name == name), None)


def _test_lines(before: TestResult | None, after: TestResult) -> Iterator[Line]:
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
    yield from ((4, line) for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield 4, f"and {len(lines) - _SHOWN} more, see results.json"


def accel_text(host: Host, arch: str) -> str:
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
