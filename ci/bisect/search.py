# SPDX-License-Identifier: GPL-2.0-or-later
"""From verified ends to a commit whose parent is free of the fault: git says which commit is next, the boots say what
it is, and what is named in the end is checked to the confidence that was asked for.

A step is decided quickly (`sequential.STEP_ERROR`). If a bad commit was taken for good that way, the commit named in
the end has a parent that shows the fault after all: then its mark is corrected and the search goes on.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ci.bisect.ends import Ends
from ci.bisect.facts.asking import Asking
from ci.bisect.git_driver import Mark, Position
from ci.bisect.ruling import Rules, Ruling
from ci.bisect.sequential import STEP_ERROR, BootTally, doubt
from util.events import Event, Listener, Phase
from util.text import duration

CORRECTIONS = 40


class Driver(Protocol):
    """What the search needs of `git bisect`."""

    def start(self, marks: Iterable[tuple[str, Mark]] = ()) -> Position: ...

    def mark(self, commit: str, mark: Mark) -> Position: ...

    def foresee(self, commit: str) -> tuple[str, ...]: ...

    def parents(self, commit: str) -> tuple[str, ...]: ...

    def open_words(self) -> str: ...


@dataclass(frozen=True, slots=True)
class SearchEnd:
    """Where the search ended: one commit or several, or `trouble`. `doubt` is the probability that the one commit is
    wrong; `outside` are parents that show the fault although git took the commit for the first."""

    found: tuple[str, ...] = ()
    doubt: float = 1.0
    trouble: str = ""
    outside: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()


class BisectSearch:
    """One search. `faulty` and `clean` are the ends; with `fixed` the older end is the faulty one."""

    def __init__(
        self, asking: Asking, driver: Driver, ends: Ends, faulty: str, clean: str, confidence: float, emit: Listener,
        fixed: bool = False,
    ) -> None:  # fmt: skip
        self.asking, self.driver = asking, driver
        self.rules = Rules(asking, ends, faulty, clean, fixed)
        self.error = (1 - confidence) / 8
        self.marks: dict[str, Mark] = {}
        self.rulings: dict[str, Ruling] = {}
        self._faulty, self._clean, self._emit = faulty, clean, emit

    def run(self) -> SearchEnd:
        """Raises MachineError, UserError, Stopped."""
        for _ in range(CORRECTIONS):
            position = self._walk(self.driver.start(tuple(self.marks.items())))
            if position.trouble:
                return SearchEnd(trouble=position.trouble)
            if len(position.found) != 1:
                return SearchEnd(found=position.found)
            place = self._check(position.found[0])
            if place is not None:
                return place
        return SearchEnd(
            trouble="the commits contradict each other again and again: the fault may depend on the host's load"
        )

    @property
    def ends(self) -> Ends:
        return self.rules.ends

    def tally(self, commit: str) -> BootTally:
        return self.rules.tally(commit)

    def _walk(self, position: Position) -> Position:
        while position.next:
            commit = position.next
            self._tell(position)
            self.asking.ahead(self.driver.foresee(commit))
            self._rule(commit, STEP_ERROR)
            position = self.driver.mark(commit, self.marks[commit])
        return position

    def _rule(self, commit: str, error: float) -> None:
        ruling = self.rules.rule(commit, error)
        self.rulings[commit], self.marks[commit] = ruling, ruling.mark
        self._emit(Event("bisect", Phase.NOTE, f"{self.asking.name(commit)}: {self.rules.words(commit, ruling)}"))

    def _check(self, commit: str) -> SearchEnd | None:
        """The place, if the commit named in the end and its parents are what they were taken for; None where a mark was
        corrected."""
        parents = self.driver.parents(commit)
        wrong, outside, unasked = [], [], []
        for asked in (commit, *parents):
            before = self.marks.get(asked)
            ruling = self.rules.rule(asked, self.error)
            wanted = Mark.BAD if asked == commit else Mark.GOOD
            if ruling.mark is Mark.SKIP:
                unasked.append(asked)
            elif ruling.mark is not wanted and before is None and asked not in (self._faulty, self._clean):
                outside.append(asked)
            elif ruling.mark is not wanted:
                wrong.append((asked, ruling))
        for asked, ruling in wrong:
            self._emit(
                Event("bisect", Phase.NOTE, f"{self.asking.name(asked)}: corrected: {self.rules.words(asked, ruling)}")
            )
            self.rulings[asked], self.marks[asked] = ruling, ruling.mark
        if wrong:
            return None
        return SearchEnd((commit,), self._doubt(commit, parents), outside=tuple(outside), unasked=tuple(unasked))

    def _doubt(self, commit: str, parents: Iterable[str]) -> float:
        """The probability that one of the decisions behind the place is wrong."""
        if self.asking.sought.builds or self.ends.rates.exact:
            return 0.0
        return min(1.0, sum(doubt(self.ends.rates.ratio(self.tally(asked))) for asked in (commit, *parents)))

    def _tell(self, position: Position) -> None:
        steps = max(1, position.steps)
        spent = self.asking.spent.step_seconds
        known = [seconds for commit, seconds in spent.items() if commit not in (self._faulty, self._clean)]
        each = sum(known) / len(known) if known else 0.0
        time = f", about {duration(each * (position.steps + 2))}" if known else ""
        text = f"about {steps} step{'s' if steps > 1 else ''} left{time}; open: {self.driver.open_words()}"
        self._emit(Event("bisect", Phase.NOTE, text))
