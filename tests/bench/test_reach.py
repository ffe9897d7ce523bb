# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of what is reached of a kernel's own tests."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench import reach as reach_
from bench.reach import TargetRow, reach, table
from ci.model.stages import CellResult
from ci.model.verdicts import Comparison, Effect, KnownIssue
from ci.report.formats import json_report
from configs.result import Cell, Status, TestResult
from testcases.suite import TopicOffer
from tests.ci.samples import run_of
from util.errors import MachineError

OFFERS = [
    TopicOffer("futex"),
    TopicOffer("mm"),
    TopicOffer("sgx", "hardware", "a processor with SGX"),
    TopicOffer("kmod", "by name", "x"),
]


def cell(target: str, *statuses: Status) -> CellResult:
    tests = tuple(TestResult(f"t{number}", status) for number, status in enumerate(statuses))
    name = Cell("base", "x86_64", "x86_64", "plain", f"selftests/{target}")
    return CellResult(cell=name, tests=tests, seconds=2.0)


def _known_failure(of: CellResult, test: str) -> Comparison:
    issue = KnownIssue(test=test, reason="slow", link="", expires="2030-01-01", where="known.yaml:1")
    return Comparison(cell=of.cell, test=test, verdict=None, effect=Effect.NONE, known=issue)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were started; each leaves the results of futex, and none of mm."""
    calls: list[list[str]] = []

    def start(command: list[str], **_options: Any) -> None:
        calls.append(command)
        out = Path(command[command.index("--out") + 1])
        run = run_of([cell("futex", Status.PASS, Status.FAIL, Status.FAIL)])
        run = run.model_copy(update={"comparisons": (_known_failure(run.cells[0], "t1"),)})
        (out / "results.json").write_text(json_report.dump(run), encoding="utf-8")

    monkeypatch.setattr(reach_, "_offers", lambda *_: (OFFERS, frozenset(("futex", "mm", "sgx"))))
    monkeypatch.setattr(subprocess, "run", start)
    return calls


def test_every_target_is_in_the_table_with_its_numbers_or_its_reason(called: list[list[str]], tmp_path: Path) -> None:
    good, text = reach("6.12", "x86_64", (), tmp_path)
    rows = {line.split()[0]: line for line in text.splitlines()}
    assert rows["futex"].split()[1:] == ["3", "1", "2", "0", "0", "0", "1", "2"]
    assert text.endswith("\nno reason known: FAIL selftests/futex: t2")
    assert "no such cell" in rows["mm"]
    assert "needs hardware: a processor with SGX" in rows["sgx"]
    assert "kmod" not in rows
    assert "1 of the 3 TARGETS of the tree and 0 others ran; 0 of them without FAIL" in text
    assert not good
    assert (tmp_path / "reach.txt").read_text() == text + "\n"
    profile = (tmp_path / "profile.yaml").read_text()
    assert "selftests/futex" in profile and "selftests/sgx" not in profile
    assert called[0][1] == "check"


@pytest.mark.usefixtures("called")
def test_only_the_targets_of_the_globs(tmp_path: Path) -> None:
    _good, text = reach("6.12", "x86_64", ("fu*",), tmp_path)
    assert "mm" not in (tmp_path / "profile.yaml").read_text().split("suites")[1]
    assert "sgx" not in text


@pytest.mark.usefixtures("called")
def test_all_but_the_targets_of_the_globs(tmp_path: Path) -> None:
    _good, text = reach("6.12", "x86_64", ("!m*", "!sgx"), tmp_path)
    assert "selftests/futex" in (tmp_path / "profile.yaml").read_text()
    assert "selftests/mm" not in (tmp_path / "profile.yaml").read_text()
    assert "sgx" not in text


def test_a_missing_answer_is_named_and_no_reason_is_known_of_it() -> None:
    row = reach_._row(OFFERS[0], True, cell("futex", Status.MISS), ())
    assert row.counts[Status.MISS] == 1
    *_, sums, named = table([row, TargetRow("a", True, "needs x")], "t", 1.0, 2)
    assert sums.startswith("1 of the 2 TARGETS")
    assert named == "no reason known: MISS selftests/futex: t0"


def test_with_every_failure_known_the_table_is_good(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reach_, "_offers", lambda *_: (OFFERS[:1], frozenset(("futex",))))
    found = cell("futex", Status.PASS, Status.FAIL)
    run = run_of([found]).model_copy(update={"comparisons": (_known_failure(found, "t1"),)})
    monkeypatch.setattr(
        subprocess, "run", lambda *_args, **_options: (tmp_path / "results.json").write_text(json_report.dump(run))
    )
    good, text = reach("6.12", "x86_64", (), tmp_path)
    assert good
    assert "no reason known" not in text


def test_a_run_without_results_is_the_machines_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reach_, "_offers", lambda *_: (OFFERS, frozenset(("futex",))))
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_options: None)
    with pytest.raises(MachineError, match="left no results"):
        reach("6.12", "x86_64", (), tmp_path)


def test_what_differs_in_a_second_run_is_named_unless_it_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reach_, "_offers", lambda *_: (OFFERS[:1], frozenset(("futex",))))
    found = [cell("futex", Status.PASS, Status.FAIL, Status.PASS), cell("futex", Status.SKIP, Status.PASS)]
    commands: list[list[str]] = []

    def start(command: list[str], **_options: Any) -> None:
        run = run_of([found[len(commands)]]).model_copy(update={"comparisons": (_known_failure(found[0], "t1"),)})
        commands.append(command)
        (Path(command[command.index("--out") + 1]) / "results.json").write_text(json_report.dump(run), encoding="utf-8")

    monkeypatch.setattr(subprocess, "run", start)
    good, text = reach("6.12", "x86_64", (), tmp_path, twice=True)
    assert not good
    assert [line for line in text.splitlines() if line.startswith("not the same")] == [
        "not the same twice: selftests/futex: t0: PASS, then SKIP",
        "not the same twice: selftests/futex: t2: PASS, then absent",
    ]
    assert ["--fresh" in command for command in commands] == [False, True]


def test_two_runs_that_agree_are_said_to(called: list[list[str]], tmp_path: Path) -> None:
    _good, text = reach("6.12", "x86_64", ("futex",), tmp_path, twice=True)
    assert text.endswith("a second run: every test that is no known issue came to the same")
    assert len(called) == 2


def test_guests_at_once_are_the_rigs_own_number_unless_told(called: list[list[str]], tmp_path: Path) -> None:
    reach("6.12", "x86_64", ("futex",), tmp_path)
    reach("6.12", "x86_64", ("futex",), tmp_path, 3, twice=True)
    assert ["--jobs" in command for command in called] == [False, True, True]
    assert [command[command.index("--jobs") + 1] for command in called[1:]] == ["3", "3"]
