# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py compare` on real kernels: four revisions of our own series, of which the third has a fault."""

from pathlib import Path

import pytest

from ci.compare.answer import ChangeKind, CompareAnswer, CompareOutcome
from kernels.patches.range_diff import PatchChange
from tests.ci.compare.revisions import FAULT, four_revisions
from tests.command import rig

pytestmark = pytest.mark.real


def test_the_third_of_four_revisions_is_found_to_be_worse_and_the_fourth_to_mend_it(tmp_path: Path) -> None:
    specs, out = four_revisions(tmp_path), tmp_path / "out"
    only = ("--arch", "x86_64", "--abi", "x86_64", "--suite", "seccomp/edges", "--rerun", "0")
    done = rig("compare", *specs, *only, "--out", str(out), "--accel", "tcg")
    answer = CompareAnswer.model_validate_json((out / "compare.json").read_text())
    assert (done.returncode, answer.outcome) == (0, CompareOutcome.NO_WORSE), done.stderr
    assert [step.outcome for step in answer.steps] == [
        CompareOutcome.NO_WORSE,
        CompareOutcome.WORSE,
        CompareOutcome.NO_WORSE,
    ]
    assert answer.steps[0].changes == (), "another message is the same kernel"
    assert {item.kind for item in answer.steps[1].changes} == {ChangeKind.BROKE}
    assert {item.kind for item in answer.steps[2].changes} == {ChangeKind.FIXED}
    assert {item.test for item in answer.steps[1].changes} == {item.test for item in answer.steps[2].changes}
    assert {"edge/jump.cached", "edge/jump.behaviour"} <= {item.test for item in answer.steps[1].changes}
    (changed,) = [pair for pair in answer.steps[1].patches if pair.change is not PatchChange.SAME]
    assert (changed.before, changed.after, changed.change) == (4, 4, PatchChange.CHANGED)
    assert any(FAULT.removeprefix("+") in line for line in changed.diff)
    assert [pair.change for pair in answer.steps[0].patches if pair.before == 4] == [PatchChange.TEXT]
    assert max(len(line) for line in done.stdout.splitlines() if str(tmp_path) not in line) < 75
