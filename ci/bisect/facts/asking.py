# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks commits and remembers: a build or a boot that is known already costs nothing."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ci.bisect.facts.oracle import FactSource, Spot
from ci.bisect.facts.signature import Boot, BootAnswer, Signature, Sought, SoughtKind
from ci.bisect.facts.state import BisectKernel, State
from ci.bisect.facts.steps import BisectStep
from ci.bisect.sequential import BootTally


@dataclass
class Spent:
    """What this call has cost so far; `step_seconds` for each kernel that was asked, build and boots together."""

    builds: int = 0
    warm: int = 0
    boots: int = 0
    began: float = field(default_factory=time.monotonic)
    step_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self.began, 1)


class Asking:
    """The facts that are known and the oracle for the others. `step` makes a kernel of a commit, `name` its words."""

    def __init__(
        self, sought: Sought, state: State, oracle: FactSource, step: Callable[[str], BisectStep],
        name: Callable[[str], str], jobs: int, cells: int = 1,
    ) -> None:  # fmt: skip
        self.sought, self.name, self.jobs = sought, name, max(1, jobs)
        self.spent = Spent()
        self._state, self._oracle, self._step, self._cells = state, oracle, step, cells
        self._tallies: dict[str, tuple[Signature | None, int, BootTally]] = {}
        if state.spots:
            oracle.narrow(state.spots)

    @property
    def spots(self) -> tuple[Spot, ...]:
        return self._state.spots

    def made(self, commit: str) -> BisectKernel:
        """The kernel of a commit."""
        known = self._state.made(commit)
        if known:
            return known
        began = time.monotonic()
        made = self._oracle.build(self._step(commit))
        self._state.add_made(commit, made)
        self.spent.builds += not made.warm
        self.spent.warm += made.warm
        self._took(commit, began)
        return made

    def ahead(self, commits: Iterable[str]) -> None:
        """One of these is likely to be asked next."""
        self._oracle.ahead([self._step(commit) for commit in commits if self._state.made(commit) is None])

    def boots(self, commit: str) -> tuple[Boot, ...]:
        """All that guests of this commit's binary said so far."""
        made = self._state.made(commit)
        return self._state.boots(made.binary) if made and made.binary else ()

    def boot(self, commit: str, count: int) -> None:
        """Further fresh guests of a commit that builds."""
        made = self.made(commit)
        if made.failure:
            return
        began = time.monotonic()
        boots = self._oracle.boot(self._step(commit), len(self._state.boots(made.binary)), count)
        self._state.add_boots(made.binary, boots)
        self.spent.boots += len(boots)
        self._took(commit, began)

    def tally(self, commit: str, signature: Signature) -> BootTally:
        """The boots of a commit that say something about the fault."""
        boots = self.boots(commit)
        known, counted, tally = self._tallies.get(commit, (None, 0, BootTally()))
        if known is not signature or counted > len(boots):
            counted, tally = 0, BootTally()
        for boot in boots[counted:]:
            answer = signature.answer(boot)
            tally += BootTally(int(answer in (BootAnswer.SHOWS, BootAnswer.ABSENT)), int(answer is BootAnswer.SHOWS))
        self._tallies[commit] = signature, len(boots), tally
        return tally

    def failing_spots(self, commit: str, signature: Signature) -> tuple[Spot, ...]:
        """The cells in which the fault showed at a commit."""
        found: dict[Spot, None] = {}
        for boot in self.boots(commit):
            found |= {
                item.spot: None for item in boot.failures if item.name in signature.names and signature.same(item)
            }
            if signature.kind is SoughtKind.BUDGET:
                for name in signature.limits:
                    arch, abi, flavour, suite = name.split(" ")[:4]
                    found[arch, abi, flavour, suite] = None
        return tuple(found)

    def narrow(self, spots: tuple[Spot, ...]) -> bool:
        """Asks only the first of these cells from now on; False where that is so already."""
        if self._state.spots or self._cells < 2 or not spots:
            return False
        self._state.narrow(spots[:1])
        self._oracle.narrow(spots[:1])
        return True

    def _took(self, commit: str, began: float) -> None:
        seconds = time.monotonic() - began
        self.spent.step_seconds[commit] = self.spent.step_seconds.get(commit, 0.0) + seconds
