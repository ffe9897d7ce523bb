# SPDX-License-Identifier: GPL-2.0-or-later
"""What a comparison of revisions came to: the model behind every report of it.

Figures are exact, in their own units; folders are relative to the output folder.
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from ci.model.results import HostRecord
from ci.model.variants import SeriesRecord, SourceRecord
from ci.model.verdicts import RunVerdict
from configs.model import Strict
from configs.result import Cell
from kernels.patches.range_diff import PatchPair


class ChangeKind(StrEnum):
    """What a revision did to one test or figure. BASE: it is worse, and the base that the revision stands on is worse
    in the same way, so it is not the series' doing. UNKNOWN: one side gave no answer."""

    BROKE = "broke"
    UNKNOWN = "unknown"
    FIXED = "fixed"
    DEARER = "dearer"
    CHEAPER = "cheaper"
    FLAKY = "flaky"
    NEW = "new"
    GONE = "gone"
    BASE = "base"
    KNOWN = "known"


class CompareOutcome(StrEnum):
    """WORSE: something broke, or a cost grew beyond its allowance. UNKNOWN: nothing is known to be worse, and an answer
    is missing."""

    NO_WORSE = "no worse"
    WORSE = "worse"
    UNKNOWN = "unknown"

    @property
    def exit_code(self) -> int:
        return {CompareOutcome.NO_WORSE: 0, CompareOutcome.WORSE: 1, CompareOutcome.UNKNOWN: 3}[self]


class RevisionChange(Strict):
    """One test or figure that is not what it was. `cell` names the revision after; `against` what it is compared with;
    `worse` says that it counts in the outcome."""

    kind: ChangeKind
    cell: Cell
    test: str
    against: str
    text: str = ""
    worse: bool = False
    reproduce: tuple[str, ...] = ()


class ComparedRevision(Strict):
    """One revision. `verdict` and `summary` are those of an ordinary check against its own base, whose reports are in
    `folder`; `cached` counts kernels and guests that were there already, `made` those that were not."""

    name: str
    spec: str
    series: SeriesRecord
    source: SourceRecord
    base: str
    """The column of its base in the table of figures."""
    folder: str
    verdict: RunVerdict
    summary: str
    cached: int = 0
    made: int = 0


class CoverageChange(Strict):
    """Added lines that the suites execute: (executed, of which the compiler made code) on both sides; `lost` were
    executed before and are not now, `unseen` are only in the revision after and never executed."""

    before: tuple[int, int]
    after: tuple[int, int]
    lost: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()


class RevisionStep(Strict):
    """One revision and the one before it. `changes` has what is worse first, by kind; `coverage` is there where it was
    asked for."""

    before: str
    after: str
    patches: tuple[PatchPair, ...]
    changes: tuple[RevisionChange, ...]
    outcome: CompareOutcome
    summary: str
    notes: tuple[str, ...] = ()
    folder: str = ""
    coverage: CoverageChange | None = None


class FigureRow(Strict):
    """One figure on every base and revision, None where it was not measured. `label` is the suite's own name for it,
    empty where it has none."""

    arch: str
    abi: str
    flavour: str
    suite: str
    figure: str
    unit: str
    label: str = ""
    values: tuple[int | None, ...]


class CompareAnswer(Strict):
    """The whole of it. `columns` are the bases and revisions of `figures`, in order; `outcome` is that of the last
    step."""

    format: Literal[1] = 1
    rig_version: str
    started: datetime
    seconds: float = 0.0
    command: tuple[str, ...] = ()
    profile: str
    host: HostRecord = HostRecord()
    revisions: tuple[ComparedRevision, ...]
    steps: tuple[RevisionStep, ...]
    columns: tuple[str, ...] = ()
    figures: tuple[FigureRow, ...] = ()
    outcome: CompareOutcome
    summary: str
    whole: bool = True
    """False where the comparison was interrupted."""

    @property
    def exit_code(self) -> int:
        return self.outcome.exit_code
