# SPDX-License-Identifier: GPL-2.0-or-later
"""From a guest's outcome to the result of its cell: nothing that was found out is lost on the way."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from junitparser import JUnitXml

from ci.cells.guest.guest_cell import GuestCell, cell_result, request_of, run_guest_cell, suite_error
from ci.cells.guest.saved_guests import unfit
from ci.model.stages import CellResult
from ci.model.variants import Variant
from ci.model.verdicts import RunVerdict
from ci.report.output import write_reports
from ci.run.cell_guest import CellGuest, shell_request
from ci.verdict.conclude import conclude
from configs.loader import load_arch
from configs.result import Status, TestResult
from guests.crash.outcome import End, Fault, Outcome, StepOutcome
from guests.qemu.devices import Devices
from guests.run.accel import Accelerator
from guests.run.request import GuestRequest, command_by_hand
from initramfs.job import Step
from kernels.build.build import Build
from kernels.kconfig.fragments import parse_fragment
from testcases.boot.suite import BootSuite
from testcases.suite import Payload, Suite, SuiteError
from tests.ci.samples import SUITE, TODAY, cell_name, run_of
from util.children.jobserver import Jobserver
from util.events import Listener, silent
from util.stop import Stop

STEP = Step("first", ("/first",))


class Mute:
    """A suite that has nothing to say."""

    def read(self, _payload: Payload, _outcome: Outcome) -> tuple[TestResult, ...]:
        return ()


def guest(tmp_path: Path, payload: Payload) -> GuestCell:
    build = tmp_path / "build"
    build.mkdir(exist_ok=True)
    (build / "config").write_text("CONFIG_PVH=y\n", encoding="utf-8")
    image = tmp_path / "base.cpio"
    image.write_bytes(b"070701")
    return GuestCell(
        blank=CellResult(cell=cell_name("patched"), machine="microvm"),
        arch=load_arch("x86_64"),
        build=Build("0123", build, True, "", (), (), 1.0, False),
        payload=payload,
        base_image=image,
        memory_mb=256,
        accel=Accelerator("tcg", 1.0),
        folder=tmp_path,
        fresh=True,
    )


def outcome(tmp_path: Path, **fields: object) -> Outcome:
    whole = Outcome(
        end=End.FINISHED, message="finished", steps=(StepOutcome(STEP, "exited"),), faults=(),
        console=tmp_path / "console.log", command=("qemu",), accel="tcg", qemu_version="7", seconds=1.0, tail=("end",),
    )  # fmt: skip
    return replace(whole, **fields)  # type: ignore[arg-type]


def test_a_fault_that_a_test_asked_for_and_judges_itself_is_none_of_the_guest(tmp_path: Path) -> None:
    suite: Suite = Mute()  # type: ignore[assignment]
    faults = tuple(
        Fault("oops", f"oops {number}", step=step, fatal=fatal)
        for number, (step, fatal) in enumerate([("first", False), ("", False), ("setup", False), ("first", True)])
    )
    seen = outcome(tmp_path, faults=faults)
    usual = Payload((), (STEP,), "digest", origins=(("first", "first.c"),))
    told = replace(usual, expects_faults=True)
    assert [test.name for test in cell_result(guest(tmp_path, usual), suite, seen).tests] == [
        "guest/end", "guest/fault/oops 0", "guest/fault/oops 1", "guest/fault/oops 2", "guest/fault/oops 3",
    ]  # fmt: skip
    result = cell_result(guest(tmp_path, told), suite, seen)
    names = [test.name for test in result.tests]
    assert names == ["guest/end", "guest/fault/oops 1", "guest/fault/oops 2", "guest/fault/oops 3"], (
        "only what it provoked and outlived"
    )
    assert len(result.faults) == 3
    assert guest(tmp_path, usual).key != guest(tmp_path, told).key, "the cells' cache tells them apart"


def test_a_report_of_a_title_that_the_tests_provoke_is_none_of_the_guest(tmp_path: Path) -> None:
    suite: Suite = Mute()  # type: ignore[assignment]
    faults = (
        Fault("warn", "warning in asked_for"),
        Fault("warn", "warning in other"),
        Fault("oops", "warning in asked_for", fatal=True),
    )
    seen = outcome(tmp_path, faults=faults)
    usual = Payload((), (STEP,), "digest")
    told = replace(usual, provokes=("warning in asked_*",))
    assert len(cell_result(guest(tmp_path, usual), suite, seen).faults) == 3
    assert [fault.fatal for fault in cell_result(guest(tmp_path, told), suite, seen).faults] == [False, True]
    assert guest(tmp_path, usual).key != guest(tmp_path, told).key, "the cells' cache tells them apart"


def test_where_the_processors_stood_and_all_notes_are_kept(tmp_path: Path) -> None:
    suite: Suite = Mute()  # type: ignore[assignment]
    step = StepOutcome(STEP, "timeout", notes=("stream 1: 9 bytes left out after the first 4",))
    hung = outcome(
        tmp_path, end=End.HUNG, steps=(step,), state=("CPU 0: f at kernel/a.c:1",), notes=("sysctl kernel.x: No entry",)
    )
    result = cell_result(guest(tmp_path, Payload((), (STEP,), "digest")), suite, hung)
    assert result.state == ("CPU 0: f at kernel/a.c:1",)
    assert result.notes == ("sysctl kernel.x: No entry", "first: stream 1: 9 bytes left out after the first 4")
    quiet = cell_result(guest(tmp_path, Payload((), (STEP,), "digest")), suite, outcome(tmp_path))
    assert (quiet.state, quiet.notes) == ((), ())


def test_how_long_each_step_took_is_kept_of_those_that_ended(tmp_path: Path) -> None:
    suite: Suite = Mute()  # type: ignore[assignment]
    steps = (
        StepOutcome(STEP, "exited", seconds=9.0, fair_seconds=1.25),
        StepOutcome(replace(STEP, name="quick"), "exited"),
        StepOutcome(replace(STEP, name="cut"), "unfinished", fair_seconds=3.0),
    )
    result = cell_result(
        guest(tmp_path, Payload((), (STEP,), "digest")), suite, outcome(tmp_path, steps=steps, fair_seconds=2.5)
    )
    assert (result.took, result.fair_seconds) == ({"first": 1.25, "quick": 0.0}, 2.5)


def test_options_that_a_selftest_asks_for_and_the_kernel_lacks_are_told(tmp_path: Path) -> None:
    suite: Suite = Mute()  # type: ignore[assignment]
    wishes = parse_fragment("net", "CONFIG_PVH=y\nCONFIG_VETH=m\n# CONFIG_XDP is not set\n", "net/config", "optional")
    payload = Payload((), (STEP,), "digest", wishes=(wishes,))
    result = cell_result(guest(tmp_path, payload), suite, outcome(tmp_path, notes=("another",)))
    assert result.notes == ("the kernel lacks what net/config asks for: CONFIG_VETH=y", "another")
    known = parse_fragment("ours", "CONFIG_TUN=y\n", "ours.yaml", "optional")
    known = replace(known, lines=tuple(replace(line, where="ours.yaml") for line in known.lines))
    both = cell_result(guest(tmp_path, replace(payload, wishes=(wishes, known))), suite, outcome(tmp_path)).notes
    assert both[1:] == ("the kernel lacks what ours.yaml asks for: CONFIG_TUN=y",)
    many = "".join(f"CONFIG_A{number}=y\n" for number in range(14))
    payload = replace(payload, wishes=(parse_fragment("net", many, "net/config", "optional"),))
    assert cell_result(guest(tmp_path, payload), suite, outcome(tmp_path)).notes[0].endswith("CONFIG_A11=y and 2 more")


def test_a_suite_that_asks_for_parallel_processors_gets_them_and_an_answer_of_its_own(tmp_path: Path) -> None:
    in_turn = guest(tmp_path, Payload((), (STEP,), "digest"))
    parallel = replace(in_turn, payload=replace(in_turn.payload, parallel=True))
    assert (request_of(in_turn).parallel, request_of(parallel).parallel) == (False, True)
    assert in_turn.key != parallel.key


def test_a_suite_that_asks_for_a_disk_gets_one_and_an_answer_of_its_own(tmp_path: Path) -> None:
    plain = guest(tmp_path, Payload((), (STEP,), "digest"))
    disk, card = (
        replace(plain, payload=replace(plain.payload, devices=devices))
        for devices in (Devices(disks=1), Devices(network_cards=1))
    )
    assert len({plain.key, disk.key, card.key}) == 3
    request = request_of(disk)
    assert "-drive" in command_by_hand(request) and "-drive" not in command_by_hand(request_of(plain))
    assert "disks" in unfit(request) and "disks" not in unfit(request_of(plain))


def test_a_shell_in_the_guest_of_a_cell_has_its_packages_and_modules(tmp_path: Path) -> None:
    archive = tmp_path / "modules.cpio"
    made = CellGuest(replace(guest(tmp_path, Payload((), (STEP,), "digest")), archives=(archive,)), "commit")
    assert shell_request(made, None).initrd[:2] == (made.guest.base_image, archive)


def test_a_suite_that_cannot_be_made_is_one_error_of_the_test_and_no_missing_answer(tmp_path: Path) -> None:
    blank = CellResult(cell=cell_name("patched"), machine="microvm")
    cell = suite_error(blank, SuiteError("agent does not compile: agent.c:1: error"))
    assert [(test.name, test.status) for test in cell.tests] == [(SUITE, Status.ERROR)]
    for cells in ([cell], [suite_error(blank.model_copy(update={"cell": cell_name("base")}), SuiteError("x")), cell]):
        sides = [Variant(name=name) for name in ("base", "patched")][-len(cells) :]
        run = conclude(run_of(cells, variants=sides), [], TODAY)
        assert run.verdict is RunVerdict.UNKNOWN
        assert [item.patched for item in run.comparisons if item.cell.suite == SUITE] == [(Status.ERROR,)]
        write_reports(run, tmp_path)
        assert "1 ERROR" in (tmp_path / "summary.txt").read_text(encoding="utf-8")
        raw = [case for suite in JUnitXml.fromfile(str(tmp_path / "junit-patched.xml")) for case in suite]
        assert [(case.name, [entry.type for entry in case.result]) for case in raw] == [(SUITE, ["ERROR"])]


class Restless(BootSuite):
    """A suite of which every guest but the first leaves nothing, and which asks for two more."""

    def read(self, payload: Payload, _outcome: Outcome) -> tuple[TestResult, ...]:
        names = ("shared", payload.append[0] if payload.append else "one")
        return tuple(TestResult(name, Status.PASS) for name in names)

    def rest(self, payload: Payload, _outcome: Outcome) -> Generator[Payload, Outcome, None]:
        told = yield replace(payload, append=("two",))
        assert told.message == "of two"
        yield replace(payload, append=("three",))


def test_what_one_guest_left_undone_further_ones_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[str] = []
    (tmp_path / "console.log").write_text("said\n")

    def boot(request: GuestRequest, _emit: Listener, _stop: Stop) -> Outcome:
        folders.append(request.folder.name)
        return outcome(tmp_path, message=f"of {' '.join(request.append)}")

    monkeypatch.setattr("ci.cells.guest.guest_cell.run_guest", boot)
    made = guest(tmp_path, Payload((), (STEP,), "digest"))
    with Jobserver(1) as jobs:
        context = SimpleNamespace(jobserver=jobs, emit=silent, stop=Stop())
        result = run_guest_cell(made, Restless(), context)  # type: ignore[arg-type]
    assert result is not None
    assert [test.name for test in result.tests if test.name != "kernel"][-4:] == ["shared", "one", "two", "three"]
    assert folders[1:] == ["next-1", "next-2"]
    assert result.seconds == 3.0
    assert result.notes[-1] == "guest 3 (three): of three"


def test_what_a_payload_asks_of_its_guest_goes_into_its_key(tmp_path: Path) -> None:
    plain = guest(tmp_path, Payload((), (STEP,), "digest"))
    asking = replace(plain, payload=replace(plain.payload, append=("kunit.action=list",), boot_seconds=900.0))
    assert request_of(asking).append == ("kunit.action=list",)
    assert request_of(asking).boot_deadline == 900.0
    package = tmp_path / "jq_1.6_amd64" / "package.cpio"
    package.parent.mkdir()
    package.write_bytes(b"070701")
    packed = replace(plain, archives=(package,))
    assert package in request_of(packed).initrd
    assert len({plain.key, asking.key, packed.key}) == 3
