# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of a cell shared out over several guests."""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ci.cells.guest.guest_cell import GuestCell, run_guest_cell
from ci.cells.guest.shares import shares, wanted_guests
from ci.model.stages import CellResult
from configs.model import SuiteChoice
from configs.result import Status, TestResult
from guests.crash.outcome import End, Fault, Outcome, StepOutcome
from guests.run.request import GuestRequest
from initramfs.job import Step
from testcases.suite import Payload, payload_digest
from tests.ci.cells.test_guest_cell import guest, outcome
from util.children.jobserver import Jobserver
from util.errors import MachineError
from util.events import Listener, silent
from util.stop import Stop

NAMES = ("a.sh", "b", "c", "d", "e")
SETUP = Step("setup", ("/setup",))
ORIGINS = tuple((name, f"folder/{name}") for name in NAMES)
SETTLED = (TestResult("left-out", Status.SKIP),)


def payload(names: Collection[str] = NAMES, *, origins: bool = True) -> Payload:
    steps = (SETUP, *(Step(name, (f"/{name}",)) for name in names))
    return Payload((), steps, payload_digest((), steps), SETTLED, ORIGINS if origins else ())


class Telling:
    """A suite with a result for each program that ran, and one that a program reports itself."""

    def read(self, of: Payload, seen: Outcome) -> tuple[TestResult, ...]:
        found = list(of.settled)
        for step in seen.steps:
            if step.step.name == "setup":
                continue
            status = Status.PASS if step.how == "exited" else Status.MISS
            found += [TestResult(step.step.name, status), TestResult(f"{step.step.name}.own", status)]
        return tuple(found)


@dataclass
class Guests:
    """What stands in for QEMU: each step comes to its end, except in the guests that `ends` or `boots` say."""

    folder: Path
    dies_at: str = ""
    comes_up: bool = True
    booted: list[tuple[str, ...]] = field(default_factory=list)
    on_boot: Callable[[GuestRequest], None] = lambda _request: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, request: GuestRequest, _emit: Listener, _stop: Stop) -> Outcome:
        names = [step.name for step in request.job.steps]
        with self.lock:
            self.booted.append(tuple(names))
        self.on_boot(request)
        request.folder.mkdir(parents=True)
        console = request.folder / "console.log"
        console.write_text(f"{' '.join(names)}\n")
        if not self.comes_up:
            never = tuple(StepOutcome(step, "never-ran") for step in request.job.steps)
            return outcome(self.folder, end=End.PANIC, message="no root", console=console, steps=never)
        if self.dies_at not in names:
            done = tuple(StepOutcome(step, "exited", fair_seconds=2.0) for step in request.job.steps)
            return outcome(self.folder, console=console, steps=done, notes=("same in all",))
        at = names.index(self.dies_at)
        hows = ["exited"] * at + ["unfinished"] + ["never-ran"] * (len(names) - at - 1)
        steps = tuple(StepOutcome(*pair) for pair in zip(request.job.steps, hows, strict=True))
        fault = Fault("oops", "oops", step=self.dies_at)
        return outcome(
            self.folder, end=End.PANIC, message="panic", console=console, steps=steps, faults=(fault,),
            tail=("the end",), state=("CPU 0",),
        )  # fmt: skip


@pytest.fixture
def guests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guests:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Guests(tmp_path)
    monkeypatch.setattr("ci.cells.guest.guest_cell.run_guest", made.run)
    return made


def run(cell: GuestCell, wanted: Callable[[], bool] = lambda: True, stop: Stop | None = None) -> CellResult | None:
    with Jobserver(1) as jobs:
        context = SimpleNamespace(jobserver=jobs, emit=silent, stop=stop or Stop())
        return run_guest_cell(cell, Telling(), context, wanted)  # type: ignore[arg-type]


def test_every_guest_is_prepared_and_the_programs_take_turns() -> None:
    parts = shares(payload(), 2)
    assert [[step.name for step in part.steps] for part in parts] == [["setup", "a.sh", "c", "e"], ["setup", "b", "d"]]
    assert [part.settled for part in parts] == [SETTLED, ()]
    assert dict(parts[1].origins) == {"b": "folder/b", "d": "folder/d"}
    assert len({part.digest for part in (*parts, payload())}) == 3
    assert len(shares(payload(), 99)) == len(NAMES), "one program each at most"
    assert [[step.name for step in part.steps] for part in shares(payload(("x",), origins=False), 9)] == [
        ["setup"], ["x"],
    ], "where nothing says which steps are programs, all are"  # fmt: skip


@pytest.mark.parametrize("of", [payload(), payload(()), payload(("a.sh",))])
def test_what_cannot_be_shared_out_stays_as_it_is(of: Payload) -> None:
    assert shares(of, 1) == (of,)
    if len(of.steps) < 3:
        assert shares(of, 8) == (of,)


def test_how_many_guests() -> None:
    data = replace(payload(), guests=3)
    assert wanted_guests(SuiteChoice(name="selftests/x"), data) == 3
    assert len(shares(data, wanted_guests(SuiteChoice(name="selftests/x", isolated=True), data))) == len(NAMES)


def test_the_results_are_one(tmp_path: Path, guests: Guests) -> None:
    result = run(replace(guest(tmp_path, payload()), guests=3))
    assert result
    assert [test.name for test in result.tests] == [
        "guest/end", "left-out", "a.sh", "a.sh.own", "b", "b.own", "c", "c.own", "d", "d.own", "e", "e.own",
    ]  # fmt: skip
    assert (result.end, result.seconds, result.notes, result.booted) == ("finished", 3.0, ("same in all",), True)
    assert result.took == dict.fromkeys(("setup", *NAMES), 2.0)
    assert (tmp_path / result.console).read_text() == "setup a.sh d\nsetup b e\nsetup c\n"
    assert sorted(guests.booted) == [("setup", "a.sh", "d"), ("setup", "b", "e"), ("setup", "c")]
    whole = guest(tmp_path, payload())
    assert len({whole.key, replace(whole, guests=2).key, replace(whole, guests=3).key}) == 3


def test_a_guest_that_dies_leaves_the_other_shares_alone(tmp_path: Path, guests: Guests) -> None:
    guests.dies_at = "c"
    result = run(replace(guest(tmp_path, payload()), guests=2))
    assert result
    assert (result.end, result.message, result.console_tail, result.state) == (
        "panic", "panic", ("the end",), ("CPU 0",),
    )  # fmt: skip
    by_name = {test.name: test.status for test in result.tests}
    assert by_name["guest/end"] is by_name["guest/fault/oops"] is Status.FAIL
    assert [by_name[name] for name in NAMES] == [Status.PASS, Status.PASS, Status.MISS, Status.PASS, Status.MISS]


def test_a_kernel_that_does_not_come_up_is_booted_once(tmp_path: Path, guests: Guests) -> None:
    guests.comes_up = False
    result = run(replace(guest(tmp_path, payload()), guests=5))
    assert result
    assert (len(guests.booted), result.booted, result.end) == (1, False, "panic")
    missing = {test.name: test.message for test in result.tests if test.status is Status.MISS}
    assert set(NAMES) <= set(missing)
    assert sum("another guest of this kernel did not come up (no root)" in text for text in missing.values()) == 4


def test_a_run_that_goes_on_has_the_shares_that_were_done(tmp_path: Path, guests: Guests) -> None:
    guests.dies_at = "b"
    cell = replace(guest(tmp_path, payload()), guests=2, fresh=False)
    run(cell)
    guests.dies_at, done = "", len(guests.booted)
    again = run(replace(cell, folder=tmp_path / "again"))
    assert again
    assert again.end == "finished"
    assert guests.booted[done:] == [("setup", "b", "d")]
    assert run(replace(cell, folder=tmp_path / "whole"))
    assert len(guests.booted) == done + 1, "and the whole is there the next time"


def test_a_cell_that_was_begun_goes_on(tmp_path: Path, guests: Guests) -> None:
    """Else a cell of which one guest dies each time would begin again for ever."""
    answers = iter([True])
    result = run(replace(guest(tmp_path, payload()), guests=3), lambda: next(answers, False))
    assert result
    assert len(guests.booted) == 3
    assert run(replace(guest(tmp_path, payload()), guests=3), lambda: False) is None


def test_the_machines_fault_in_one_guest_ends_all(tmp_path: Path, guests: Guests) -> None:
    def broken(_request: GuestRequest) -> None:
        raise MachineError("no space left")

    guests.on_boot = broken
    stop = Stop()
    with pytest.raises(MachineError, match="no space left"):
        run(replace(guest(tmp_path, payload()), guests=5), stop=stop)
    assert stop.is_set()
