# SPDX-License-Identifier: GPL-2.0-or-later
"""The results model: all that one run found, in one tree of frozen values. Every writer is a function over `Run`.
Its branches stand beside this module: `variants`, `stages`, `verdicts`, `figures`, `coverage`, `shard`.

`docs/results.md` explains each word, `docs/results.schema.json` is generated from these classes (`ci.report.schema`).
Paths are relative to the output folder, times are seconds, commands are argument lists.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from pydantic import Field

from ci.model.coverage import Coverage
from ci.model.figures import Explanation, Wall
from ci.model.shard import Shard
from ci.model.stages import BuildResult, CellResult, PatchFinding
from ci.model.variants import SeriesRecord, SourceRecord, Variant
from ci.model.verdicts import Comparison, KnownOutcome, RunVerdict
from configs.model import Strict
from configs.names import BENCHMARK
from configs.result import Cell

FORMAT = 1
"""Rises when a field of results.json changes its meaning or goes away."""


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
