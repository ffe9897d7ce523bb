# SPDX-License-Identifier: GPL-2.0-or-later
"""From what a guest printed to the verdict: logs and outputs of both sides, read and compared as a run does it."""

from dataclasses import replace
from pathlib import Path

import pytest

from ci.model.results import Run
from ci.model.stages import LOG, CellResult
from ci.model.verdicts import Effect, RunVerdict, TestVerdict
from ci.report import terminal
from ci.report.formats import junit
from ci.verdict.guest_tests import guest_tests
from configs.result import Status, TestResult
from guests.crash.outcome import End, Fault, Outcome, StepOutcome
from guests.crash.scan import scan, split_lines
from guests.crash.splats import default_table
from initramfs.job import Step
from testcases.reading import read_step
from tests.ci.samples import judged, ran

HERE = Path(__file__).parents[2]
LOGS = HERE / "guests" / "logs" / "console"
KTAP = HERE / "testcases" / "ktap"
QUIET = StepOutcome(Step("prog", ("./prog",)), "exited", 0, 0.1)


def guest(variant: str, log: bytes = b"", step: StepOutcome = QUIET, attempt: int = 0) -> CellResult:
    """The cell of a guest that printed this log and ran this one program."""
    reports = scan(split_lines(log), default_table(), [], lambda _offset: "")
    faults = tuple(
        Fault(kind=report.fault.kind, title=report.fault.title, lines=report.fault.lines) for report in reports
    )
    outcome = Outcome(End.FINISHED, "", (step,), (), Path("console.log"), (), "tcg", "7.2", 1.0)
    tests = (*guest_tests(End.FINISHED, "", faults), *read_step(step, outcome))
    return ran(variant, {}, attempt=attempt).model_copy(update={"tests": tests, "faults": faults})


def log(name: str) -> bytes:
    return (LOGS / f"{name}.log").read_bytes()


def faults(run: Run) -> dict[str, TestVerdict | None]:
    return {item.test: item.verdict for item in run.comparisons if item.test.startswith("guest/fault/")}


@pytest.mark.parametrize("name", ["warn619", "spinlock"])
def test_the_same_fault_on_both_sides_is_pre_existing(name: str) -> None:
    run = judged([guest("base", log(f"{name}-base")), guest("patched", log(f"{name}-judged"))])
    assert set(faults(run).values()) == {TestVerdict.PRE_EXISTING}
    assert run.exit_code == 0


@pytest.mark.parametrize("name", ["refcount619", "lockdep-unlock", "lockdep-long"])
def test_a_new_fault_behind_an_old_one_of_the_same_kind_is_a_regression(name: str) -> None:
    run = judged([guest("base", log(f"{name}-base")), guest("patched", log(f"{name}-judged"))])
    assert sorted(filter(None, faults(run).values())) == [TestVerdict.FIXED, TestVerdict.REGRESSION]
    assert run.exit_code == 1


def test_a_new_warning_in_four_runs_of_four_is_a_regression() -> None:
    cells = [guest("base", log("clean"), attempt=number) for number in range(4)]
    cells += [guest("patched", log(f"warn619-new-run{number}"), attempt=number) for number in range(4)]
    run = judged(cells)
    assert faults(run) == {"guest/fault/WARNING at kernel/foo.c in victim": TestVerdict.REGRESSION}
    assert run.exit_code == 1


@pytest.mark.parametrize("sides", [("dropped", "clean"), ("clean", "dropped"), ("dropped", "dropped")])
def test_a_log_with_gaps_leaves_the_run_unknown(sides: tuple[str, str]) -> None:
    run = judged([guest("base", log(sides[0])), guest("patched", log(sides[1]))])
    assert (run.verdict, run.exit_code) == (RunVerdict.UNKNOWN, 3)
    (item,) = [item for item in run.comparisons if item.test == LOG]
    assert item.effect is Effect.UNKNOWN
    assert faults(run) == {}


def test_a_fault_that_a_log_with_gaps_does_not_hold_is_not_fixed() -> None:
    run = judged([guest("base", log("warn619-base")), guest("patched", log("dropped"))])
    assert set(faults(run).values()) == {TestVerdict.UNKNOWN}


def test_a_re_run_with_a_whole_log_settles_it() -> None:
    base = [guest("base", log("clean"), attempt=number) for number in range(2)]
    run = judged([*base, guest("patched", log("dropped")), guest("patched", log("clean"), attempt=1)])
    assert run.exit_code == 0


def test_a_diagnostic_renames_no_test() -> None:
    before = replace(QUIET, stdout=(KTAP / "diag-base.ktap").read_bytes())
    after = replace(QUIET, stdout=(KTAP / "diag-judged.ktap").read_bytes(), value=1)
    run = judged([guest("base", log("clean"), before), guest("patched", log("clean"), after)])
    bad = {item.test: item.verdict for item in run.comparisons if item.effect is not Effect.NONE}
    assert bad == {"prog.hugepage-mmap": TestVerdict.REGRESSION}


def test_a_result_without_a_number_is_no_silent_pass() -> None:
    found = read_step(
        replace(QUIET, stdout=(KTAP / "no-number.ktap").read_bytes()),
        Outcome(End.FINISHED, "", (), (), Path("console.log"), (), "tcg", "7.2", 1.0),
    )
    assert [(test.name, test.status) for test in found] == [
        ("prog", Status.ERROR),
        ("prog.a", Status.PASS),
        ("prog.b", Status.FAIL),
    ]


# A program that does not confess


def said(text: str, value: int = 0) -> StepOutcome:
    return replace(QUIET, stdout=text.encode(), value=value)


MQ_BASE = "PASS: open as user in 12 us\nTest series 1, behavior when no attr is given:\n0 tests failed\n"
MQ_PATCHED = MQ_BASE.replace("PASS: open", "FAIL: open")


def own(run: Run) -> tuple[TestVerdict | None, str]:
    return next((item.verdict, item.message) for item in run.comparisons if item.test == "prog")


def test_a_complaint_that_base_never_makes_fails_the_run() -> None:
    run = judged([guest("base", step=said(MQ_BASE)), guest("patched", step=said(MQ_PATCHED))])
    assert own(run) == (TestVerdict.CHANGED, "prints what base never prints: FAIL: open as user in N us")
    assert run.exit_code == 1
    assert run.summary.startswith("1 changed")
    assert "changed: x86_64" in terminal.render(run)
    assert "FAIL: open as user in N us" in terminal.render(run)
    assert 'type="changed"' in junit.gate(run)
    assert "FAIL: open as user in 12 us" in junit.gate(run)


def test_what_base_shows_in_a_re_run_is_no_change() -> None:
    base = [guest("base", step=said(MQ_BASE)), guest("base", step=said(MQ_PATCHED), attempt=1)]
    after = [guest("patched", step=said(MQ_PATCHED), attempt=number) for number in range(2)]
    run = judged([*base, *after])
    assert own(run)[0] is TestVerdict.SAME


def test_what_the_judged_side_shows_in_some_runs_only_is_flaky() -> None:
    base = [guest("base", step=said(MQ_BASE), attempt=number) for number in range(2)]
    after = [guest("patched", step=said(MQ_PATCHED)), guest("patched", step=said(MQ_BASE), attempt=1)]
    assert own(judged([*base, *after]))[0] is TestVerdict.FLAKY


def test_a_new_complaint_behind_an_old_failure_is_a_change() -> None:
    run = judged([guest("base", step=said("FAIL: one\n", 1)), guest("patched", step=said("FAIL: one\nFAIL: two\n", 1))])
    assert own(run) == (TestVerdict.CHANGED, "prints what base never prints: FAIL: two")


@pytest.mark.parametrize(
    ("base", "patched"),
    [
        ("FAIL: pid 31 at 0x7f0012345678\n", "FAIL: pid 99 at 0x7fffffffffff\n"),
        ("ok\n", "ok\n0 errors\n"),
        ("ok\n", "ok\nerrors: 0, failures: 0\n"),
        ("ok\n", "ok\nno failures seen\n"),
        ("took 3 s\n", "took 4 s\n"),
        ("failed: 3\nok\n", "ok\n"),
        ("ok\n", "TAP version 13\n1..1\n# error is talk here\nok 1 a\n"),
    ],
)
def test_these_are_no_changes(base: str, patched: str) -> None:
    run = judged([guest("base", step=said(base)), guest("patched", step=said(patched))])
    assert own(run)[0] is TestVerdict.SAME


@pytest.mark.parametrize(
    ("base", "patched"),
    [
        ("0 tests failed\n", "3 tests failed\n"),
        ("errors: 0\n", "errors: 4\n"),
        ("all fine\n", "not ok: read returned -1\n"),
        ("\x1b[32mPASS\x1b[0m a\n", "\x1b[31mFAIL\x1b[0m a\n"),
    ],
)
def test_these_are_changes(base: str, patched: str) -> None:
    run = judged([guest("base", step=said(base)), guest("patched", step=said(patched))])
    assert own(run)[0] is TestVerdict.CHANGED


# Each finding once


def failing(variant: str, abi: str) -> CellResult:
    """A test fails, and the kernel warned while the suite ran: two findings."""
    broken = variant == "patched"
    value, text = (1, "TAP version 13\n1..1\nnot ok 1 errno\n") if broken else (0, "TAP version 13\n1..1\nok 1 errno\n")
    found = guest(
        variant, log("warn619-base" if broken else "clean"), replace(QUIET, stdout=text.encode(), value=value)
    )
    tail = tuple(log("warn619-base").decode().splitlines()) if broken else ()
    cell = replace(found.cell, abi=abi)
    return found.model_copy(update={"cell": cell, "console_tail": tail})


def test_a_report_stands_once_and_not_beneath_a_test_that_failed_as_well() -> None:
    run = judged([failing(variant, abi) for abi in ("x86_64", "x32", "i386") for variant in ("base", "patched")])
    assert run.exit_code == 1
    text = junit.gate(run)
    assert text.count("RIP: 0010:victim") == 1
    assert text.count("the same report as in x86_64/x86_64/") == 2
    cases = text.split("<testcase")
    (errno,) = [case for case in cases if 'name="prog.errno"' in case and "x86_64.x86_64" in case]
    assert "WARNING" not in errno
    shown = terminal.render(run)
    assert shown.count("guest/fault/WARNING at kernel/foo.c in victim") == 1
    assert shown.count("prog.errno") == 3
    assert shown.count("of the kernel's reports above, in this ABI as well") == 2


def test_results_of_an_older_rig_are_read() -> None:
    assert TestResult("a", Status.PASS).complaints == ()
