# SPDX-License-Identifier: GPL-2.0-or-later
"""The question as the command line puts it, and the plan that every step follows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ci.bisect.facts.signature import Sought, SoughtKind
from ci.bisect.git_driver import Terms
from ci.plan.plan import Plan
from ci.plan.wishes import Wishes, make_plan
from ci.run.bench import bench_suites
from configs.loader import load_profile
from util.errors import UserError


class Chosen(Protocol):
    """What is needed of the command line's selection."""

    @property
    def profile(self) -> str: ...

    @property
    def source(self) -> str | None: ...

    @property
    def series(self) -> str | None: ...

    @property
    def jobs(self) -> int: ...

    def wishes(self, **further: object) -> Wishes: ...


@dataclass(frozen=True, slots=True)
class BisectRequest:
    """One question. Of `good`, `bad`, `good_config` and `bad_config` those count that the kind of history needs;
    `terms` are (old, new), empty for git's own."""

    sought: Sought
    good: str | None = None
    bad: str | None = None
    good_config: Path | None = None
    bad_config: Path | None = None
    paths: tuple[str, ...] = ()
    fixed: bool = False
    first_parent: bool = False
    terms: tuple[str, str] = ("", "")
    fixup: str = ""
    confidence: float = 0.99
    rate: float | None = None

    def plan(self, selection: Chosen, abis: tuple[str, ...], suites: tuple[str, ...], accel: str) -> Plan:
        """The plan of all steps; its source and series are those of the command line. Raises UserError."""
        self._must_fit(selection)
        profile = load_profile(selection.profile)
        if self.sought.kind is SoughtKind.BUDGET:
            suites = suites or bench_suites(profile)
        wishes = selection.wishes(abis=abis, suites=suites, rerun=0)
        if not selection.series:
            wishes = replace(wishes, series="none")
        if self.is_git and not selection.source:
            wishes = replace(wishes, source=".")
        profile = profile.model_copy(update={"variants": (), "known_issues": "", "budgets": ()})
        test = self.sought.pattern if self.sought.kind is SoughtKind.TEST else ""
        return make_plan(
            profile, wishes, accel=accel, jobs=selection.jobs, fresh=True, test=test, spec=selection.profile
        )

    @property
    def is_git(self) -> bool:
        """Whether commits of a repository are bisected; else a series or two configurations."""
        return self.good is not None and not self.good_config

    def _must_fit(self, selection: Chosen) -> None:
        configs = (self.good_config, self.bad_config)
        if any(configs) and not all(configs):
            raise UserError("--good-config and --bad-config belong together")
        if any(configs) and (self.good or self.bad or self.paths):
            raise UserError("configurations are bisected on one commit: leave --good, --bad and PATHS out")
        if selection.series not in (None, "none"):
            for name, value in (("good", self.good), ("bad", self.bad)):
                if value is not None and not value.isdecimal():
                    raise UserError(f"--{name} {value}: of a series, say how many of its patches are applied")
            if self.paths or self.first_parent:
                raise UserError("a series has neither merges nor path limits: leave PATHS and --first-parent out")
        elif not all(configs) and self.good is None:
            raise UserError("--good is missing: a commit without the fault (or say --series, or --good-config)")
        if self.rate is not None and self.sought.kind is SoughtKind.BUDGET:
            raise UserError("--rate: figures are exact, one boot tells them")

    def git_terms(self) -> Terms:
        """The words for git. Raises UserError."""
        old, new = self.terms
        default = Terms("broken", "fixed") if self.fixed else Terms()
        terms = Terms(old or default.old, new or default.new)
        if terms.old == terms.new:
            raise UserError(f"--term-old and --term-new are both `{terms.old}`")
        for word in (terms.old, terms.new):
            if word in _TAKEN or not word.replace("-", "").replace("_", "").isalnum():
                raise UserError(f"`{word}` cannot be a term of git bisect")
        return terms


_TAKEN = ("help", "start", "skip", "next", "reset", "visualize", "view", "replay", "log", "run", "terms")


def sought_of(test: str | None, splat: str | None, budget: str | None, verdict: bool) -> Sought:
    """Exactly one of the four. Raises UserError."""
    named: Mapping[SoughtKind, str | None] = {SoughtKind.TEST: test, SoughtKind.SPLAT: splat, SoughtKind.BUDGET: budget}
    found = [Sought(kind=kind, pattern=pattern) for kind, pattern in named.items() if pattern]
    if verdict:
        found.append(Sought(kind=SoughtKind.VERDICT))
    if len(found) != 1:
        raise UserError("say what to look for, by exactly one of --test, --splat, --budget and --verdict")
    return found[0]
