# SPDX-License-Identifier: GPL-2.0-or-later
"""Exit statuses for people and for `git bisect run`."""

import subprocess
from pathlib import Path

import pytest

from ci.model.results import Run
from ci.model.stages import BuildResult, CellResult
from ci.model.variants import Variant
from ci.report import terminal
from ci.report.terminal import bisection_line
from ci.verdict.conclude import conclude
from ci.verdict.exit_status import error_status, exit_status, first_step, for_git, standing_source, under_way
from configs.result import Status
from guests.crash.outcome import Fault
from tests.ci.samples import TODAY, built, judged, not_run, ran, run_of
from util.errors import KconfigError, MachineError, UserError

IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
P, F, S, M, E = Status.PASS, Status.FAIL, Status.SKIP, Status.MISS, Status.ERROR


def alone(cell: CellResult, build: BuildResult | None = None, test: str = "") -> Run:
    run = run_of([cell], [build or built("base")], variants=[Variant(name="base", patches=0)])
    return conclude(run, today=TODAY, test=test)


def dead(**changes: object) -> CellResult:
    return ran("base", {}, end="silent").model_copy(update={"booted": False, **changes})


@pytest.mark.parametrize(
    ("cell", "plain", "bisect"),
    [
        (ran("base", {"a": P, "b": S}), 0, 0),
        (ran("base", {"a": P, "b": F}), 1, 1),
        (ran("base", {"a": P, "b": E}), 3, 125),
        (ran("base", {"a": P}, end="qemu-died"), 3, 125),
        (ran("base", {"a": P}, end="panic"), 1, 1),
        (dead(), 1, 125),
        (not_run("base", "no kernel"), 3, 125),
    ],
)
def test_whole_run(cell: CellResult, plain: int, bisect: int) -> None:
    run = alone(cell)
    assert (exit_status(run), exit_status(run, bisect=True)) == (plain, bisect)


def test_what_does_not_build_is_skipped() -> None:
    run = alone(not_run("base", "does not build"), built("base", ok=False))
    assert (exit_status(run), exit_status(run, bisect=True)) == (1, 125)


@pytest.mark.parametrize(("name", "status"), [("good", 0), ("bad", 1), ("skipped", 125), ("odd", 125), ("absent", 125)])
def test_one_test_by_name(name: str, status: int) -> None:
    tests = {"good": P, "bad": F, "skipped": S, "odd": E}
    assert exit_status(alone(ran("base", tests), test=name), True, name) == status


def test_a_test_that_was_not_reached_is_skipped() -> None:
    assert exit_status(alone(ran("base", {"other": P}, end="panic"), test="a"), True, "a") == 125
    assert exit_status(alone(not_run("base", "x"), built("base", ok=False), test="a"), True, "a") == 125


def test_a_boot_or_build_failure_can_be_bisected_by_name() -> None:
    assert exit_status(alone(dead(), test="guest/end"), True, "guest/end") == 1
    assert exit_status(alone(ran("base", {"a": F}), test="guest/end"), True, "guest/end") == 0
    broken = alone(not_run("base", "x"), built("base", ok=False), test="build/kernel")
    assert exit_status(broken, True, "build/kernel") == 1


def test_gave_up() -> None:
    assert [error_status(UserError("x")), error_status(MachineError("x"))] == [2, 3]
    errors = (UserError("x"), KconfigError("x"), MachineError("x"))
    assert [error_status(error, True) for error in errors] == [128, 125, 125]


def test_a_bisection_is_noticed(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(("git", "-C", str(tmp_path), *IDENTITY, *arguments), capture_output=True, check=True)

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "one")
    assert not under_way(str(tmp_path)) and not under_way(None) and not under_way("debian:linux-source-5.10")
    git("bisect", "start")
    assert under_way(str(tmp_path))
    git("bisect", "reset")
    assert not under_way(str(tmp_path))


def test_git_understands_the_statuses(tmp_path: Path) -> None:
    """A real bisection over eight commits, of which one cannot be built: git finds the culprit by our statuses."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), *IDENTITY, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    outcomes = [
        ran("base", {"t": P}),
        ran("base", {"t": P, "u": F}),
        ran("base", {"t": P}),
        ran("base", {"t": P}),
        ran("base", {"t": F}),
        None,
        ran("base", {"t": F}),
        ran("base", {"t": F}),
    ]
    git("init", "-q")
    for number, cell in enumerate(outcomes):
        run = alone(cell or not_run("base", "x"), built("base", ok=cell is not None), test="t")
        (tmp_path / "status").write_text(str(exit_status(run, True, "t")))
        (tmp_path / "number").write_text(str(number))
        git("add", ".")
        git("commit", "-q", "-m", f"commit {number}")
    git("bisect", "start", "HEAD", "HEAD~7")
    answer = git("bisect", "run", "sh", "-c", "exit $(cat status)")
    assert "is the first bad commit" in answer
    assert "commit 4" in git("log", "-1", "--format=%s", "refs/bisect/bad")


def test_a_splat_that_is_in_no_log_is_good() -> None:
    glob = "guest/fault/WARNING*in foo"
    clean = alone(ran("base", {"a": P}), test=glob)
    assert (exit_status(clean, True, glob), exit_status(clean)) == (0, 0)
    assert for_git(clean, glob).line == f"for git: good ({glob}: not in the log of any guest (1))"
    fault = Fault(kind="warn", title="WARNING at k.c in foo")
    assert exit_status(alone(ran("base", {"a": P}, faults=[fault]), test=glob), True, glob) == 1
    died = alone(ran("base", {"a": P}, end="panic"), test=glob)
    assert exit_status(died, True, glob) == 125


def test_a_name_that_nothing_answers_to_stops_a_bisection_at_its_first_commit() -> None:
    run = alone(ran("base", {"suite.global.TSYNC_first": P}), test="*TSYNC_frist")
    assert exit_status(run, True, "*TSYNC_frist", first=True) == 128
    assert "nearest: suite.global.TSYNC_first" in for_git(run, "*TSYNC_frist", first=True).line
    assert exit_status(run, True, "*TSYNC_frist") == 125
    broken = alone(not_run("base", "x"), built("base", ok=False), test="*TSYNC_frist")
    assert exit_status(broken, True, "*TSYNC_frist", first=True) == 125


@pytest.mark.parametrize(
    ("cell", "build", "line"),
    [
        (
            not_run("base", "x"),
            built("base", ok=False),
            "for git: skip (the kernel does not build: kernel/",
        ),
        (ran("base", {"a": F}), None, "for git: bad (a FAIL on x86_64 selftests/seccomp"),
        (ran("base", {"b": P}, end="panic"), None, "for git: skip (not reached: guest: panic"),
        (ran("base", {"a": P}), None, "for git: good (a passes)"),
    ],
)
def test_the_last_line_is_gits_answer(cell: CellResult, build: BuildResult | None, line: str) -> None:
    run = alone(cell, build, test="a")
    assert for_git(run, "a").line.startswith(line)
    assert terminal.render(run, last=for_git(run, "a").line).splitlines()[-1].startswith(line)


def test_tests_that_do_not_count_are_not_called_nothing() -> None:
    text = terminal.render(alone(ran("base", {"a": P, "b": F}), test="a"))
    assert "Nothing to tell of the tests that count; 1 of the others failed." in text


def test_the_first_step_and_a_source_that_stands(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        command = ("git", "-C", str(tmp_path), *IDENTITY, *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    for number in range(5):
        git("commit", "-q", "--allow-empty", "-m", str(number))
    assert first_step(str(tmp_path))
    git("bisect", "start", "HEAD", "HEAD~4")
    assert first_step(str(tmp_path))
    assert standing_source(str(tmp_path)) == f"git:{tmp_path}@{git('rev-parse', 'HEAD')}"
    git("bisect", "skip")
    assert not first_step(str(tmp_path))
    (tmp_path / "new.c").write_text("x")
    assert standing_source(str(tmp_path)) == str(tmp_path)


def test_check_prints_the_bisection_that_finds_the_patch() -> None:
    run = judged([ran("base", {"a": P}), ran("patched", {"a": F})], [built("base"), built("patched")])
    line = bisection_line(run)
    assert line[:2] == ("./rig.py", "bisect")
    assert line[-2:] == ("--test", "a")
    assert "to find the patch that did it" in terminal.render(run)
    assert not bisection_line(judged([ran("base", {"a": P}), ran("patched", {"a": P})]))
