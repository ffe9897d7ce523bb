# SPDX-License-Identifier: GPL-2.0-or-later
"""What a suite brings for the rig's own measurements is found, and says what is so."""

import pytest

from bench import campaign, figures
from bench.bisect.histories import CASES, COMMITS, BisectCase
from bench.subject import subject
from configs.loader import load_profile
from testcases.registry import find_suite


def test_the_parts_of_suites_stand_beside_our_own() -> None:
    assert {"boots", "classification", "oracle"} <= set(figures.PARTS)
    assert {"coverage"} == set(campaign.OF_SUITES)
    assert "coverage" not in campaign.OWN


def test_the_subject_names_what_there_is() -> None:
    for name in (subject().profile, subject().revert, subject().patches):
        load_profile(name)
    for name in (subject().selftests, subject().seeded):
        find_suite(name)
    patches = [path.read_text("utf-8") for path in sorted(subject().series_folder.glob("0*.patch"))]
    assert sum(text.count(subject().change.old) for text in patches) == 1
    assert subject().change.new.format(odd=-7) != subject().change.old
    assert any(f"+++ b/{subject().source}\n" in text for text in patches)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_history_has_a_culprit_that_can_be_found(case: BisectCase) -> None:
    assert 1 <= case.culprit < COMMITS and case.question[0] in ("--test", "--splat", "--budget")
    assert 0 <= case.odd[0] <= case.odd[1] < case.culprit
    for edit in (case.edit, *([case.other] if case.odd[1] else [])):
        assert edit.paths and (edit.folder is not None or edit.old != edit.new)
