# SPDX-License-Identifier: GPL-2.0-or-later
"""Decides what one kernel is: it shows the fault, it is free of it, or it says nothing about it."""

from dataclasses import dataclass, replace

from ci.bisect.ends import Ends
from ci.bisect.facts.asking import Asking
from ci.bisect.facts.signature import BootAnswer
from ci.bisect.git_driver import Mark
from ci.bisect.sequential import BootTally, SequentialDecision
from util.text import counted

PATIENCE = 3
"""Boots without an answer after which a commit is skipped, unless more of them gave one."""
MOST = 600
"""Boots after which a commit that cannot be decided is skipped."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one commit is. `reason` is why it was skipped, `fault` the other fault that was seen there."""

    mark: Mark
    reason: str = ""
    fault: str = ""


class Rules:
    """Asks until a decision is sure enough. `faulty` and `clean` are the ends, which were decided before; with `fixed`
    the older one is the faulty one. `ends` follows: the ends are booted along with what is hard to decide."""

    def __init__(self, asking: Asking, ends: Ends, faulty: str, clean: str, fixed: bool = False) -> None:
        self.asking, self.ends = asking, ends
        self._faulty, self._clean, self._fixed = faulty, clean, fixed

    def tally(self, commit: str) -> BootTally:
        return self.asking.tally(commit, self.ends.signature)

    def shows(self, ruling: Ruling) -> bool:
        """Whether a commit that was ruled so shows the fault."""
        return ruling.mark is not Mark.SKIP and (ruling.mark is Mark.BAD) != self._fixed

    def rule(self, commit: str, error: float) -> Ruling:
        """Asks a commit until it is good or bad with at most this error, or says nothing."""
        made = self.asking.made(commit)
        if self.asking.sought.builds:
            return Ruling(self._mark(SequentialDecision.BAD if made.failure else SequentialDecision.GOOD))
        if made.failure:
            return Ruling(Mark.SKIP, f"does not build: {made.failure}")
        while True:
            seen = self.tally(commit)
            call = self._known_end(commit) or self.ends.rates.call(seen, error)
            if call is not SequentialDecision.OPEN:
                return Ruling(self._mark(call))
            lost = len(self.asking.boots(commit)) - seen.boots
            if lost >= PATIENCE and lost > seen.boots:
                return self._skipped(commit)
            if seen.boots >= MOST:
                return Ruling(
                    Mark.SKIP, f"could not be decided: shows it in {seen.failures} of {counted(seen.boots, 'boot')}"
                )
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

    def _known_end(self, commit: str) -> SequentialDecision | None:
        return {self._faulty: SequentialDecision.BAD, self._clean: SequentialDecision.GOOD}.get(commit)

    def _mark(self, call: SequentialDecision) -> Mark:
        """git's word: with `fixed` the commits that show the fault are the old ones."""
        return Mark.BAD if (call is SequentialDecision.BAD) != self._fixed else Mark.GOOD

    def _skipped(self, commit: str) -> Ruling:
        signature = self.ends.signature
        boots = [
            boot for boot in self.asking.boots(commit) if signature.answer(boot) in (BootAnswer.OTHER, BootAnswer.NONE)
        ]
        other = next((text for boot in boots for text in boot.other), "")
        failure = next((item for boot in boots for item in boot.failures), None)
        if (failure and failure.name not in signature.names) or (failure and not other):
            other = f"{failure.name}: {failure.message or failure.mark}"
        if not any(boot.booted for boot in boots):
            return Ruling(Mark.SKIP, f"does not boot: {other or 'no answer'}", other)
        return Ruling(Mark.SKIP, f"another fault: {other}" if other else "the test gave no answer", other)

    def words(self, commit: str, ruling: Ruling) -> str:
        if ruling.mark is Mark.SKIP:
            return f"skipped: {ruling.reason}"
        if self.asking.sought.builds:
            return "does not build" if self.asking.made(commit).failure else "builds"
        seen = self.tally(commit)
        shows = (ruling.mark is Mark.BAD) != self._fixed
        return f"{'shows it' if shows else 'free of it'} ({seen.failures} of {counted(seen.boots, 'boot')})"
