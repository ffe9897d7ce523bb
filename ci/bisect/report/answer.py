# SPDX-License-Identifier: GPL-2.0-or-later
"""What a bisection came to: the model behind every report of it."""

from enum import StrEnum
from typing import Literal

from ci.bisect.facts.signature import Boot, Sought
from configs.model import Strict
from util.text import counted

FORMAT = 1


class BisectResult(StrEnum):
    """FOUND: one culprit, proved. DOUBTFUL: one culprit, and a part of the proof is missing. SET: several commits, the
    others having been skipped. ALIKE: the ends do not differ. UNKNOWN: the machine or the history could not say."""

    FOUND = "found"
    DOUBTFUL = "doubtful"
    SET = "set"
    ALIKE = "alike"
    UNKNOWN = "unknown"

    @property
    def exit_code(self) -> int:
        return {BisectResult.FOUND: 0, BisectResult.ALIKE: 1}.get(self, 3)


class KernelBoots(Strict):
    """One kernel and what its guests said. `boots` are those that gave an answer, `failures` those that showed the
    fault; `evidence` is one of them, showing it if any does."""

    commit: str
    name: str
    subject: str = ""
    boots: int = 0
    failures: int = 0
    evidence: Boot | None = None

    @property
    def words(self) -> str:
        if not self.boots:
            return "was not asked"
        if not self.failures:
            return f"is free of it in {self.boots} of {counted(self.boots, 'boot')}"
        return f"shows it in {self.failures} of {counted(self.boots, 'boot')}"


class Skipped(Strict):
    """A commit that said nothing about the fault. `fault` is the other fault that was seen there, if any."""

    commit: str
    name: str
    subject: str
    reason: str
    fault: str = ""


class Culprit(Strict):
    """`fixes` is the line for a commit that mends it."""

    commit: str
    name: str
    subject: str
    author: str = ""
    date: str = ""
    diffstat: str = ""
    fixes: str = ""
    options: tuple[str, ...] = ()
    """Of a bisected configuration: the lines that must be together."""


class Proof(Strict):
    """What was found out about the culprit beyond its place. `reverted` says what the bad end does without it;
    `suspicious` is a reason to believe that the culprit cannot be it, `missing` is why the proof is not whole."""

    parents: tuple[KernelBoots, ...] = ()
    culprit: KernelBoots | None = None
    revert: Literal["mends", "does not mend", "does not apply", "not needed", "not asked", "could not say"] = (
        "not asked"
    )
    reverted: str = ""
    suspicious: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class Cost(Strict):
    """`builds` are kernels that were made, `warm` those that were there already; `seconds` is wall time."""

    steps: int = 0
    builds: int = 0
    warm: int = 0
    boots: int = 0
    seconds: float = 0.0


class BisectAnswer(Strict):
    """The whole of it. `confidence` is that of the place, by the boots of the culprit and its parent."""

    format: Literal[1] = 1
    rig_version: str
    outcome: BisectResult
    summary: str
    sought: Sought
    place: str
    good: KernelBoots
    bad: KernelBoots
    commits: int = 0
    where: tuple[str, ...] = ()
    culprit: Culprit | None = None
    candidates: tuple[Culprit, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    proof: Proof = Proof()
    confidence: float = 0.0
    rate: float | None = None
    cost: Cost = Cost()
    log: str = ""
    """What `git bisect replay` takes."""
    command: tuple[str, ...] = ()
    reproduce: tuple[str, ...] = ()
    fixed: bool = False

    @property
    def exit_code(self) -> int:
        return self.outcome.exit_code
