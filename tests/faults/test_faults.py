# SPDX-License-Identifier: GPL-2.0-or-later
"""Real faulty series on a real 5.10, each built, booted and judged by the command line; each must get its own verdict.

Every row is one folder of `tests/series/`. The rows differ in what the reader of the report must be told.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from junitparser import Error, Failure, JUnitXml

from ci.model.results import Run
from ci.model.verdicts import Comparison, Effect, RunVerdict
from tests.command import results, rig
from util.paths import ROOT

pytestmark = pytest.mark.real
SERIES = ROOT / "tests" / "series"


@dataclass(frozen=True)
class Fault:
    """What the rig must say of one faulty series: exit status, a comparison (glob of its test, verdict) and words that
    stand in it or in its cell."""

    name: str
    test: str
    verdict: str
    words: str
    exit_code: int = 1
    arch: str = "x86_64"
    abi: str = "x86_64"
    flavour: str = "plain"
    rerun: int = 1


FAULTS = [
    Fault("does-not-apply", "apply", "regression", "kernel/seccomp.c"),
    Fault("does-not-compile", "kernel", "regression", "kernel/seccomp.c"),
    Fault("new-warning", "warning: kernel/seccomp.c*", "regression", "Wunused-variable"),
    Fault("panics-before-init", "guest/end", "regression", "panic"),
    Fault("hangs-before-init", "guest/end", "regression", "stopped before init", rerun=0),
    Fault("kills-init", "guest/end", "regression", "init"),
    Fault("oops-in-syscall", "guest/fault/*", "regression", "NULL"),
    Fault("warns-once", "guest/fault/*", "regression", "WARN"),
    Fault("deadlocks-in-test", "guest/end", "regression", "no processor has executed anything", rerun=0),
    Fault("soft-lockup", "guest/fault/*", "regression", "soft lockup", rerun=0),
    Fault("silent-reset", "guest/end", "regression", "reset"),
    Fault("breaks-errno-one-abi", "seccomp_bpf.*ERRNO*", "regression", "", abi="i386"),
    Fault("breaks-errno-arm", "seccomp_bpf.*ERRNO*", "regression", "", arch="aarch64", abi="arm"),
    Fault("flaky", "seccomp_bpf.*", "flaky", "", exit_code=0, rerun=3),
    Fault("test-disappears", "seccomp_bpf.*", "gone", "no longer in the suite"),
]


def check(folder: Path, fault: Fault) -> tuple[int, Run, str]:
    """Exit status, results and standard output of one `rig.py check`."""
    finished = rig(
        "check", "--series", str(SERIES / fault.name), "--arch", fault.arch, "--abi", fault.abi,
        "--flavour", fault.flavour, "--suite", "selftests/seccomp", "--rerun", str(fault.rerun), "--out", str(folder),
    )  # fmt: skip
    assert (folder / "results.json").exists(), finished.stderr[-3000:]
    return finished.returncode, results(folder), finished.stdout


def evidence(run: Run, item: Comparison) -> str:
    """All that the results say of one comparison and of its cell."""
    cells = [cell for cell in run.cells if cell.cell == item.cell]
    tests = [test for cell in cells for test in cell.tests if test.name == item.test]
    return "\n".join([item.test, item.message, *(f"{test.message}\n{test.output}" for test in tests)])


@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_each_fault_gets_its_own_verdict(tmp_path: Path, fault: Fault) -> None:
    status, run, printed = check(tmp_path, fault)
    assert status == run.exit_code == fault.exit_code, run.summary
    found = [item for item in run.comparisons if fnmatchcase(item.test, fault.test) and item.verdict == fault.verdict]
    assert found, [(item.test, item.verdict, item.effect, item.message) for item in run.comparisons if item.message]
    assert any(fault.words in evidence(run, item) for item in found), [evidence(run, item) for item in found]
    assert run.summary in printed
    junit_agrees(tmp_path / "junit.xml", run)


def junit_agrees(path: Path, run: Run) -> None:
    """A failing effect is a failure in the gate, a missing answer an error, and nothing else is either."""
    cases = [case for suite in JUnitXml.fromfile(str(path)) for case in suite]
    failures = sum(any(isinstance(result, Failure) for result in case.result) for case in cases)
    errors = sum(any(isinstance(result, Error) for result in case.result) for case in cases)
    effects = [item.effect for item in run.comparisons]
    assert failures == effects.count(Effect.FAIL)
    assert errors == effects.count(Effect.UNKNOWN)
    assert (failures > 0) == (run.verdict is RunVerdict.FAIL)
