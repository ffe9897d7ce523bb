# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of faults that are let pass for a while."""

from datetime import date
from pathlib import Path

import pytest

from guests.crash.allowed import LIST, allowance, load_allowed
from guests.crash.outcome import Fault
from util.errors import UserError

TODAY = date(2030, 1, 15)
ENTRY = """
allowed:
  - kind: warn
    title: 'WARNING at kernel/\\S+ in \\w+'
    reason: known since 5.9
    link: https://example.org/1
    expires: 2030-01-15
"""
FAULT = Fault(kind="warn", title="WARNING at kernel/a.c in f", lines=())


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "allowed.yaml"
    path.write_text(text)
    return path


def test_an_entry_covers_its_fault_and_says_why(tmp_path: Path) -> None:
    entries = load_allowed(_file(tmp_path, ENTRY), TODAY)
    assert allowance(FAULT, entries, "x86_64", TODAY).allowed == (
        "known since 5.9 (https://example.org/1, until 2030-01-15)"
    )


@pytest.mark.parametrize(
    "other",
    [
        Fault(kind="oops", title=FAULT.title, lines=()),
        Fault(kind="warn", title=FAULT.title + " and more", lines=()),
        Fault(kind="warn", title=FAULT.title, lines=(), fatal=True),
    ],
)
def test_it_covers_nothing_else(tmp_path: Path, other: Fault) -> None:
    entries = load_allowed(_file(tmp_path, ENTRY), TODAY)
    assert allowance(other, entries, "x86_64", TODAY).allowed == ""


def test_an_entry_may_be_for_one_architecture(tmp_path: Path) -> None:
    entries = load_allowed(_file(tmp_path, ENTRY + "    arch: aarch64\n"), TODAY)
    assert allowance(FAULT, entries, "x86_64", TODAY).allowed == ""
    assert allowance(FAULT, entries, "aarch64", TODAY).allowed != ""


def test_an_expired_entry_is_an_error(tmp_path: Path) -> None:
    path = _file(tmp_path, ENTRY)
    with pytest.raises(UserError, match="until 2030-01-15"):
        load_allowed(path, date(2030, 1, 16))


@pytest.mark.parametrize("missing", ["reason", "link", "expires", "kind", "title"])
def test_every_part_is_required(tmp_path: Path, missing: str) -> None:
    lines = [line for line in ENTRY.splitlines() if not line.strip(" -").startswith(missing)]
    text = "\n".join(lines).replace("    title", "  - title" if missing == "kind" else "    title")
    with pytest.raises(UserError, match=missing):
        load_allowed(_file(tmp_path, text), TODAY)


def test_a_bad_pattern_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"allowed.yaml:4: .*not a regular expression"):
        load_allowed(_file(tmp_path, ENTRY.replace("WARNING at", "(")), TODAY)


def test_the_rigs_own_list_is_sound() -> None:
    assert load_allowed(None, date.today()) == load_allowed(LIST, date.today())
