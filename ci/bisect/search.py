# SPDX-License-Identifier: GPL-2.0-or-later
"""From verified ends to a commit whose parent is free of the fault: git says which commit is next, the boots say what
it is, and what is named in the end is checked to the confidence that was asked for.

A step is decided quickly (`sequential.STEP_ERROR`). If a bad commit was taken for good that way, the commit named in
the end has a parent that shows the fault after all: then its mark is corrected and the search goes on.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from ci.bisect.asking import Asking
from ci.bisect.ends import Ends
from ci.bisect.git_driver import Mark, Position
from ci.bisect.sequential import STEP_ERROR, Call, Tally, doubt
from ci.bisect.signature import Answer
from util.events import Event, Listener, Phase

PATIENCE = 3
"""Boots without an answer after which a commit is skipped, unless more of them gave one."""
MOST = 600
"""Boots after which a commit that cannot be decided is skipped."""
CORRECTIONS = 40


class Driver(Protocol):
    """What the search needs of `git bisect`."""

    def start(self, marks: Iterable[tuple[str, Mark]] = ()) -> Position: ...

    def mark(self, commit: str, mark: Mark) -> Position: ...

    def parents(self, commit: str) -> tuple[str, ...]: ...

    def open_words(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one commit is. `reason` is why it was skipped, `fault` the other fault that was seen there."""

    mark: Mark
    reason: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the search ended: one commit or several, or `trouble`. `doubt` is the probability that the one commit is
    wrong; `outside` are parents that show the fault although git took the commit for the first."""

    found: tuple[str, ...] = ()
    doubt: float = 1.0
    trouble: str = ""
    outside: tuple[str, ...] = ()
    unasked: tuple[str, ...] = ()


class Search:
    """One search. `faulty` and `clean` are the ends; with `fixed` the older end is the faulty one."""

    def __init__(
        self, asking: Asking, driver: Driver, ends: Ends, faulty: str, clean: str, confidence: float, emit: Listener,
        fixed: bool = False,
    ) -> None:  # fmt: skip
        self.asking, self.driver, self.ends, self.fixed = asking, driver, ends, fixed
        self.error = (1 - confidence) / 8
        self.marks: dict[str, Mark] = {}
        self.rulings: dict[str, Ruling] = {}
        self._faulty, self._clean, self._emit = faulty, clean, emit

    def run(self) -> Place:
        """Raises MachineError, UserError, Stopped."""
        for _ in range(CORRECTIONS):
            position = self._walk(self.driver.start(tuple(self.marks.items())))
            if position.trouble:
                return Place(trouble=position.trouble)
            if len(position.found) != 1:
                return Place(found=position.found)
            place = self._check(position.found[0])
            if place is not None:
                return place
        return Place(
            trouble="the commits contradict each other again and again: the fault may depend on the host's load"
        )

    def tally(self, commit: str) -> Tally:
        return self.asking.tally(commit, self.ends.signature)

    def _walk(self, position: Position) -> Position:
        while position.next:
            commit = position.next
            self._tell(position)
            self._rule(commit, STEP_ERROR)
            position = self.driver.mark(commit, self.marks[commit])
        return position

    def _rule(self, commit: str, error: float) -> None:
        ruling = self.rule(commit, error)
        self.rulings[commit], self.marks[commit] = ruling, ruling.mark
        self._emit(Event("bisect", Phase.NOTE, f"{self.asking.name(commit)}: {self._words(commit, ruling)}"))

    def rule(self, commit: str, error: float) -> Ruling:
        """Asks a commit until it is good or bad with at most this error, or says nothing."""
        made = self.asking.made(commit)
        if self.asking.sought.builds:
            return Ruling(self._mark(Call.BAD if made.failure else Call.GOOD))
        if made.failure:
            return Ruling(Mark.SKIP, f"does not build: {made.failure}")
        while True:
            seen = self.tally(commit)
            call = self._known_end(commit) or self.ends.rates.call(seen, error)
            if call is not Call.OPEN:
                return Ruling(self._mark(call))
            lost = len(self.asking.boots(commit)) - seen.boots
            if lost >= PATIENCE and lost > seen.boots:
                return self._skipped(commit)
            if seen.boots >= MOST:
                return Ruling(Mark.SKIP, f"could not be decided: shows it in {seen.failures} of {seen.boots} boots")
            self.asking.boot(commit, self.ends.rates.wanted(seen, error, self.asking.jobs))
            self._keep_up(self.tally(commit).boots)

    def _keep_up(self, boots: int) -> None:
        """Boots the ends as often as the commit in question: what is between the rates of two ends that are little
        known cannot be decided, however often it is booted."""
        if self.ends.rates.exact:
            return
        for end in (self._faulty, self._clean):
            if self.tally(end).boots < boots:
                self.asking.boot(end, self.asking.jobs)
        rates = replace(self.ends.rates, bad=self.tally(self._faulty), good=self.tally(self._clean))
        self.ends = replace(self.ends, rates=rates)

    def _known_end(self, commit: str) -> Call | None:
        return {self._faulty: Call.BAD, self._clean: Call.GOOD}.get(commit)

    def _mark(self, call: Call) -> Mark:
        """git's word: with `fixed` the commits that show the fault are the old ones."""
        return Mark.BAD if (call is Call.BAD) != self.fixed else Mark.GOOD

    def _skipped(self, commit: str) -> Ruling:
        signature = self.ends.signature
        boots = [boot for boot in self.asking.boots(commit) if signature.answer(boot) in (Answer.OTHER, Answer.NONE)]
        other = next((text for boot in boots for text in boot.other), "")
        failure = next((item for boot in boots for item in boot.failures), None)
        if (failure and failure.name not in signature.names) or (failure and not other):
            other = f"{failure.name}: {failure.message or failure.mark}"
        if not any(boot.booted for boot in boots):
            return Ruling(Mark.SKIP, f"does not boot: {other or 'no answer'}", other)
        return Ruling(Mark.SKIP, f"another fault: {other}" if other else "the test gave no answer", other)

    def _check(self, commit: str) -> Place | None:
        """The place, if the commit named in the end and its parents are what they were taken for; None where a mark was
        corrected."""
        parents = self.driver.parents(commit)
        wrong, outside, unasked = [], [], []
        for asked in (commit, *parents):
            before = self.marks.get(asked)
            ruling = self.rule(asked, self.error)
            wanted = Mark.BAD if asked == commit else Mark.GOOD
            if ruling.mark is Mark.SKIP:
                unasked.append(asked)
            elif ruling.mark is not wanted and before is None and asked not in (self._faulty, self._clean):
                outside.append(asked)
            elif ruling.mark is not wanted:
                wrong.append((asked, ruling))
        for asked, ruling in wrong:
            self._emit(
                Event("bisect", Phase.NOTE, f"{self.asking.name(asked)}: corrected: {self._words(asked, ruling)}")
            )
            self.rulings[asked], self.marks[asked] = ruling, ruling.mark
        if wrong:
            return None
        return Place((commit,), self._doubt(commit, parents), outside=tuple(outside), unasked=tuple(unasked))

    def _doubt(self, commit: str, parents: Iterable[str]) -> float:
        """The probability that one of the decisions behind the place is wrong."""
        if self.asking.sought.builds or self.ends.rates.exact:
            return 0.0
        return min(1.0, sum(doubt(self.ends.rates.ratio(self.tally(asked))) for asked in (commit, *parents)))

    def _words(self, commit: str, ruling: Ruling) -> str:
        if ruling.mark is Mark.SKIP:
            return f"skipped: {ruling.reason}"
        if self.asking.sought.builds:
            return "does not build" if self.asking.made(commit).failure else "builds"
        seen = self.tally(commit)
        shows = (ruling.mark is Mark.BAD) != self.fixed
        return f"{'shows it' if shows else 'free of it'} ({seen.failures} of {seen.boots} boots)"

    def _tell(self, position: Position) -> None:
        steps = max(1, position.steps)
        spent = self.asking.spent.step_seconds
        known = [seconds for commit, seconds in spent.items() if commit not in (self._faulty, self._clean)]
        each = sum(known) / len(known) if known else 0.0
        time = f", about {each * (position.steps + 2):.0f} s" if known else ""
        text = f"{position.left + 1} commits are open, about {steps} steps{time}; {self.driver.open_words()}"
        self._emit(Event("bisect", Phase.NOTE, text))
