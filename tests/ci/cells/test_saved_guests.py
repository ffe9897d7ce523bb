# SPDX-License-Identifier: GPL-2.0-or-later
"""Which guests go on from a saved one."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ci.cells.guest.guest_cell import GuestCell, request_of, run_guest_cell
from ci.cells.guest.saved_guests import SWITCH, SavedGuests, key_of, unfit
from ci.model.stages import CellResult
from guests.crash.outcome import Outcome
from guests.run.request import GuestRequest, SavedGuest
from initramfs.job import Mode, Step
from testcases.suite import Payload
from tests.ci.cells.test_guest_cell import STEP, Mute, guest, outcome
from util.children.jobserver import Jobserver
from util.errors import MachineError, UserError
from util.events import Listener, silent
from util.stop import Stop

Saver = Callable[[GuestRequest, SavedGuest, Stop], None]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A cache of the test's own, guests that may be saved, and the labels of those that were."""
    saved: list[str] = []

    def save(request: GuestRequest, to: SavedGuest, _stop: Stop) -> None:
        saved.append(str(request.job.mode))
        if "refuse" in request.append:
            raise MachineError("it did not come up")
        to.state.write_bytes(b"state")
        to.console.write_bytes(b"console")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(SWITCH, "saved")
    monkeypatch.setattr("ci.cells.guest.saved_guests.save_guest", save)
    return saved


def find(saved: SavedGuests, cell: GuestCell) -> tuple[SavedGuest | None, str]:
    return saved.find(request_of(cell), cell.build.key, nullcontext)


def test_one_is_saved_for_each_kernel_and_options(tmp_path: Path, own_cache: list[str]) -> None:
    saved = SavedGuests(silent, Stop())
    one = guest(tmp_path, Payload((), (STEP,), "digest"))
    first, reason = find(saved, one)
    assert (first is not None, reason) == (True, "")
    other_files = replace(one, payload=replace(one.payload, steps=(STEP, Step("second", ("/b",)))))
    assert find(saved, other_files) == (first, "")
    assert find(SavedGuests(silent, Stop()), one) == (first, "")  # a later run has it too
    assert own_cache == [Mode.WAIT]
    payloads: tuple[dict[str, Any], ...] = ({"append": ("quiet",)}, {"smp": 1}, {"parallel": True})
    cells: tuple[dict[str, Any], ...] = ({"memory_mb": 300}, {"build": replace(one.build, key="4567")})
    others = [replace(one, payload=replace(one.payload, **change)) for change in payloads]
    for other in (*others, *(replace(one, **change) for change in cells)):
        assert find(saved, other)[0] not in (None, first)


def test_what_could_not_be_saved_is_not_tried_again(tmp_path: Path, own_cache: list[str]) -> None:
    saved, cell = SavedGuests(silent, Stop()), guest(tmp_path, Payload((), (STEP,), "digest", append=("refuse",)))
    assert find(saved, cell) == (None, "it did not come up")
    assert find(saved, cell) == (None, "it did not come up")
    assert len(own_cache) == 1


def test_the_switch(tmp_path: Path, own_cache: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    saved, cell = SavedGuests(silent, Stop()), guest(tmp_path, Payload((), (STEP,), "digest"))
    for word in ("booted", ""):
        monkeypatch.setenv(SWITCH, word)
        assert find(saved, cell) == (None, "")
    monkeypatch.setenv(SWITCH, "thawed")
    with pytest.raises(UserError, match="RIG_GUESTS=thawed: must be saved or booted"):
        find(saved, cell)
    assert own_cache == []


def test_what_has_to_be_booted(tmp_path: Path) -> None:
    request = request_of(guest(tmp_path, Payload((), (STEP,), "digest")))
    assert unfit(request) == ""
    changes: dict[str, dict[str, Any]] = {
        "counted": {"counted": True}, "kvm": {"accel": "kvm"}, "another machine": {"host": SimpleNamespace()},
        "shell": {"job": replace(request.job, mode=Mode.SHELL)},
    }  # fmt: skip
    for words, change in changes.items():
        assert words in unfit(replace(request, **change))


def test_a_cell_of_its_own_for_each_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = replace(guest(tmp_path, Payload((), (STEP,), "digest")), saved=SavedGuests(silent, Stop()))
    keys = {cell.key, replace(cell, guests=2).key}
    monkeypatch.setenv(SWITCH, "booted")
    keys |= {cell.key, replace(cell, guests=2).key}
    assert len(keys) == 4
    assert key_of(request_of(cell), "a") != key_of(request_of(cell), "b")


def run(cell: GuestCell, boot: Callable[[GuestRequest], Outcome], monkeypatch: pytest.MonkeyPatch) -> CellResult:
    def run_guest(request: GuestRequest, _emit: Listener, _stop: Stop) -> Outcome:
        return boot(request)

    monkeypatch.setattr("ci.cells.guest.guest_cell.run_guest", run_guest)
    with Jobserver(1) as jobs:
        context = SimpleNamespace(jobserver=jobs, emit=silent, stop=Stop())
        result = run_guest_cell(cell, Mute(), context)  # type: ignore[arg-type]
    assert result is not None
    return result


def test_a_cell_says_whether_it_was_booted_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "console.log").write_text("said\n")

    def boot(request: GuestRequest) -> Outcome:
        return outcome(tmp_path, restored=request.saved is not None)

    plain = guest(tmp_path, Payload((), (STEP,), "digest"))
    assert run(plain, boot, monkeypatch).restored is False
    plain = replace(plain, saved=SavedGuests(silent, Stop()))
    assert run(plain, boot, monkeypatch).restored is True
    refusing = replace(plain, payload=replace(plain.payload, append=("refuse",)))
    result = run(refusing, boot, monkeypatch)
    assert (result.restored, result.notes) == (False, ("booted: it did not come up",))
