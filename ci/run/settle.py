# SPDX-License-Identifier: GPL-2.0-or-later
"""Re-runs: what differs between base and the judged variant runs again on both.

Everything in doubt runs again once: that tells most flaky tests from those that fail. Then the pairs of cells get their
further runs one after the other, the quickest first, until a failure has held in every run that it may have: the run
fails then, whatever further runs of the others would show.
"""

from collections.abc import Callable, Sequence

from ci.model.results import Run
from ci.model.verdicts import Effect
from ci.run.tasks.executor import Executor
from ci.verdict.doubt import Doubt, find_doubts, told, turns, wanted
from configs.result import Cell
from util.events import Event, Listener, Phase


class Settling:
    """The re-runs of one set of cells, each at most `last` times. `so_far` judges what has finished."""

    def __init__(self, executor: Executor, run: Run, last: int, so_far: Callable[[], Run], emit: Listener) -> None:
        self._executor, self._run, self._last, self._so_far, self._emit = executor, run, last, so_far, emit

    def settle(self) -> None:
        """Returns when no further run could change the verdict. Of `check --each` every patch is judged, so every doubt
        gets all its runs."""
        if self._run.base is None or not self._last:
            return
        while left := self._left():
            attempt = min(left.values())
            if attempt == 1 or self._run.each:
                self._again([doubt for doubt in left if left[doubt] == attempt], attempt)
            elif self._holds():
                self._note(f"a failure held in all {self._last + 1} runs; what else differs is not run again")
                return
            else:
                quickest = min(left, key=self._seconds)
                self._again([quickest], left[quickest])

    def _done(self) -> set[tuple[Cell, int]]:
        """The runs that there are: these, and those of earlier sets of cells."""
        return {(result.cell, result.attempt) for result in self._executor.cells()}

    def _left(self) -> dict[Doubt, int]:
        """The doubts that may have further runs, with the number of the next one."""
        done, every = self._done(), range(1, self._last + 1)
        doubts = find_doubts(self._executor.cells(), self._run)
        nexts = (
            (doubt, [turn for turn in every for cell in doubt.cells if (cell, turn) not in done]) for doubt in doubts
        )
        return {doubt: missing[0] for doubt, missing in nexts if missing}

    def _again(self, doubts: Sequence[Doubt], attempt: int) -> None:
        done = self._done()
        pairs = dict.fromkeys(pair for pair in turns(doubts, attempt, self._last) if pair not in done)
        numbers = sorted({turn for _, turn in pairs})
        several = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else f"{attempt}"
        self._note(f"{told(doubts)}; running both variants again, {several} of at most {self._last} times")
        self._executor.rerun(pairs, wanted(doubts), {doubt.judged for doubt in doubts if doubt.hung})

    def _holds(self) -> bool:
        """Whether a test fails the run that has had all its runs."""
        judged = self._so_far().comparisons
        return any(item.effect is Effect.FAIL and len(item.patched) > self._last for item in judged)

    def _seconds(self, doubt: Doubt) -> float:
        """What a further run of both cells will take."""
        return sum(cell.seconds for cell in self._executor.cells() if cell.cell in doubt.cells and not cell.attempt)

    def _note(self, text: str) -> None:
        self._emit(Event("check", Phase.NOTE, text))
