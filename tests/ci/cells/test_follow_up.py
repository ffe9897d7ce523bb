# SPDX-License-Identifier: GPL-2.0-or-later
"""Which failures are looked into, and what becomes of what a suite says about them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ci.cells.further import follow_up as module
from ci.cells.further.follow_up import MOST, failures_that_hold, first_few, follow_up
from ci.model.stages import CellResult
from ci.model.verdicts import Comparison, Effect, TestVerdict
from configs.result import Cell, Status, TestResult
from guests.crash.outcome import End, Outcome
from testcases.suite import FollowUp, Payload, RepeatedFailure
from util.errors import MachineError

P, F = Status.PASS, Status.FAIL


def item(test: str, patched: tuple[Status, ...], suite: str = "seccomp/edges", **more: Any) -> Comparison:
    cell = Cell("patched", "x86_64", "i386", "plain", suite)
    effect = Effect.FAIL if F in patched else Effect.NONE
    return Comparison(cell=cell, test=test, verdict=TestVerdict.REGRESSION, effect=effect, patched=patched).model_copy(
        update=more
    )


def test_what_failed_every_time_is_looked_into() -> None:
    cell = item("x", (F,)).cell
    given = [
        item("a", (F, F, F)),
        item("b", (F, P)),
        item("c", (F, F), effect=Effect.NONE),  # known
        item("d", (P, P)),
        item("e", (F,)),
        item("f", (F, F), suite="boot"),
        *(item("g", (F,), suite=suite) for suite in ("build", "series", "layout", "size", "checkpatch")),
    ]
    assert failures_that_hold(given) == {cell: ("a", "e")}


def test_a_few_cells_and_every_architecture() -> None:
    cells = {Cell("patched", "x86_64", abi, "plain", "seccomp/edges"): ("a",) for abi in "abcd"}
    far = Cell("patched", "aarch64", "arm", "plain", "seccomp/edges")
    chosen = first_few({**cells, far: ("z",)})
    assert len(chosen) == MOST
    assert chosen[far] == ("z",)
    assert first_few({}) == {}


class Curious:
    """A suite that wants two more guests and reports what they came to."""

    def __init__(self) -> None:
        self.closed = False

    def follow_up(self, finding: RepeatedFailure) -> FollowUp:
        try:
            ends = []
            for number in range(2):
                outcome = yield Payload((), (), str(number))
                ends.append(str(outcome.end))
            (test,) = finding.failed
            return (TestResult(test.name, P, message=f"{finding.label}: {ends}", output="more"),)
        finally:
            self.closed = True


def test_a_suite_gets_its_guests_and_has_its_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found, curious, payloads = _followed(monkeypatch, tmp_path, lambda: None)
    assert payloads == ["0", "1"]
    assert curious.closed
    assert [(test.name, test.status, test.message, test.output) for test in found.tests] == [
        ("a", F, "the cell: ['finished', 'finished']", "more"),
        ("b", F, "old", ""),
    ]


def test_a_machine_that_will_not_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken() -> None:
        raise MachineError("no room")

    found, curious, _payloads = _followed(monkeypatch, tmp_path, broken)
    assert [test.message for test in found.tests] == ["old", "old"]
    assert curious.closed


def _followed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, guest: Callable[[], None]
) -> tuple[CellResult, Curious, list[str]]:
    curious, payloads = Curious(), []
    cell = Cell("patched", "x86_64", "i386", "plain", "seccomp/edges")

    def run(_guest: object, asked: Payload, _context: object) -> Outcome:
        payloads.append(asked.digest)
        guest()
        return Outcome(End.FINISHED, "", (), (), tmp_path / "log", (), "tcg", "7.2", 1.0)

    for name, value in {
        "find_suite": lambda _name: (curious, ""),
        "FollowingSuite": Curious,
        "request_of": lambda _guest: SimpleNamespace(folder=tmp_path),
        "_guest": run,
    }.items():
        monkeypatch.setattr(module, name, value)
    result = CellResult(cell=cell, tests=(TestResult("a", F, message="old"), TestResult("b", F, message="old")))
    given: Any = SimpleNamespace(blank=CellResult(cell=cell), payload=Payload((), (), ""), label="the cell")
    context: Any = SimpleNamespace(emit=lambda _event: None)
    return follow_up(given, result, ("a",), context), curious, payloads
