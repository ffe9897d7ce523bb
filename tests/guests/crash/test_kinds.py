# SPDX-License-Identifier: GPL-2.0-or-later
"""Every kind of report has one title in all boots, and another one for another function."""

import pytest

from guests.crash.scan import LogReport, scan, split_lines
from guests.crash.splats import Role, default_table
from tests.guests.reports import REPORTS, boot

SAMPLES = [sample[1:] for sample in REPORTS]
IDS = [name for name, _kind, _title, _text in REPORTS]


def read(text: str) -> list[LogReport]:
    return scan(split_lines(text.encode()), default_table(), [], lambda _offset: "")


@pytest.mark.parametrize(("kind", "title", "text"), SAMPLES, ids=IDS)
def test_one_fault_has_one_title_in_ten_boots(kind: str, title: str, text: str) -> None:
    found = {tuple((report.fault.kind, report.fault.title) for report in read(boot(text, seed))) for seed in range(10)}
    assert found == {((kind, title.format(func="victim")),)}


@pytest.mark.parametrize(("kind", "title", "text"), SAMPLES, ids=IDS)
def test_another_function_has_another_title(kind: str, title: str, text: str) -> None:
    (report,) = read(boot(text, 1, func="new_bug"))
    assert (report.fault.kind, report.fault.title) == (kind, title.format(func="new_bug"))


def test_every_kind_of_fault_is_in_the_list_or_has_a_golden_log() -> None:
    from tests.guests.crash.test_scan import golden_kinds

    known = {kind for _name, kind, _title, _text in REPORTS} | golden_kinds()
    assert {kind.name for kind in default_table().kinds if kind.role is not Role.HARMLESS} - known == set()


def test_what_was_asked_for_by_a_magic_key_is_no_fault() -> None:
    text = (
        "sysrq: Show backtrace of all active CPUs\nNMI backtrace for cpu 0\nCPU: 0 PID: 1 Comm: init Not tainted\n"
        "Call Trace:\n busy+0x1/0x2\nsomething else\nsysrq: Show Blocked State\ntask:sleeper state:D\n"
        "Call Trace:\n __schedule+0x1/0x2\nother talk\nNMI backtrace for cpu 1\nCall Trace:\n busy+0x1/0x2\n"
    )
    assert read(text) == []
    (report,) = read(text + "rig: step 0: next\nCall Trace:\n unasked+0x1/0x2\n")
    assert report.fault.title == "call trace without a report in unasked"


def test_a_process_that_took_all_memory_is_no_fault_of_the_kernel() -> None:
    text = (
        "prog invoked oom-killer: gfp_mask=0x100dca(GFP_HIGHUSER), order=0, oom_score_adj=0\nCPU: 1 PID: 9 Comm: prog\n"
        "Call Trace:\n dump_stack_lvl+0x1/0x2\n dump_header+0x1/0x2\n oom_kill_process+0x1/0x2\nMem-Info:\n"
    )
    assert read(text) == []


def test_a_lockdep_report_is_read_to_its_trace_however_much_stands_before_it() -> None:
    chain = "".join(
        f"-> #{number} (&lock_{number}){{+.+.}}-{{2:2}}:\n       dep+0x1/0x2\nand so on\n" for number in range(300)
    )
    text = (
        f"WARNING: possible circular locking dependency detected\n6.1.0 #1 Not tainted\n{chain}\nstack backtrace:\n"
        "Call Trace:\n dump_stack_lvl+0x1/0x2\n check_noncircular+0x1/0x2\n __lock_acquire+0x1/0x2\n victim+0x1/0x2\n"
    )
    (report,) = read(text)
    assert report.fault.title == "lockdep: possible circular locking dependency detected in victim"
    assert len(report.fault.lines) == 909
