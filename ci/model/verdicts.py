# SPDX-License-Identifier: GPL-2.0-or-later
"""Part of the results model: verdicts of tests and of the run, comparisons, and the known issues that bear on them."""

from datetime import date
from enum import StrEnum

from pydantic import Field, field_validator

from configs.model import Strict
from configs.result import Cell, Status


class TestVerdict(StrEnum):
    """What the series did to one test. UNKNOWN: a variant gave no answer. CHANGED: the result is the same and yet not
    all is: a figure differs within what is allowed, or the test complains of what it never complains of on base."""

    __test__ = False

    REGRESSION = "regression"
    FIXED = "fixed"
    PRE_EXISTING = "pre-existing"
    FLAKY = "flaky"
    NEW = "new"
    GONE = "gone"
    SAME = "same"
    CHANGED = "changed"
    UNKNOWN = "unknown"


class RunVerdict(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"

    @property
    def exit_code(self) -> int:
        """Decision 11 of the design."""
        return {RunVerdict.PASS: 0, RunVerdict.FAIL: 1, RunVerdict.UNKNOWN: 3}[self]


class Effect(StrEnum):
    """What one finding does to the verdict of the run."""

    NONE = "none"
    UNKNOWN = "unknown"
    FAIL = "fail"


class KnownEntry(Strict):
    """One known issue as a file of known issues has it (`ci.verdict.known` reads and applies them).

    `test`, `suite`, `arch`, `abi`, `flavour` and `source` (the base's version) are globs. `flaky: true` also allows the
    test to pass.
    """

    test: str = Field(min_length=1)
    suite: str = "*"
    arch: str = "*"
    abi: str = "*"
    flavour: str = "*"
    source: str = "*"
    status: Status = Status.FAIL
    flaky: bool = False
    reason: str = Field(min_length=1)
    link: str = Field(pattern=r"^https?://\S+$")
    expires: date

    @field_validator("status")
    @classmethod
    def _not_good(cls, value: Status) -> Status:
        if value is Status.PASS:
            raise ValueError("PASS is no issue")
        return value


class KnownIssue(Strict):
    """The part of a known issue that a report quotes; `where` is file and line."""

    test: str
    reason: str
    link: str
    expires: str
    where: str


class Comparison(Strict):
    """One test, base against patched. `cell` names the judged variant, `against` the variant that it is compared with
    (empty: nothing to compare with, and `verdict` is None). Statuses are of all runs in order, None where a run does
    not report the test."""

    cell: Cell
    test: str
    verdict: TestVerdict | None
    effect: Effect
    against: str = ""
    base: tuple[Status | None, ...] = ()
    patched: tuple[Status | None, ...] = ()
    message: str = ""
    known: KnownIssue | None = None
    patch: int = 0
    """Of `check --each`: the patch after which it first is so, counted from 1; 0 where the whole series is judged."""
    mended: int = 0
    """The patch after which it is so no longer; 0: none."""


def is_changed(item: Comparison) -> bool:
    """Whether the comparison says of figures that they differ within what is allowed."""
    return item.verdict is TestVerdict.CHANGED and item.effect is Effect.NONE


class KnownState(StrEnum):
    MATCHED = "matched"
    PASSES = "passes"
    EXPIRED = "expired"
    UNUSED = "unused"


class KnownOutcome(Strict):
    """The state of one known issue in this run. UNUSED: none of its tests was run."""

    issue: KnownIssue
    state: KnownState
    effect: Effect
    message: str = ""
