# SPDX-License-Identifier: GPL-2.0-or-later
"""The scan of console logs: each file of logs/ against what a person read in it (the `.yaml` beside it).

The logs at the top of the folder come from real guests; those under `written/` are put together from the kernel's
format strings, because no guest of ours can be made to print them.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from guests.crash.scan import LogReport, scan, split_lines
from guests.crash.splats import TABLE, default_table, load_table
from util.errors import UserError

LOGS = Path(__file__).parent.parent / "logs"
GOLDEN = sorted(LOGS.rglob("*.log"))


def _nowhere(_offset: int) -> str:
    return "by time"


def _scan(text: bytes | str, steps: int = 40, by_time: Callable[[int], str] = _nowhere) -> list[LogReport]:
    data = text.encode() if isinstance(text, str) else text
    return scan(split_lines(data), default_table(), [str(number) for number in range(steps)], by_time)


def _summary(report: LogReport) -> dict[str, object]:
    fault = report.fault
    found: dict[str, object] = {"kind": fault.kind, "title": fault.title, "lines": len(fault.lines)}
    if fault.fatal:
        found["fatal"] = True
    if fault.step != "by time":
        found["step"] = fault.step
    return found


@pytest.mark.parametrize("log", GOLDEN, ids=lambda path: path.relative_to(LOGS).with_suffix("").as_posix())
def test_golden(log: Path) -> None:
    found = [_summary(report) for report in _scan(log.read_bytes())]
    assert found == (yaml.safe_load(log.with_suffix(".yaml").read_text()) or [])


def golden_kinds() -> set[str]:
    return {entry["kind"] for log in GOLDEN for entry in yaml.safe_load(log.with_suffix(".yaml").read_text()) or []}


def test_a_clean_boot_has_no_fault() -> None:
    clean = [log for log in GOLDEN if log.stem.startswith("clean")]
    assert len(clean) >= 2
    for log in clean:
        assert _scan(log.read_bytes()) == []


@pytest.mark.parametrize("log", GOLDEN, ids=lambda path: path.stem)
def test_titles_are_the_same_for_another_boot(log: Path) -> None:
    """Addresses, process ids, processors and times are changed; titles must not notice."""
    import re

    text = log.read_bytes().decode("utf-8", "replace")
    other = re.sub(r"\b(ffff[0-9a-f]{12})\b", "ffff888012345678", text)
    other = re.sub(r"PID: \d+", "PID: 4711", other)
    other = re.sub(r"^\[ *\d+\.\d+\]", "[  999.000001]", other, flags=re.MULTILINE)
    other = re.sub(r"(CPU[:#] ?)\d+", r"\g<1>7", other)
    assert [report.fault.title for report in _scan(other)] == [report.fault.title for report in _scan(text)]


@pytest.mark.parametrize("prefix", ["", "[    1.234567] ", "<4>[    1.234567] ", "[    1.234567][  T31] ", "<4>"])
def test_time_stamps_in_every_form(prefix: str) -> None:
    text = f"{prefix}WARNING: CPU: 0 PID: 1 at kernel/a.c:1 func+0x1/0x2\r\n{prefix}---[ end trace 0 ]---\r\n"
    (report,) = _scan(text)
    assert report.fault.title == "WARNING at kernel/a.c in func"
    assert len(report.fault.lines) == 2


@pytest.mark.parametrize("before", ["oom_score_adj:0\r[", "a program's words", "x\r"])
def test_a_report_that_begins_within_a_line_is_seen(before: str) -> None:
    stamp = "[   48.911035] "
    (report,) = _scan(f"{before}{stamp}WARNING: CPU: 0 PID: 1 at kernel/a.c:1 func+0x1/0x2\n")
    assert report.fault.title == "WARNING at kernel/a.c in func"
    assert before not in report.fault.lines[0]


def test_the_landmark_names_the_step_and_time_where_there_is_none() -> None:
    warning = "WARNING: CPU: 0 PID: 1 at kernel/a.c:1 func+0x1/0x2\n"
    first, second, third = _scan(f"{warning}rig: step 0: a\n{warning}rig: step 1: b\n{warning}")
    assert (first.fault.step, second.fault.step, third.fault.step) == ("by time", "0", "1")


def test_a_landmark_of_no_step_is_only_a_line() -> None:
    (report,) = _scan("rig: step 99: forged\nWARNING: at kernel/a.c:1 func+0x1/0x2\n")
    assert report.fault.step == "by time"


def test_a_report_cut_off_by_the_end_of_the_log() -> None:
    (report,) = _scan(
        "BUG: kernel NULL pointer dereference, address: 0000000000000000\nOops: 0002 [#1] SMP\nRIP: 0010:f+0x1/0x2"
    )
    assert report.fault.title == "NULL pointer dereference in f"


def test_bytes_that_are_no_text() -> None:
    (report,) = _scan(b"\xff\xfe\0noise\nBUG: soft lockup - CPU#0 stuck for 22s! [\xe9:1]\n\xff")
    assert report.fault.kind == "soft-lockup"


def test_what_is_of_no_known_kind_is_reported_too() -> None:
    (bug, warning) = _scan("BUG: the flux capacitor overflowed\nWARNING: time is running backwards\n")
    assert (bug.fault.kind, bug.fault.title) == ("bug", "BUG: the flux capacitor overflowed")
    assert (warning.fault.kind, warning.fault.title) == ("warning", "WARNING: time is running backwards")


def test_a_program_that_talks_about_bugs_is_not_a_fault() -> None:
    assert _scan("poke[31]: this is not a BUG: it is a test\npoke: WARNING follows\n") == []


def test_a_report_does_not_swallow_the_next_one() -> None:
    text = (
        "BUG: sleeping function called from invalid context at kernel/a.c:1\n"
        "WARNING: CPU: 0 PID: 1 at kernel/b.c:2 g+0x1/0x2\n---[ end trace 0 ]---\n"
    )
    assert [report.fault.kind for report in _scan(text)] == ["sleep-in-atomic", "warn"]


def test_a_very_long_report_is_cut() -> None:
    (report,) = _scan("BUG: KASAN: use-after-free in f+0x1/0x2\nCall Trace:\n" + " g+0x1/0x2\n" * 5000)
    assert len(report.fault.lines) == default_table().longest


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kind: panic", "kindd: panic", "no such key"),
        ("absorbs: [warn]", "absorbs: [wrn]", "absorbs `wrn`, which is no kind"),
        ("start: 'kmemleak: ", "start: '(kmemleak: ", "not a regular expression"),
    ],
)
def test_a_mistake_in_the_table_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "splats.yaml"
    text = TABLE.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=words):
        load_table(path)
