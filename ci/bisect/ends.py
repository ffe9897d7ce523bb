# SPDX-License-Identifier: GPL-2.0-or-later
"""Both ends of the range, verified in fresh guests before anything else: one shows the fault, the other does not."""

from dataclasses import dataclass

from ci.bisect.facts.asking import Asking
from ci.bisect.facts.signature import BootAnswer, Signature, SoughtKind, signature_of
from ci.bisect.sequential import LOWEST_RATE, BootTally, Rates, boots_to_see, fisher_p
from ci.model.stages import END
from ci.verdict.test_filter import nearest
from util.errors import UserError
from util.events import Event, Listener, Phase, silent
from util.text import counted

STEADY = 4
"""A fault that showed in each of so many boots of its end is taken for one that nearly always shows,"""
SEEN = 5
"""and a flaky one is booted until it showed so often, so that its rate is known well enough."""
COMPARED = 12
"""Boots of each end, at least, where both show the fault and their rates have to be told apart."""


@dataclass(frozen=True, slots=True)
class Ends:
    """How the ends behave. `trouble` says in one line why the range cannot be bisected, `alike` that they are alike."""

    signature: Signature
    rates: Rates
    trouble: str = ""
    alike: bool = False


class EndsCheck:
    """Boots the ends until it is known how they behave. `faulty` and `clean` are commits."""

    def __init__(
        self, asking: Asking, faulty: str, clean: str, confidence: float, rate: float | None, emit: Listener = silent,
    ) -> None:  # fmt: skip
        self.asking, self.faulty, self.clean = asking, faulty, clean
        self.confidence, self.rate = confidence, rate
        self.error = (1 - confidence) / 8
        self._signature = Signature(kind=asking.sought.kind)
        self._emit, self._named_others = emit, False

    def check(self) -> Ends:
        """Raises UserError for a name that nothing answers to and for ends that are swapped."""
        if self.asking.sought.builds:
            return self._built()
        for commit in (self.faulty, self.clean) if self._relative() else (self.faulty,):
            if text := self._unbuilt(commit):
                return self._trouble(text)
        self._look()
        if self._shows(self.faulty) == 0:
            return self._absent()
        self._narrow()
        self._settle_faulty()
        if text := self._unbuilt(self.clean):
            return self._trouble(text)
        return self._settle_clean()

    def _relative(self) -> bool:
        """Whether the fault is known only by what is different at the clean end."""
        return self.asking.sought.kind in (SoughtKind.VERDICT, SoughtKind.BUDGET)

    def _unbuilt(self, commit: str) -> str:
        failure = self.asking.made(commit).failure
        return f"{self.asking.name(commit)} cannot be built: {failure}" if failure else ""

    def _built(self) -> Ends:
        fails = [bool(self.asking.made(commit).failure) for commit in (self.faulty, self.clean)]
        rates = Rates(BootTally(1, int(fails[0])), BootTally(1, int(fails[1])), 1.0)
        if fails == [False, True]:
            raise UserError(self._swapped())
        words = "neither end fails to build" if not any(fails) else "both ends fail to build"
        return Ends(self._signature, rates, "" if fails == [True, False] else words, fails[0] == fails[1])

    def _look(self) -> None:
        """The faulty end until the fault shows. The clean end is booted once where it says what does not count, and
        before the faulty one is booted for long: the ends may be swapped."""
        for commit in (self.faulty, self.clean) if self._relative() else (self.faulty,):
            if not self.asking.boots(commit):
                self.asking.boot(commit, 1)
            self._must_be_known(commit)
        self._sign()
        limit = self._limit()
        while not self._shows(self.faulty) and self._answered(self.faulty) < limit:
            lost = self._lost(self.faulty)
            if (lost >= 3 and lost > self._answered(self.faulty)) or self._swapped_now():
                return
            self._name_others()
            self.asking.boot(self.faulty, min(self.asking.jobs, limit))
            self._sign()

    def _name_others(self) -> None:
        """A title that is misspelt is waited for in vain: what the log does hold is said once."""
        others = self._other_reports()
        if others and not self._named_others:
            name, words = self.asking.name(self.faulty), self.asking.sought.words
            self._emit(Event("bisect", Phase.NOTE, f"{name} does not show {words} yet; its log holds: {others}"))
        self._named_others = True

    def _other_reports(self) -> str:
        if self.asking.sought.kind is not SoughtKind.SPLAT:
            return ""
        found = dict.fromkeys(text.partition(": ")[0] for boot in self.asking.boots(self.faulty) for text in boot.other)
        return "; ".join(title for title in found if title != END)

    def _limit(self) -> int:
        if self.asking.sought.kind is SoughtKind.BUDGET:
            return 1
        return boots_to_see(self.rate or LOWEST_RATE, 1 - self.confidence)

    def _narrow(self) -> None:
        """From here on the one cell is asked in which the fault showed first: a step costs one guest then."""
        spots = self.asking.failing_spots(self.faulty, self._signature)
        if self.asking.narrow(spots):
            self._look()

    def _settle_faulty(self) -> None:
        while True:
            seen = self._tally(self.faulty)
            done = seen.failures >= (STEADY if not seen.passes else SEEN)
            if done or self._exact() or (self.rate is not None and seen.failures >= 2):
                return
            if self._lost(self.faulty) > 2 * SEEN + seen.boots:
                return
            missing = STEADY - seen.failures if not seen.passes else self.asking.jobs
            self.asking.boot(self.faulty, max(1, min(self.asking.jobs, missing)))
            self._sign()

    def _settle_clean(self) -> Ends:
        while True:
            bad, good = self._tally(self.faulty), self._tally(self.clean)
            rates = Rates(bad, good, self.rate, self._exact())
            if good.failures:
                return self._both_show(rates)
            if good.boots and (self._exact() or rates.cleared(good.boots, self.error)):
                return Ends(self._signature, rates)
            if self._lost(self.clean) >= 3 > good.boots:
                other = next((text for boot in self.asking.boots(self.clean) for text in boot.other), "no answer")
                return self._trouble(f"{self.asking.name(self.clean)} says nothing about the fault: {other}")
            self.asking.boot(self.clean, self.asking.jobs)

    def _both_show(self, rates: Rates) -> Ends:
        """The clean end fails as well: only rates that differ beyond chance can be told apart."""
        while not self._exact() and min(rates.bad.boots, rates.good.boots) < COMPARED:
            fewer = self.faulty if rates.bad.boots < rates.good.boots else self.clean
            self.asking.boot(fewer, self.asking.jobs)
            rates = Rates(self._tally(self.faulty), self._tally(self.clean), self.rate)
        if not self._exact() and fisher_p(rates.bad, rates.good) <= 1 - self.confidence:
            return Ends(self._signature, rates)
        return Ends(self._signature, rates, f"both ends show the fault: {self._counts()}", alike=True)

    def _absent(self) -> Ends:
        if self._answered(self.faulty) >= 2 and self._swapped_now():
            raise UserError(self._swapped())
        seen, lost = self._answered(self.faulty), self._lost(self.faulty)
        name = self.asking.name(self.faulty)
        if not seen:
            boots = self.asking.boots(self.faulty)
            other = next((text for boot in boots for text in boot.other), "the test gave no answer")
            return self._trouble(
                f"{name} says nothing about {self.asking.sought.words} in {counted(lost, 'boot')}: {other}"
            )
        rates = Rates(self._tally(self.faulty), self._tally(self.clean))
        text = f"neither end shows {self.asking.sought.words}: {self._counts()}"
        if self.asking.sought.kind is not SoughtKind.BUDGET:
            if others := self._other_reports():
                text += f"; the log holds: {others}"
            text += f"; if it is rarer than 1 in {round(1 / (self.rate or LOWEST_RATE))}, say so by --rate"
        return Ends(self._signature, rates, text, alike=True)

    def _must_be_known(self, commit: str) -> None:
        """A test that no guest reports would cost a build and a boot at every step."""
        boots, sought = self.asking.boots(commit), self.asking.sought
        near = [name for boot in boots for name in boot.near]
        if any(boot.failures or boot.passed or boot.figures for boot in boots) or not near:
            return
        if (
            sought.kind is SoughtKind.VERDICT
            or sought.kind is SoughtKind.SPLAT
            or not all(boot.finished for boot in boots)
        ):
            return
        if sought.kind is SoughtKind.TEST and sought.pattern.startswith("guest/"):
            return
        what = "figure" if sought.kind is SoughtKind.BUDGET else "test"
        raise UserError(
            f"no {what} answers to `{sought.pattern}` at {self.asking.name(commit)}{nearest(sought.pattern, near)}"
        )

    def _swapped_now(self) -> bool:
        """Asked once the faulty end passed twice."""
        if self._answered(self.faulty) < 2:
            return False
        if not self.asking.boots(self.clean) and not self._unbuilt(self.clean):
            self.asking.boot(self.clean, 1)
        found = signature_of(self.asking.sought, self.asking.boots(self.clean), self.asking.boots(self.faulty))
        return self.asking.tally(self.clean, found).failures > 0

    def _swapped(self) -> str:
        if self.asking.sought.builds:
            seen = f"{self.asking.name(self.clean)} does not build and {self.asking.name(self.faulty)} does"
        else:
            seen = f"{self.asking.name(self.clean)} shows the fault and {self.asking.name(self.faulty)} does not"
        return f"the ends look swapped: {seen} (to find what mended a fault, say --fixed)"

    def _counts(self) -> str:
        parts = ((self.faulty, self._tally(self.faulty)), (self.clean, self._tally(self.clean)))
        return ", ".join(
            f"{self.asking.name(commit)} in {tally.failures} of {counted(tally.boots, 'boot')}"
            for commit, tally in parts
        )

    def _trouble(self, text: str) -> Ends:
        return Ends(self._signature, Rates(BootTally()), text)

    def _sign(self) -> None:
        self._signature = signature_of(
            self.asking.sought, self.asking.boots(self.faulty), self.asking.boots(self.clean)
        )

    def _exact(self) -> bool:
        return self.asking.sought.kind is SoughtKind.BUDGET

    def _tally(self, commit: str) -> BootTally:
        return self.asking.tally(commit, self._signature)

    def _shows(self, commit: str) -> int:
        return self._tally(commit).failures

    def _answered(self, commit: str) -> int:
        """Boots without the fault count as answers even while it is not known what it looks like."""
        boots = self.asking.boots(commit)
        return sum(1 for boot in boots if boot.finished or self._signature.answer(boot) is BootAnswer.SHOWS)

    def _lost(self, commit: str) -> int:
        return len(self.asking.boots(commit)) - self._answered(commit)
