# SPDX-License-Identifier: GPL-2.0-or-later
"""Part of the results model: what builds, static checks and guests came to."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from configs.model import Strict
from configs.result import Cell, TestResult
from guests.crash.outcome import Fault
from kernels.build.diagnostics import BuildWarning

END = "guest/end"
"""The test that every guest has: did it return the nonce after the last result?"""


FAULT = "guest/fault/"
"""Prefix of one test for each fault in the kernel's log; absent means that the log was scanned and does not hold it."""


LOG = "guest/log"
"""MISS where the kernel's log is not whole, and what it does not hold proves nothing; absent otherwise."""


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
    fair_seconds: float = 0.0
    """`seconds` without what the guest waited for the host's processors."""
    took: dict[str, float] = Field(default_factory=dict)
    """The same of each step that came to its end, by its name."""
    restored: bool | None = None
    """Whether its guest went on from a saved one, in place of a boot; None where there was no guest."""
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
