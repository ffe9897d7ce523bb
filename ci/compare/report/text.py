# SPDX-License-Identifier: GPL-2.0-or-later
"""The comparison as plain text of less than 75 columns, for a terminal and for a mail."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from textwrap import wrap

from ci.compare.answer import ChangeKind, CompareAnswer, ComparedRevision, RevisionChange, RevisionStep
from ci.compare.changes import coverage_change_lines
from ci.compare.report.figure_table import tables
from ci.text.cell_text import clock, row_name
from kernels.patches.range_diff import PatchChange, PatchPair
from util.text import counted, paste, plain, plain_line

WIDTH = 74
_TESTS, _FIGURES, _DIFF, _LINES = 10, 6, 60, 16
"""Tests of one kind in one cell, figures of one kind, lines of one patch's diff and about coverage that are shown;
the rest is counted."""
MARKS = {
    PatchChange.SAME: "=", PatchChange.TEXT: "~", PatchChange.CHANGED: "!", PatchChange.NEW: ">",
    PatchChange.DROPPED: "<",
}  # fmt: skip
HEADS = {
    ChangeKind.BROKE: "broke",
    ChangeKind.UNKNOWN: "no answer",
    ChangeKind.FIXED: "fixed",
    ChangeKind.DEARER: "dearer",
    ChangeKind.CHEAPER: "cheaper",
    ChangeKind.FLAKY: "not the same in all runs",
    ChangeKind.NEW: "new tests",
    ChangeKind.GONE: "tests that are gone",
    ChangeKind.BASE: "worse, and so is its base",
    ChangeKind.KNOWN: "worse, and a known issue",
}


def render(answer: CompareAnswer, verbose: bool = False) -> str:
    """The whole text. `verbose` adds the diffs of changed patches and names every test and figure."""
    lines = [line for part in _parts(answer, verbose) for line in (*part, "")]
    return "\n".join(plain(line).rstrip() for line in lines).rstrip("\n") + "\n"


def first_line(answer: CompareAnswer) -> str:
    """`worse (exit 1, 40 s): v4 against v3: 1 broke`."""
    return f"{answer.outcome} (exit {answer.exit_code}, {clock(answer.seconds)}): {answer.summary}"


def _parts(answer: CompareAnswer, verbose: bool) -> Iterator[list[str]]:
    yield [*_wrapped(first_line(answer)), *_identity(answer)]
    for step in answer.steps:
        yield list(_step(step, verbose))
    yield from tables(answer, WIDTH, verbose)


def _identity(answer: CompareAnswer) -> Iterator[str]:
    for base in dict.fromkeys((revision.base, revision.source.title) for revision in answer.revisions):
        yield from _wrapped(f"{base[0]}: {base[1]}", 2)
    for revision in answer.revisions:
        yield from _wrapped(_revision(revision), 2)
    if answer.host.accel:
        accels = ", ".join(f"{arch} {accel}" for arch, accel in sorted(answer.host.accel.items()))
        yield from _wrapped(f"guests: {accels}; QEMU {answer.host.qemu or '?'}", 2)
    made, cached = (sum(getattr(revision, name) for revision in answer.revisions) for name in ("made", "cached"))
    yield f"  kernels and guests against base: {made} made, {cached} were there already"


def _revision(revision: ComparedRevision) -> str:
    series, count = revision.series, len(revision.series.patches)
    patches = counted(count, "patch")
    name = f"{revision.name}: {plain_line(series.title)}, {patches}"
    return f"{name}; against base {revision.verdict}: {revision.summary}"


def _step(step: RevisionStep, verbose: bool) -> Iterator[str]:
    yield from _wrapped(f"{step.before} -> {step.after}: {step.outcome}: {step.summary}")
    for note in step.notes:
        yield from _wrapped(f"note: {note}", 2)
    for pair in step.patches:
        yield from _patch(pair, verbose)
    for (kind, worse), found in groupby(step.changes, key=lambda item: (item.kind, item.worse)):
        yield ""
        word = " beyond what is allowed" if worse and kind is ChangeKind.DEARER else ""
        yield f"  {HEADS[kind]}{word}:"
        lines = _figures if kind in (ChangeKind.DEARER, ChangeKind.CHEAPER) else _tests
        yield from lines(list(found), verbose)
    if step.coverage:
        yield ""
        yield from _coverage(step, verbose)


def _coverage(step: RevisionStep, verbose: bool) -> Iterator[str]:
    assert step.coverage
    found = list(coverage_change_lines(step.coverage, step.before, step.after))
    for line in found if verbose else found[:_LINES]:
        yield from _wrapped(line, 4 if line.startswith(" ") else 2)
    if len(found) > _LINES and not verbose:
        yield f"    and {len(found) - _LINES} more lines, see compare.json"


def _patch(pair: PatchPair, verbose: bool) -> Iterator[str]:
    old, new = (str(number) if number else "-" for number in (pair.before, pair.after))
    line = f"  {old:>3} {MARKS[pair.change]} {new:>3}  {plain_line(pair.subject)}"
    yield line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."
    if verbose:
        yield from (f"        {line}" for line in pair.diff[:_DIFF])
        if len(pair.diff) > _DIFF:
            yield f"        and {len(pair.diff) - _DIFF} more lines, see compare.json"


def _tests(found: Sequence[RevisionChange], verbose: bool) -> Iterator[str]:
    for cell, group in groupby(found, key=lambda item: item.cell):
        items = list(group)
        yield from _wrapped(row_name(cell) or "the series", 4)
        for item in items if verbose else items[:_TESTS]:
            yield from _wrapped(f"{item.test}: {item.text}" if item.text else item.test, 6)
        if len(items) > _TESTS and not verbose:
            yield f"      and {len(items) - _TESTS} more, see compare.json"
        if items[0].worse and items[0].reproduce:
            yield paste(items[0].reproduce, WIDTH, "      ")


def _figures(found: Sequence[RevisionChange], verbose: bool) -> Iterator[str]:
    for item in found if verbose else found[:_FIGURES]:
        yield from _wrapped(f"{row_name(item.cell)}: {item.test} {item.text}", 4)
    if len(found) > _FIGURES and not verbose:
        yield f"    and {len(found) - _FIGURES} more, see compare.json"


def _wrapped(text: str, indent: int = 0) -> Iterable[str]:
    blank = " " * indent
    return wrap(plain_line(text), WIDTH, initial_indent=blank, subsequent_indent=f"{blank}  ", break_on_hyphens=False)
