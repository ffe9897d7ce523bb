# SPDX-License-Identifier: GPL-2.0-or-later
"""One bisection over a history, from the question to the answer."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from ci.bisect.ends import Ends, EndsCheck
from ci.bisect.facts.asking import Asking
from ci.bisect.facts.oracle import FactSource
from ci.bisect.facts.signature import Signature, Sought
from ci.bisect.facts.state import State
from ci.bisect.facts.steps import History
from ci.bisect.git_driver import GitDriver, Mark, Terms
from ci.bisect.proof import Reverting, prove, witness
from ci.bisect.report.answer import BisectAnswer, BisectResult, Cost, Culprit, Proof, Skipped
from ci.bisect.search import BisectSearch, SearchEnd
from util.events import Event, Listener, Phase
from util.paths import version
from util.stop import Stop
from util.text import counted

ABBREVIATED = 12
"""Digits of an id in a `Fixes:` line (Documentation/process/submitting-patches.rst)."""


@dataclass(frozen=True, slots=True)
class BisectQuestion:
    """What is asked. `fixed` looks for the commit that mended the fault: the good end is the one that shows it."""

    sought: Sought
    history: History
    confidence: float = 0.99
    rate: float | None = None
    fixed: bool = False
    terms: Terms = field(default_factory=Terms)
    command: tuple[str, ...] = ()
    cells: int = 1

    @property
    def faulty(self) -> str:
        return self.history.good if self.fixed else self.history.bad

    @property
    def clean(self) -> str:
        return self.history.bad if self.fixed else self.history.good


class Bisection:
    """Ties the parts together. The state is the caller's, who holds its lock."""

    def __init__(
        self, question: BisectQuestion, state: State, oracle: FactSource, jobs: int, emit: Listener, stop: Stop
    ) -> None:
        self.question, self.state, self.oracle = question, state, oracle
        self._emit = emit
        history = question.history
        self.driver = GitDriver(history, state.folder / "git", stop, question.terms)
        self.asking = Asking(question.sought, state, oracle, history.step, history.name, jobs, question.cells)

    def run(self) -> BisectAnswer:
        """The answer; its exit status is part of it. Raises UserError, MachineError, Stopped."""
        question = self.question
        self.driver.start()
        commits = self.driver.count()
        names = f"{self.asking.name(question.clean)} (free of it) and {self.asking.name(question.faulty)} (shows it)"
        self._emit(Event("bisect", Phase.START, f"{counted(commits, 'commit')}; first both ends: {names}"))
        check = EndsCheck(self.asking, question.faulty, question.clean, question.confidence, question.rate, self._emit)
        ends = check.check()
        answer = self._answer(ends, commits)
        if ends.trouble:
            outcome = BisectResult.ALIKE if ends.alike else BisectResult.UNKNOWN
            return answer.model_copy(update={"outcome": outcome, "summary": ends.trouble})
        self._emit(Event("bisect", Phase.NOTE, f"both ends behave as said: {self._seen(ends.signature)}"))
        search = BisectSearch(
            self.asking, self.driver, ends, question.faulty, question.clean, question.confidence, self._emit,
            question.fixed,
        )  # fmt: skip
        place = search.run()
        answer = self._answer(search.ends, commits).model_copy(
            update={"skipped": self._skipped(search), "log": self.driver.log()}
        )
        if place.trouble:
            update = {"outcome": BisectResult.UNKNOWN, "summary": f"git bisect gives up: {place.trouble}"}
            return answer.model_copy(update=update)
        if len(place.found) != 1:
            return self._set(answer, place)
        return self._found(answer, search, place)

    def _seen(self, signature: Signature) -> str:
        words = [
            witness(self.asking, signature, commit).words for commit in (self.question.clean, self.question.faulty)
        ]
        return (
            f"{self.asking.name(self.question.clean)} {words[0]}, {self.asking.name(self.question.faulty)} {words[1]}"
        )

    def _found(self, answer: BisectAnswer, search: BisectSearch, place: SearchEnd) -> BisectAnswer:
        question, history = self.question, self.question.history
        commit, signature = place.found[0], search.ends.signature
        reverting = Reverting(
            self.driver, self.oracle, self.state, history.step(history.bad), self.state.folder, signature,
            history.series, question.sought.builds,
        )  # fmt: skip
        self._emit(Event("bisect", Phase.NOTE, f"{self.asking.name(commit)} it seems; now the proof"))
        proof = prove(
            self.asking, self.driver, place, signature, search.ends.rates, search.error, reverting, question.fixed
        )
        doubtful = bool(proof.suspicious or proof.missing)
        culprit = self._culprit(commit)
        summary = f'{culprit.name} ("{culprit.subject}") is the first {question.terms.new} commit'
        if doubtful:
            summary += f", but: {'; '.join((*proof.suspicious, *proof.missing))}"
        return answer.model_copy(
            update={
                "outcome": BisectResult.DOUBTFUL if doubtful else BisectResult.FOUND,
                "summary": summary,
                "culprit": culprit,
                "proof": proof,
                "confidence": round(1 - place.doubt, 6),
                "rate": self._rate(search, commit),
                "cost": self._cost(),
                "reproduce": self._reproduce(commit, proof),
            }
        )

    def _reproduce(self, commit: str, proof: Proof) -> tuple[str, ...]:
        """The command for the culprit itself: its answer may come from another commit with the same binary."""
        boot = proof.culprit.evidence if proof.culprit else None
        if boot is None or "--source" not in boot.reproduce:
            return ()
        place = boot.reproduce.index("--source") + 1
        if self.question.history.series:
            return boot.reproduce
        return (*boot.reproduce[:place], self.question.history.step(commit).source, *boot.reproduce[place + 1 :])

    def _rate(self, search: BisectSearch, commit: str) -> float | None:
        """The share of boots that showed the fault, at the faulty end and at the culprit."""
        tallies = [search.tally(item) for item in dict.fromkeys((self.question.faulty, commit))]
        boots = sum(tally.boots for tally in tallies)
        return round(sum(tally.failures for tally in tallies) / boots, 4) if boots else None

    def _set(self, answer: BisectAnswer, place: SearchEnd) -> BisectAnswer:
        culprits = tuple(self._culprit(commit) for commit in place.found)
        text = f"the first {self.question.terms.new} commit is one of {len(culprits)}: the others between were skipped"
        return answer.model_copy(update={"outcome": BisectResult.SET, "summary": text, "candidates": culprits})

    def _culprit(self, commit: str) -> Culprit:
        known, history = self.driver.commit(commit), self.question.history
        stat = self.driver.diff(known.parents[0], commit, "--stat").decode("utf-8", "replace") if known.parents else ""
        fixes = "" if history.series else f'Fixes: {commit[:ABBREVIATED]} ("{known.subject}")'
        return Culprit(
            commit=commit,
            name=self.asking.name(commit),
            subject=known.subject,
            author=known.author,
            date=known.date,
            diffstat=stat.rstrip(),
            fixes=fixes,
        )

    def _skipped(self, search: BisectSearch) -> tuple[Skipped, ...]:
        return tuple(
            Skipped(
                commit=commit,
                name=self.asking.name(commit),
                subject=self.driver.commit(commit).subject,
                reason=ruling.reason,
                fault=ruling.fault,
            )
            for commit, ruling in search.rulings.items()
            if ruling.mark is Mark.SKIP
        )

    def _answer(self, ends: Ends, commits: int) -> BisectAnswer:
        question, history = self.question, self.question.history
        good, bad = (
            witness(self.asking, ends.signature, commit, self.driver.commit(commit).subject)
            for commit in (history.good, history.bad)
        )
        notes = [f"asked of {' '.join(spot)} alone, where the fault showed first" for spot in self.asking.spots]
        made = [self.state.made(commit) for commit in (history.good, history.bad)]
        if any(item and item.fixed_up for item in made):
            notes.append("the fix-up patch was applied wherever it applies")
        return BisectAnswer(
            rig_version=version(),
            outcome=BisectResult.UNKNOWN,
            summary="",
            sought=question.sought,
            place=os.fspath(Path(history.source or history.place)),
            good=good,
            bad=bad,
            commits=commits,
            where=history.paths,
            notes=tuple(notes),
            cost=self._cost(),
            command=question.command,
            fixed=question.fixed,
        )

    def _cost(self) -> Cost:
        spent = self.asking.spent
        steps = len(spent.step_seconds)
        return Cost(steps=steps, builds=spent.builds, warm=spent.warm, boots=spent.boots, seconds=spent.seconds)
