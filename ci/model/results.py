# SPDX-License-Identifier: GPL-2.0-or-later
"""The results model: all that one run found, in one tree of frozen values. Every writer is a function over `Run`.

`docs/results.md` explains each word, `docs/results.schema.json` is generated from these classes (`ci.report.schema`).
Paths are relative to the output folder, times are seconds, commands are argument lists.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from ci.model.coverage import Coverage
from ci.model.shard import Shard
from ci.model.stats import Shown
from ci.model.suites import BENCHMARK
from configs.model import Strict
from configs.result import Cell, Status, TestResult
from guests.crash.outcome import Fault
from guests.host.facts import HostFacts
from kernels.build.diagnostics import BuildWarning

FORMAT = 1
"""Rises when a field of results.json changes its meaning or goes away."""

END = "guest/end"
"""The test that every guest has: did it return the nonce after the last result?"""

FAULT = "guest/fault/"
"""Prefix of one test for each fault in the kernel's log; absent means that the log was scanned and does not hold it."""


LOG = "guest/log"
"""MISS where the kernel's log is not whole, and what it does not hold proves nothing; absent otherwise."""


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


class SourceRecord(Strict):
    spec: str
    title: str
    version: str
    commit: str
    tree: str


class PatchRecord(Strict):
    number: int
    subject: str
    author: str = ""
    patch_id: str = ""
    message_id: str = ""


class SeriesRecord(Strict):
    """The identity of the series under test. `digest` covers its content only, `warnings` what the reader noticed."""

    title: str
    origin: str
    version: int = 1
    digest: str = ""
    patches: tuple[PatchRecord, ...] = ()
    warnings: tuple[str, ...] = ()


class ApplyFailure(Strict):
    """Where the series stopped applying; `message` in git's own words."""

    patch: int
    subject: str
    file: str = ""
    hunk: str = ""
    message: str = ""


class Variant(Strict):
    """One variant. `patches` is how many of the series are applied: None for all, 0 for none. `config` are its own
    kconfig lines."""

    name: str
    patches: int | None = None
    config: tuple[str, ...] = ()
    commit: str = ""
    tree: str = ""
    failure: ApplyFailure | None = None


class BuildResult(Strict):
    variant: str
    arch: str
    flavour: str
    ok: bool
    failure: str = ""
    """The first error, one line; empty if `ok`."""
    log_tail: tuple[str, ...] = ()
    warnings: tuple[BuildWarning, ...] = ()
    seconds: float = 0.0
    cached: bool = False
    key: str = ""
    sandbox: str = ""
    """What it was built in: `bwrap`, `landlock` or `none` (`docs/sandbox.md`)."""
    commands: tuple[tuple[str, ...], ...] = ()
    config: str = ""
    log: str = ""


class PatchFinding(Strict):
    """What a static check found in one patch, counted from 1. `path` is empty for what is about the mail, `line` 0
    where there is none; `level` is error (which fails the run), warning or note; `kind` names the rule; `elsewhere`: in
    a line that the patch does not touch."""

    patch: int
    check: str
    path: str = ""
    line: int = 0
    level: Literal["error", "warning", "note"]
    kind: str
    text: str
    elsewhere: bool = False

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}: " if self.line else f"{self.path}: " if self.path else ""
        apart = ", in a line that the patch does not touch" if self.elsewhere else ""
        return f"{place}{self.level}: {self.text} [{self.kind}]{apart}"


class CellResult(Strict):
    """One guest, or none: then `not_run` says why, and there is no test but the one ERROR of a suite that cannot be
    made.

    `tests` are the suite's, with `guest/end` and the faults added by
    `ci.verdict.guest_tests`. `attempt` is 0 for the first run and counts the re-runs. `suite_variant` names the variant
    from whose tree the suite was built, where that is not the judged one. `only` are the tests for whose sake a re-run
    was made that leaves out what they do not need; empty where the whole suite was run.
    """

    cell: Cell
    tests: tuple[TestResult, ...] = ()
    not_run: str = ""
    attempt: int = Field(default=0, ge=0)
    suite_variant: str = ""
    only: tuple[str, ...] = ()
    booted: bool = False
    """True as soon as the first step was started."""
    end: str = ""
    message: str = ""
    faults: tuple[Fault, ...] = ()
    machine: str = ""
    same_as: str = ""
    """The variant whose guest gave this answer, where both kernels are the same binary and one speaks for both."""
    accel: str = ""
    qemu_version: str = ""
    seconds: float = 0.0
    cached: bool = False
    console: str = ""
    console_tail: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    """Where each processor stood (`file:line`) when a guest that hung was asked."""
    notes: tuple[str, ...] = ()
    """Notes of init and of the rig: output cut short, what a hung process waits for, traces that cannot be decoded.
    Those about a step start with its name."""
    command: tuple[str, ...] = ()
    """QEMU's own command line."""
    reproduce: tuple[str, ...] = ()
    """The rig's command line for this cell alone."""


def runs_of(runs: Sequence[CellResult], test: str) -> list[CellResult]:
    """Those of one cell's runs that count for a test. A re-run of other tests says nothing about it. As soon as the
    whole suite was run again only whole runs count: a test may depend on what is run before it."""
    if test.startswith("guest/"):
        return list(runs)
    whole = [run for run in runs if not run.only]
    return whole if len(whole) > 1 else [run for run in runs if _speaks_of(run, test)]


def _speaks_of(run: CellResult, test: str) -> bool:
    return not run.only or test in run.only or any(item.name == test for item in run.tests)


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


class FunctionCost(Strict):
    """Instructions of one call in one function, all that are executed there and nothing of what it calls. `base` is
    None where there is no base."""

    function: str
    base: int | None
    judged: int

    @property
    def difference(self) -> int:
        return self.judged - (self.base or 0)


class Explanation(Strict):
    """Which functions the instructions of one figure are in, on both variants. `cell` is the judged one, `figure` is
    `<test>/<figure>`; the rows of a variant add up to its figure. `missing` says why there are none."""

    cell: Cell
    figure: str
    base: int | None = None
    judged: int | None = None
    functions: tuple[FunctionCost, ...] = ()
    """By difference, what was added first; two functions of one name are one."""
    missing: str = ""
    reproduce: tuple[str, ...] = ()
    """The rig's command line that asks for this explanation."""


class HostRecord(Strict):
    """What the figures were made on. `compilers` by arch, `accel` by arch; `fallback` says by arch why guests ran under
    TCG although the hardware's accelerator is there; `guests` names the other machine on which guests ran, whose QEMU
    it is then."""

    cpus: int = 0
    machine: str = ""
    system: str = ""
    qemu: str = ""
    compilers: dict[str, str] = Field(default_factory=dict)
    accel: dict[str, str] = Field(default_factory=dict)
    fallback: dict[str, str] = Field(default_factory=dict)
    guests: str = ""
    sandbox: str = ""
    """What builds and selftests' Makefiles were run in: `bwrap`, `landlock` or `none`."""


class WallRow(Strict):
    """One figure in nanoseconds, by round; `ratio` is judged / base. An interval that is not there is null."""

    label: str
    figure: str
    base: tuple[float, ...]
    judged: tuple[float, ...]
    ratio: float
    low: float | None
    high: float | None
    shown: Shown


class Wall(Strict):
    """The wall time of one benchmark, base against the judged variant: information that no verdict depends on.

    `first` names for each round the variant that was measured first, by `seed`; the intervals of all rows hold together
    with probability `confidence`. `pinned` is the host's processor that QEMU was kept on; `ticks` how many the guests'
    counter makes in a second; `host` is as found before the first round, `load_after` behind the last; `command` is
    QEMU's own; `problems` are lines on what is missing and why."""

    cell: Cell
    against: str
    accel: str
    qemu_version: str = ""
    host: HostFacts
    load_after: float = 0.0
    pinned: int
    seed: int
    first: tuple[str, ...] = ()
    confidence: float
    ticks: int = 0
    rows: tuple[WallRow, ...] = ()
    problems: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    @property
    def emulated(self) -> bool:
        """True where the wall time is that of an emulator, which says nothing about hardware."""
        return self.accel == "tcg"


class RepeatedTest(Strict):
    """One test of a run that was made again: what the earlier run said and what this one says, each as a verdict, or as
    statuses where there is no base. `now` is empty for a test that this run does not report."""

    cell: Cell
    test: str
    then: str
    now: str = ""


class Repeated(Strict):
    """The earlier run that this one repeats (`rig.py rerun`). `command` and `called_in` are how and where that one was
    called; `moved` are lines on what is not as it was then; `tests` are those that were run again."""

    folder: str
    started: datetime
    summary: str = ""
    command: tuple[str, ...]
    called_in: str
    moved: tuple[str, ...] = ()
    tests: tuple[RepeatedTest, ...] = ()


class Run(Strict):
    """One call of `rig.py check`. `variants[0]` is the base, `variants[-1]` is judged; one variant: no comparison."""

    format: Literal[1] = 1
    rig_version: str
    started: datetime
    seconds: float = 0.0
    command: tuple[str, ...] = ()
    called_in: str = ""
    """The folder in which the rig was called: relative paths of `command` start there."""
    repeats: Repeated | None = None
    profile: str
    profile_digest: str = ""
    """Names the content of the profile, with what the command line laid over it."""
    each: str = ""
    """The suite that ran after every single patch (`check --each`); empty: only the whole series was looked at."""
    shard: Shard | None = None
    """Of a run that carried out a part of its plan (`check --cells`, `check --shard`); null: all of it."""
    source: SourceRecord
    series: SeriesRecord | None = None
    host: HostRecord = HostRecord()
    variants: tuple[Variant, ...]
    builds: tuple[BuildResult, ...] = ()
    cells: tuple[CellResult, ...] = ()
    findings: tuple[PatchFinding, ...] = ()
    """Of the static checks of every patch (suite `checks`)."""
    comparisons: tuple[Comparison, ...] = ()
    wall: tuple[Wall, ...] = ()
    explanations: tuple[Explanation, ...] = ()
    """Of every broken budget of a figure in instructions, and of what was asked for."""
    coverage: Coverage | None = None
    """Which of the added lines were executed; absent without `--coverage`."""
    known_issues: tuple[KnownOutcome, ...] = ()
    verdict: RunVerdict = RunVerdict.UNKNOWN
    summary: str = ""
    """One line; says why where the verdict is not `pass`."""
    exit_code: int = 3

    @property
    def base(self) -> Variant | None:
        return self.variants[0] if len(self.variants) > 1 else None

    @property
    def judged(self) -> Variant:
        return self.variants[-1]


def first_runs(run: Run) -> Iterator[CellResult]:
    """The benchmarks' cells: a run holds others beside them, such as structs and sizes."""
    cells = (cell for cell in run.cells if cell.cell.suite.startswith(BENCHMARK))
    return (cell for cell in cells if not cell.attempt and not cell.suite_variant)
