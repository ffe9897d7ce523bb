# SPDX-License-Identifier: GPL-2.0-or-later
"""results.json and its schema, the terminal's report, commands.txt and the output folder."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ci.model.results import Run
from ci.model.stages import CellResult
from ci.model.variants import Variant
from ci.report import commands, schema, terminal
from ci.report.formats import json_report
from ci.report.output import clear, write_reports
from ci.verdict.conclude import conclude
from configs.result import Cell, Figure, Status, TestResult
from kernels.build.diagnostics import BuildWarning
from tests.ci.samples import PANIC, TODAY, built, judged, not_run, ran, run_of
from util.errors import MachineError, UserError
from util.files.atomic import TEMPORARY, write_atomic
from util.text import file_name, paste

P, F, S, M, E = Status.PASS, Status.FAIL, Status.SKIP, Status.MISS, Status.ERROR
DATA = Path(__file__).parent / "data"


def busy_run() -> Run:
    """Something of everything."""
    whole = {f"seccomp_bpf.global.test_{number}": P for number in range(40)}
    first, second, *_ = whole
    cells: list[CellResult] = []
    for abi, base, patched in (
        ("x86_64", whole, whole),
        ("x32", whole | {first: F}, whole | {first: F}),
        ("i386", whole, whole | {second: F}),
    ):
        cells += [ran("base", base, abi=abi), ran("patched", patched, abi=abi)]
    for attempt in (1, 2, 3):
        cells.append(ran("base", whole, abi="i386", attempt=attempt))
        cells.append(ran("patched", whole | {second: F, first: F if attempt == 2 else P}, abi="i386", attempt=attempt))
    few = dict(list(whole.items())[:12])
    cells += [ran("base", whole, arch="aarch64", abi="aarch64")]
    cells += [ran("patched", few, arch="aarch64", abi="aarch64", end="panic", faults=[PANIC])]
    cells += [ran("base", whole, arch="aarch64", abi="arm"), not_run("patched", "stopped", "aarch64", "arm")]
    warning = BuildWarning(file="kernel/seccomp.c", line=7, text="unused variable 'x'", option="-Wunused-variable")
    return judged(cells, [built("base"), built("patched", warnings=[warning])])


def test_json_there_and_back() -> None:
    run = busy_run()
    text = json_report.dump(run)
    assert json_report.parse(text) == run
    assert json.loads(text)["verdict"] == "fail"


def test_json_with_half_a_surrogate_pair_is_utf8() -> None:
    run = judged([ran("base", {"a": P}).model_copy(update={"message": "\ud800 ä"})])
    text = json_report.dump(run)
    text.encode("utf-8")
    assert json_report.parse(text).cells[0].message == "? ä"


@pytest.mark.parametrize("text", ["", "[]", '{"format": 2}', "not json"])
def test_json_that_is_not_ours(text: str) -> None:
    with pytest.raises(UserError, match=r"^not a results\.json of format 1: [^\n]*$"):
        json_report.parse(text)


def test_schema_is_up_to_date() -> None:
    assert schema.PATH.read_text(encoding="utf-8") == schema.text(), "run: python -m ci.report.schema"


def check_jsonschema(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_schema_accepts_a_report_and_rejects_a_broken_one(tmp_path: Path) -> None:
    assert check_jsonschema("--check-metaschema", str(schema.PATH)).returncode == 0
    good, bad = tmp_path / "results.json", tmp_path / "bad.json"
    text = json_report.dump(busy_run())
    good.write_text(text, encoding="utf-8")
    bad.write_text(text.replace('"verdict": "regression"', '"verdict": "improvement"'), encoding="utf-8")
    assert check_jsonschema("--schemafile", str(schema.PATH), str(good)).returncode == 0
    assert check_jsonschema("--schemafile", str(schema.PATH), str(bad)).returncode != 0


def test_terminal_golden() -> None:
    """The whole report, character for character; see what changed before you replace the file."""
    assert terminal.render(busy_run(), width=80) == (DATA / "summary-80.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [40, 79, 80, 100, 200])
def test_terminal_keeps_to_its_width(width: int) -> None:
    text = terminal.render(busy_run(), width=width)
    assert max(map(len, text.splitlines())) <= min(width, 100)
    assert "\x1b" not in text and text.isprintable() is False and text.endswith("\n")
    assert text.splitlines()[0].startswith("fail (exit 1, 1 min 23 s): ")


def test_terminal_colours_only_on_request() -> None:
    assert "\x1b[" in terminal.render(busy_run(), colour=True)


def test_show_is_plain_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest captures standard output, so it is no terminal; then it is made one."""
    run = busy_run()
    assert terminal.show(run) == terminal.render(run, width=100)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert terminal.show(run) == terminal.render(run, width=80, colour=True)
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal.show(run) == terminal.render(run, width=80)


def test_terminal_with_many_variants_splits_the_table() -> None:
    names = ["base", *(f"patch-{number}" for number in range(1, 9)), "patched"]
    sides = [Variant(name=name) for name in names]
    cells = [ran(name, {"a": P, "b": F, "c": S, "d": E}) for name in names]
    text = terminal.render(conclude(run_of(cells, variants=sides), today=TODAY), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert all(name in text for name in names)
    assert text.count("1 FAIL, 1 ERROR, 1 pass, 1 skip") == len(names)


def test_terminal_does_not_pass_on_what_a_guest_prints() -> None:
    """Test names come out of an untrusted kernel: neither markup nor escape sequences get through."""
    name = "[bold red]x[/] \x1b]0;title\x07 \x1b[2J end"
    text = terminal.render(judged([ran("base", {name: P}), ran("patched", {name: F})]))
    assert "\x1b" not in text and "\x07" not in text
    assert "[bold red]x[/]" in text


def test_terminal_when_nothing_changed() -> None:
    text = terminal.render(judged([ran("base", {"a": P}), ran("patched", {"a": P})]))
    assert text.splitlines()[0] == "pass (exit 0, 1 min 23 s): 3 same"
    assert text.splitlines()[-1] == "Nothing changed."


@pytest.mark.parametrize(
    "command",
    [
        ("make", "O=/a b", "KCFLAGS=-g1 'x'"),
        ("qemu-system-x86_64", "-append", "console=ttyS0 panic=-1", *(f"-device x{n}" for n in range(20))),
        ("printf", "%s", "two\nlines\tand\\ a 'quote' ä \x9b \udcff"),
        ("./rig.py",),
    ],
)
@pytest.mark.parametrize("width", [0, 40])
def test_commands_can_be_pasted(command: tuple[str, ...], width: int) -> None:
    text = paste(command, width, "  ")
    script = f"show() {{ printf '%s\\0' \"$@\"; }}; show {text.strip()}"
    assert text.replace("\n", "").isprintable()
    answer = subprocess.run(["bash", "-c", script], capture_output=True, check=True)
    assert tuple(os.fsdecode(word) for word in answer.stdout.split(b"\0")[:-1]) == command


def test_commands_file_is_a_script() -> None:
    text = commands.render(busy_run())
    assert "# guest patched/x86_64/i386/plain/selftests/seccomp re-run 2" in text
    assert "# not run: stopped" in text
    lines = [shlex.split(line) for line in text.splitlines() if line and not line.startswith("#")]
    assert ["make", "ARCH=x86_64", "O=/build dir", "bzImage"] in lines
    assert lines[0] == ["./rig.py", "check", "--series", "my series.mbox"]
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0


def test_output_folder(tmp_path: Path) -> None:
    written = write_reports(busy_run(), tmp_path / "out")
    names = [path.name for path in written]
    assert names == [
        "junit.xml", "junit-base.xml", "junit-patched.xml", "commands.txt", "summary.txt", "report.html",
        "results.json",
    ]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)


def test_old_reports_are_removed_and_nothing_else(tmp_path: Path) -> None:
    write_reports(busy_run(), tmp_path)
    (tmp_path / f"{TEMPORARY}abc").write_text("half")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "junit-folder.xml").mkdir()
    for name in ("bench.txt", "wall.txt", "position-x86_64.svg", "depth-arm.png", "my-position-x86_64.svg"):
        (tmp_path / name).write_text("old")
    write_reports(busy_run(), tmp_path / "again")
    clear(tmp_path)
    left = ["again", "junit-folder.xml", "my-position-x86_64.svg", "notes.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == left
    assert list((tmp_path / "again").iterdir()) == []
    clear(tmp_path / "absent")


def test_results_come_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that was cut off must not look complete: no results.json without all the others."""
    seen: list[str] = []

    def fail_late(path: Path, _data: str) -> None:
        seen.append(path.name)
        if len(seen) == 4:
            raise MachineError("disk full")

    monkeypatch.setattr("ci.report.output.write_atomic", fail_late)
    with pytest.raises(MachineError):
        write_reports(busy_run(), tmp_path)
    assert "results.json" not in seen


def test_atomic_write_keeps_the_old_file_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomic(path, "old")

    def broken(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(MachineError, match="No space left on device"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_file_names_are_harmless() -> None:
    assert file_name("../../etc/passwd") == "etc-passwd"
    assert file_name("patch-3") == "patch-3"
    assert file_name("..") == "unnamed"


def test_where_a_hung_guest_stood_and_what_init_remarked_reach_every_report(tmp_path: Path) -> None:
    stood, cut = "CPU 1: seccomp_attach_filter at kernel/seccomp.c:941", "seccomp_bpf: stream 1: 9 bytes left out"
    hung = ran("patched", {}, end="hung").model_copy(update={"state": (stood,), "notes": (cut,)})
    run = conclude(run_of([ran("base", {}), hung]), [], TODAY)
    write_reports(run, tmp_path)
    for name in ("summary.txt", "results.json", "junit.xml", "junit-patched.xml"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert stood in text, name
        assert cut in text, name
    assert stood not in (tmp_path / "junit-base.xml").read_text(encoding="utf-8")


def test_a_fallback_to_tcg_is_told_with_its_reason_in_every_report(tmp_path: Path) -> None:
    run = conclude(run_of([ran("base", {}), ran("patched", {})]), [], TODAY)
    write_reports(run, tmp_path)
    assert "although" not in "".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    host = run.host.model_copy(update={"fallback": {"x86_64": "kvm: hung: no sign of life"}})
    write_reports(run.model_copy(update={"host": host}), tmp_path)
    for name in ("summary.txt", "results.json", "junit.xml", "junit-patched.xml"):
        assert "kvm: hung: no sign of life" in (tmp_path / name).read_text(encoding="utf-8"), name


def passing_run() -> Run:
    """Many cells of one suite, each with many new tests, as a series that brings a suite has them."""
    new = {f"new_{number}": P for number in range(60)}
    abis = [f"abi{number}" for number in range(14)]
    cells = [ran(side, {"a": P} | (new if side == "patched" else {}), abi=abi) for abi in abis
             for side in ("base", "patched")]  # fmt: skip
    return judged(cells)


def test_a_run_that_passes_is_told_in_a_few_lines_and_in_full_on_request() -> None:
    run = passing_run()
    lines = terminal.render(run).splitlines()
    assert lines[0].startswith("pass (exit 0, ")
    assert "new: selftests/seccomp, 840 tests in 14 cells" in lines
    assert len(lines) < 12
    assert sum("selftests/seccomp, 14 cells" in line for line in lines) == 1
    full = terminal.render(run, verbose=True)
    assert "new_9" in full and "x86_64 abi13 selftests/seccomp" in full
    assert len(full.splitlines()) > 150


def test_what_checkpatch_says_is_told() -> None:
    def cell(variant: str, *tests: TestResult) -> CellResult:
        return CellResult(cell=Cell(variant, "-", "-", "-", "checkpatch"), tests=tests)

    def patch(name: str, warnings: int) -> TestResult:
        said = "WARNING: too long\n" * warnings
        return TestResult(name, P, output=said, figures=(Figure("warnings", warnings, "complaints"),))

    clean = (patch("0001 one", 0), patch("0002 two", 0))
    text = terminal.render(judged([cell("base", *clean), cell("patched", *clean)]))
    assert "checkpatch: no complaint about 2 patches" in text
    text = terminal.render(judged([cell("base", *clean), cell("patched", clean[0], patch("0002 two", 1))]))
    assert "  0002 two: 1 warning\n    WARNING: too long\n  no complaint about 1 other patch\n" in text


def test_structs_that_did_not_change_are_counted() -> None:
    tests = tuple(TestResult(f"s{number}", P, figures=(Figure("size", 8, "bytes"),)) for number in range(14))
    cells = [CellResult(cell=Cell(side, "x86_64", "-", "plain", "layout"), tests=tests) for side in ("base", "patched")]
    text = terminal.render(judged(cells))
    assert "layout x86_64: 14 unchanged\n" in text
    assert text.count("unchanged") == 1


def test_every_command_of_a_build_that_failed_is_there_to_paste() -> None:
    commands = (
        ("mkdir", "-p", "/b/repeat"),
        ("cp", "/b/config", "/b/repeat/.config"),
        ("make", "O=/b/repeat", "bzImage"),
    )
    failed = built("patched", ok=False).model_copy(update={"commands": commands})
    lines = [line.strip() for line in terminal.render(judged([], [built("base"), failed])).splitlines()]
    assert [line for line in lines if "/b/repeat" in line] == [" ".join(command) for command in commands]
