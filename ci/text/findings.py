# SPDX-License-Identifier: GPL-2.0-or-later
"""What changed, for the terminal: what fails with its evidence, the rest in a line for each suite."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from rich.console import Console

from ci.model.results import Run
from ci.model.verdicts import Comparison, Effect, TestVerdict, is_changed
from ci.text.cell_text import guest_cells, row_name
from ci.text.changes import of_guests
from ci.text.evidence import Witnesses, trace_lines
from ci.verdict import verdict
from ci.verdict.compare.builds import BUILD
from ci.verdict.figures.explain import lines as explained_lines
from ci.verdict.figures.explain import of_budget
from configs.names import STATIC
from configs.result import Cell, Status
from util.text import counted, paste, plain

_SHOWN = 10
"""Findings of one kind in one cell that are listed; the rest is counted."""
_NAMED = 3
"""Tests of one kind in one suite that count for nothing and are named all the same."""
_EFFECT_COLOURS = {Effect.FAIL: "red", Effect.UNKNOWN: "yellow", Effect.NONE: ""}


def print_findings(run: Run, console: Console) -> None:
    """What counts in the verdict, what fails it first."""
    effects = (Effect.FAIL, Effect.UNKNOWN)
    _print_groups(run, console, [item for effect in effects for item in run.comparisons if item.effect is effect])


def print_rest(run: Run, console: Console, verbose: bool) -> None:
    """What changed and counts for nothing: a line for each verdict and suite, or with `verbose` test by test."""
    items = [item for item in run.comparisons if item.effect is Effect.NONE and _changed(item)]
    if not any(item.effect is not Effect.NONE or _changed(item) for item in run.comparisons):
        figures = bool(of_guests(run)) or any(cell.cell.suite in STATIC for cell in run.cells)
        nothing = "No test changed its result." if figures else "Nothing changed." if run.base else "Nothing to tell."
        if others := _left_out(run):
            nothing = f"Nothing to tell of the tests that count; {others} of the others failed."
        console.print(nothing, end="\n\n")
    elif verbose:
        _print_groups(run, console, items)
    elif items:
        for line in _short(items):
            print_lines(console, line, 0)
        console.print()


def _changed(item: Comparison) -> bool:
    """What changed within its budget is told in one line for each cell, not test by test."""
    return item.verdict is not None and item.verdict is not TestVerdict.SAME and not is_changed(item)


def _short(items: Sequence[Comparison]) -> Iterator[str]:
    """`new: selftests/timers, 999 tests in 5 cells`; a few are named."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for item in items:
        groups.setdefault((_word(item), item.cell.suite), []).append(item)
    order = [verdict.value for verdict in TestVerdict]
    for (word, suite), found in sorted(groups.items(), key=lambda group: order.index(group[0][0])):
        tests, cells = len(found), len({item.cell for item in found})
        known = sum(item.known is not None for item in found)
        line = f"{word}: {suite}, {counted(tests, 'test')} in {counted(cells, 'cell')}"
        line += f", {known} of them known" if known else ""
        failing = any(status is Status.FAIL for item in found for status in item.patched)
        if failing and len(found) <= _NAMED:
            line += f" ({'; '.join(f'{row_name(item.cell)}: {item.test}' for item in found)})"
        yield line


def _print_groups(run: Run, console: Console, items: Sequence[Comparison]) -> None:
    groups: dict[tuple[Effect, str, str], list[Comparison]] = {}
    for item in items:
        groups.setdefault((item.effect, _word(item), str(item.cell)), []).append(item)
    told: set[Cell] = set()
    witnesses = Witnesses(run)
    for (effect, word, _), found in groups.items():
        fresh = [item for item in found if not witnesses.told_in(item)]
        _print_group(console, effect, word, fresh, [item for item in found if witnesses.told_in(item)])
        if fresh and effect is not Effect.NONE and found[0].cell not in told:
            told.add(found[0].cell)
            _print_evidence(witnesses, console, fresh[0])
        for line in explained_lines(run, [one for item in found for one in of_budget(run, item)]):
            console.print(f"  {plain(line)}", markup=False, soft_wrap=True)
        console.print()


def _left_out(run: Run) -> int:
    """How many tests of a run without a base failed and were left out of the judgement, by `--test`."""
    if run.base:
        return 0
    judged = {(item.cell, item.test) for item in run.comparisons}
    return sum(
        test.status is Status.FAIL and (cell.cell, test.name) not in judged
        for cell in guest_cells(run)
        for test in cell.tests
    )


def _word(item: Comparison) -> str:
    return item.verdict.value if item.verdict else verdict.show(item.patched)


def _print_group(
    console: Console, effect: Effect, word: str, found: Sequence[Comparison], again: Sequence[Comparison]
) -> None:
    """`again` are reports of the kernel that stand under another ABI already."""
    cell = (*found, *again)[0].cell
    console.print(plain(f"{word}: {row_name(cell)}"), style=f"bold {_EFFECT_COLOURS[effect]}".strip(), markup=False)
    alike: dict[str, list[str]] = {}
    for item in found:
        alike.setdefault(_sides(item), []).append(item.test)
    for statuses, tests in list(alike.items())[:_SHOWN]:
        for test in tests[:_SHOWN]:
            print_lines(console, test, 2)
        if len(tests) > _SHOWN:
            console.print(f"  and {len(tests) - _SHOWN} more, see results.json")
        print_lines(console, statuses, 6)
    if again:
        print_lines(console, f"and {len(again)} of the kernel's reports above, in this ABI as well", 2)
    rest = sum(map(len, list(alike.values())[_SHOWN:]))
    if rest:
        console.print(f"  and {rest} more, see results.json")


def _sides(item: Comparison) -> str:
    statuses = f"{item.cell.variant}: {verdict.show(item.patched)}"
    if item.base:
        statuses = f"{item.against}: {verdict.show(item.base)}; {statuses}"
    known = f"; known: {item.known.reason} ({item.known.link})" if item.known else ""
    return f"{statuses}{'; ' if item.message else ''}{item.message}{known}"


def _print_evidence(witnesses: Witnesses, console: Console, item: Comparison) -> None:
    """For the first finding of a group: the place in the source, the log, and what repeats it: one command, for a
    kernel the few that must follow each other."""
    found = witnesses.of(item)
    for line in (*trace_lines(found), *(found.run.state if found.run else ())):
        print_lines(console, line, 6)
    if found.run and found.run.console:
        print_lines(console, f"console: {found.run.console}", 6)
    for command in found.commands if item.cell.suite == BUILD else found.commands[:1]:
        console.print(paste(command, console.width, "      "), markup=False, soft_wrap=True)


def print_lines(console: Console, text: str, indent: int) -> None:
    """Breaks at blanks, and inside a word only if it is wider than the terminal."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    prefix = " " * indent
    for line in wrap(
        clean, console.width, initial_indent=prefix, subsequent_indent=prefix + "  ", break_on_hyphens=False
    ):
        console.print(line, markup=False, soft_wrap=True)
