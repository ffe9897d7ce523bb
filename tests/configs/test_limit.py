# SPDX-License-Identifier: GPL-2.0-or-later
"""The grammar of limits, and figures against them to the last digit."""

from pathlib import Path

import pytest

from configs.limit import parse_limit
from configs.loader import load
from configs.model import Profile
from util.errors import UserError

PROFILE = """\
name: mine
description: a job
source: debian:linux-source-6.12
archs: [x86_64]
suites: [boot]
budgets:
  - {suite: layout, figure: "*/size", limit: no growth}
  - {suite: layout, figure: "*/holes", limit: <= base + 1}
"""


@pytest.mark.parametrize(
    ("text", "figure", "base", "kept"),
    [
        ("no growth", 216, 216, True),
        ("no growth", 217, 216, False),
        ("<= base", 216, 216, True),
        ("< base", 216, 216, False),
        ("== base", 215, 216, False),
        (">= base", 216, 216, True),
        ("> base", 216, 216, False),
        ("<= base * 0.2", 200, 1000, True),
        ("<= base * 0.2", 201, 1000, False),
        ("<=base*1.02", 102, 100, True),
        ("<= base * 0.57", 57, 100, True),  # as floats, 56.99999999999999
        ("<= base + 8 bytes", 224, 216, True),
        ("<= base + 8 bytes", 225, 216, False),
        ("<= base - 8", 208, 216, True),
        ("<= base - 8", 209, 216, False),
        ("<= base * 0", 1, 216, False),
        ("<= 200 insns", 200, None, True),
        ("<= 200 insns", 201, None, False),
        ("== 0", 0, None, True),
    ],
)
def test_a_figure_keeps_its_limit_or_not(text: str, figure: int, base: int | None, kept: bool) -> None:
    assert parse_limit(text).keeps(figure, base) is kept


@pytest.mark.parametrize("text", ["no growth", "<= base", "<= base * 0", "<= base - 3"])
def test_a_limit_relative_to_base_needs_base(text: str) -> None:
    assert parse_limit(text).needs_base
    with pytest.raises(ValueError, match="needs the figure of base"):
        parse_limit(text).keeps(1, None)


@pytest.mark.parametrize(
    "text", ["", "200", "<= ", "=< base", "<= base * 0.2 insns", "<= 200 base", "<= base * -1", "growth", "<= 2e3"]
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no limit, such as"):
        parse_limit(text)


def test_a_unit_is_kept_with_its_limit() -> None:
    assert parse_limit("<= 200 insns").unit == "insns"
    assert parse_limit("<= base + 8 bytes").unit == "bytes"
    assert parse_limit("<= base * 2").unit == ""


def test_a_profile_takes_budgets(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(PROFILE, encoding="utf-8")
    assert [budget.limit for budget in load(path, Profile).budgets] == ["no growth", "<= base + 1"]


def test_a_wrong_limit_is_told_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(PROFILE.replace("<= base + 1", "at most base"), encoding="utf-8")
    with pytest.raises(UserError, match=r"mine.yaml:8: budgets.1.limit: 'at most base' is no limit"):
        load(path, Profile)
