# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest that is asked about a fault is the suite's own, but for the parameter that chooses the fault."""

from dataclasses import replace
from pathlib import Path

import pytest

from ci.mutation import judge_cells
from ci.mutation.judge_cells import JudgeCell, _request
from guests.qemu.devices import Devices
from testcases.suite import Payload
from tests.ci.cells.test_guest_cell import guest

PAYLOAD = Payload((), (), "digest")
OTHERS = (replace(PAYLOAD, append=("kunit.filter_glob=list*",)), replace(PAYLOAD, devices=Devices(disks=1)))


def test_the_parameters_of_the_suite_stay(tmp_path: Path) -> None:
    made = guest(tmp_path, OTHERS[0])
    assert _request(made, 7).append == ("kunit.filter_glob=list*", "rig_mutant=7")


def test_what_its_guest_is_made_of_names_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge_cells, "qemu_version", lambda *_: "7")
    made = [guest(tmp_path, payload) for payload in (PAYLOAD, *OTHERS)]
    keys = {JudgeCell(item.blank.cell, item, frozenset(), frozenset(), 1.0, item.blank, {}).key for item in made}
    assert len(keys) == 3
