# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that is saved, and its copies, on the fake QEMU."""

from dataclasses import replace
from pathlib import Path

import pytest

from guests.crash.outcome import End
from guests.run.request import SavedGuest
from guests.run.saved import message, save_guest, waiting
from tests.guests.support import fake_request, play
from util.errors import MachineError
from util.stop import Stop, Stopped

SEEDED = (b"rigcopy1", True, b"070701", True)


def saved(tmp_path: Path, scene: str = "saved") -> SavedGuest:
    """The guest of a scene, saved."""
    found = SavedGuest(tmp_path / "saved guest")
    found.folder.mkdir()
    save_guest(replace(waiting(fake_request(tmp_path, scene), Stop()), label=scene), found, Stop())
    return found


def test_a_copy_has_a_job_random_numbers_and_the_time_of_its_own(tmp_path: Path) -> None:
    outcome = play(tmp_path, "saved", saved=saved(tmp_path))
    assert (outcome.end, outcome.restored) == (End.FINISHED, True), outcome.message
    assert outcome.steps[0].stdout.decode() == repr(list(SEEDED))


def test_what_the_kernel_said_before_it_was_saved_is_scanned_in_each_copy(tmp_path: Path) -> None:
    found = saved(tmp_path)
    found.console.write_bytes(
        found.console.read_bytes() + b"[    0.2] WARNING: CPU: 0 PID: 1 at kernel/x.c:1 f+0x1/0x2\r\n"
    )
    outcome = play(tmp_path, "saved", saved=found)
    assert outcome.console.read_bytes().startswith(b"Linux version 5.10.0")
    assert [(fault.kind, fault.step) for fault in outcome.faults] == [("warn", "")]


def test_two_messages_share_no_seed() -> None:
    assert message(b"070701")[16:80] != message(b"070701")[16:80]
    assert message(b"070701")[80:] == b"070701"


@pytest.mark.slow
@pytest.mark.parametrize("gone", ["state", "console.log", ""])
def test_a_copy_that_does_not_wake_up_is_booted_and_says_so(tmp_path: Path, gone: str) -> None:
    found = saved(tmp_path)
    if gone:
        (found.folder / gone).unlink()
    outcome = play(tmp_path, "copy_dies", saved=found)
    assert (outcome.end, outcome.restored) == (End.FINISHED, False)
    assert outcome.notes[0].startswith("booted, because the saved guest did not wake up: ")


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="QEMU did not save the guest: failed"):
        saved(tmp_path, "is_not_saved")


def test_a_kernel_that_does_not_come_up_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="did not come up"):
        saved(tmp_path, "panic_before_init")


def test_saving_stops_when_it_is_told_to(tmp_path: Path) -> None:
    stop, request = Stop(), waiting(fake_request(tmp_path, "saved"), Stop())
    stop.set()
    with pytest.raises(Stopped):
        save_guest(request, SavedGuest(tmp_path), stop)


def test_only_a_copy_may_wait(tmp_path: Path) -> None:
    outcome = play(tmp_path, "waits_in_vain")
    assert outcome.end is End.CORRUPT
    assert "init waits for a job" in outcome.message
