# SPDX-License-Identifier: GPL-2.0-or-later
"""Which tests are worth another run on both variants. Pure functions over the runs so far."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ci.model.results import Run
from ci.model.stages import CellResult
from ci.model.verdicts import Comparison, Effect, TestVerdict
from ci.verdict.compare.cells import compare_boot, compare_cell, doubtful_tests
from ci.verdict.guest_tests import death
from configs.result import Cell
from guests.crash.outcome import End
from util.text import counted

_OF_NO_TEST = ("cell", "suite/tests", "suite/base")
"""Comparisons that stand for a cell as a whole."""


_Groups = dict[tuple[Cell, str], list[CellResult]]
"""The runs of each cell and suite variant, the first ones first."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Two equal cells, and the tests in doubt. `whole`: the end of a guest, a report of its kernel or the suite itself
    is in doubt, and nothing less than the whole suite can show it again. `hung`: the judged guest waited for a test
    that did not end; to see that again costs time, and next to no processor."""

    base: Cell
    judged: Cell
    tests: tuple[str, ...]
    whole: bool
    hung: bool = False

    @property
    def cells(self) -> tuple[Cell, Cell]:
        return self.base, self.judged

    @property
    def only(self) -> tuple[str, ...]:
        """The tests that a re-run has to hold; empty: all of the suite."""
        return () if self.whole else self.tests


def find_doubts(results: Iterable[CellResult], run: Run) -> list[Doubt]:
    """One for each pair of cells whose verdict a further run could change."""
    groups: _Groups = {}
    for result in sorted(results, key=lambda item: item.attempt):
        groups.setdefault((result.cell, result.suite_variant), []).append(result)
    base = run.variants[0].name
    others = [(cell, runs) for (cell, suite), runs in groups.items() if cell.variant != base and not suite]
    found = (
        _doubt(cell, runs, groups, base)
        if run.each or cell.variant == run.judged.name
        else _boot_doubt(cell, runs, groups, base)
        for cell, runs in others
    )
    return _one_of_each_death([doubt for doubt in found if doubt], groups)


def _one_of_each_death(doubts: Sequence[Doubt], groups: _Groups) -> list[Doubt]:
    """Without the cells in which the same kernel died the same way as in an earlier one: as long as that one is in
    doubt itself, it is the one to try again."""
    found: dict[object, Doubt] = {}
    for doubt in doubts:
        cell, how = doubt.judged, death(groups[doubt.judged, ""][0])
        found.setdefault((cell.variant, cell.arch, cell.flavour, how) if how else cell, doubt)
    return list(found.values())


def wanted(doubts: Iterable[Doubt]) -> dict[Cell, tuple[str, ...]]:
    """What is to be run again: the tests of each cell, none for all of them. Base may be in doubt against several."""
    found: dict[Cell, tuple[str, ...]] = {}
    for doubt in doubts:
        for cell in doubt.cells:
            known = found.get(cell)
            whole = doubt.whole or known == ()
            found[cell] = () if whole else tuple(dict.fromkeys((*(known or ()), *doubt.only)))
    return found


def turns(doubts: Iterable[Doubt], attempt: int, last: int) -> Iterator[tuple[Cell, int]]:
    """The cells to run now, and as which attempts: one, and of what hung all up to the last, side by side."""
    for doubt in doubts:
        for turn in range(attempt, (last if doubt.hung else attempt) + 1):
            yield from ((cell, turn) for cell in doubt.cells)


def _boot_doubt(cell: Cell, runs: Sequence[CellResult], groups: _Groups, base: str) -> Doubt | None:
    """Of a variant between base and the judged one only the guest as such is compared."""
    other = Cell(base, cell.arch, cell.abi, cell.flavour, cell.suite)
    before = groups[other, ""]
    tests = doubtful_tests(before[0], runs[0], compare_boot(before, runs))
    return Doubt(other, cell, tests, whole=True) if tests else None


def _doubt(cell: Cell, judged: Sequence[CellResult], groups: _Groups, base: str) -> Doubt | None:
    other = Cell(base, cell.arch, cell.abi, cell.flavour, cell.suite)
    runs, suite = groups[other, ""], groups.get((other, base))
    found = compare_cell(runs, judged, suite)
    tests = doubtful_tests(runs[0], judged[0], found)
    refuted = _refuted(runs, judged, found)
    whole = bool(refuted) or len(_whole(judged)) > 1
    whole = whole or any(test.startswith("guest/") or test in _OF_NO_TEST for test in tests)
    tests = tuple(dict.fromkeys((*tests, *refuted)))
    return Doubt(other, cell, tests, whole, judged[0].end == End.TEST_HUNG) if tests else None


def _refuted(base: Sequence[CellResult], judged: Sequence[CellResult], found: Iterable[Comparison]) -> tuple[str, ...]:
    """The tests that came to something else when they were run without the others: they may depend on them, and are not
    called flaky before the whole suite was run again. Where the first run was of chosen tests as well, nothing is."""
    if len(_whole(judged)) != 1:
        return ()
    first = {item.test for item in compare_cell(_whole(base), _whole(judged)) if item.effect is not Effect.NONE}
    return tuple(item.test for item in found if item.verdict is TestVerdict.FLAKY and item.test in first)


def _whole(runs: Sequence[CellResult]) -> list[CellResult]:
    return [run for run in runs if not run.only]


def told(doubts: Sequence[Doubt]) -> str:
    """`3 tests of 2 cells differ`."""
    tests, cells = sum(len(doubt.tests) for doubt in doubts), len(doubts)
    return f"{counted(tests, 'test')} of {counted(cells, 'cell')} differ{'s' if tests == 1 else ''}"
