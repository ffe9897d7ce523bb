# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of what is reached of a kernel's own tests."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench import reach as reach_
from bench.reach import TargetRow, reach, table
from ci.model.stages import CellResult
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


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were started; each leaves the results of futex, and none of mm."""
    calls: list[list[str]] = []

    def start(command: list[str], **_options: Any) -> None:
        calls.append(command)
        out = Path(command[command.index("--out") + 1])
        run = run_of([cell("futex", Status.PASS, Status.PASS, Status.FAIL)])
        (out / "results.json").write_text(json_report.dump(run), encoding="utf-8")

    monkeypatch.setattr(reach_, "_offers", lambda *_: (OFFERS, frozenset(("futex", "mm", "sgx"))))
    monkeypatch.setattr(subprocess, "run", start)
    return calls


def test_every_target_is_in_the_table_with_its_numbers_or_its_reason(called: list[list[str]], tmp_path: Path) -> None:
    good, text = reach("6.12", "x86_64", (), tmp_path)
    rows = {line.split()[0]: line for line in text.splitlines()}
    assert rows["futex"].split()[1:] == ["3", "2", "1", "0", "0", "0", "2"]
    assert "no such cell" in rows["mm"]
    assert "needs hardware: a processor with SGX" in rows["sgx"]
    assert "kmod" not in rows
    assert "1 of the 3 TARGETS of the tree and 0 others ran; 0 of them without FAIL" in text
    assert good
    assert (tmp_path / "reach.txt").read_text() == text + "\n"
    profile = (tmp_path / "profile.yaml").read_text()
    assert "selftests/futex" in profile and "selftests/sgx" not in profile
    assert called[0][1] == "check"


@pytest.mark.usefixtures("called")
def test_only_the_targets_of_the_globs(tmp_path: Path) -> None:
    _good, text = reach("6.12", "x86_64", ("fu*",), tmp_path)
    assert "mm" not in (tmp_path / "profile.yaml").read_text().split("suites")[1]
    assert "sgx" not in text


def test_a_missing_answer_is_no_good_table() -> None:
    row = reach_._row(OFFERS[0], True, cell("futex", Status.MISS))
    assert row.counts[Status.MISS] == 1
    assert list(table([row, TargetRow("a", True, "needs x")], "t", 1.0, 2))[-1].startswith("1 of the 2 TARGETS")


def test_a_run_without_results_is_the_machines_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reach_, "_offers", lambda *_: (OFFERS, frozenset(("futex",))))
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_options: None)
    with pytest.raises(MachineError, match="left no results"):
        reach("6.12", "x86_64", (), tmp_path)
