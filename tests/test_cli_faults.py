# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line in odd places: full disks, files in the way, signals at any moment, answers of earlier runs."""

import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ci.command.shared.running import INTERRUPTED, status_of
from ci.model.verdicts import RunVerdict
from ci.report import output
from ci.report.formats import junit
from ci.report.unfinished import begin, placeholder
from ci.run.check import _unfinished
from ci.verdict.conclude import conclude
from configs.result import Status
from tests.ci.samples import judged, ran, run_of
from tests.command import own_cache, rig, rig_here
from util.errors import MachineError, UserError
from util.paths import ROOT
from util.stop import Stop

PASSED = judged([ran("base", {"a": Status.PASS}), ran("patched", {"a": Status.PASS})])


def old_pass(folder: Path) -> Path:
    """A folder with the reports of a run that passed, and a file of the user's."""
    output.write_reports(PASSED, folder)
    (folder / "notes.txt").write_text("mine")
    assert (folder / "results.json").exists() and "<error" not in (folder / "junit.xml").read_text()
    return folder


def says_pass(folder: Path) -> bool:
    try:
        passes = not list(ElementTree.parse(folder / "junit.xml").iter("error"))
    except FileNotFoundError:  # taken away, perhaps in this moment
        passes = False
    return (folder / "results.json").exists() or passes


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("--profile", "seccomp-cahce"),
        ("--profile", "/nowhere.yaml"),
        ("--no-such-option",),
        ("--arch", "x86_64,"),
        ("--source", "/nowhere"),
        ("--jobs", "none"),
    ],
)
@pytest.mark.parametrize("form", ["--out={}", "--out {}"])
def test_a_mistake_anywhere_leaves_no_old_answer(tmp_path: Path, arguments: tuple[str, ...], form: str) -> None:
    folder = old_pass(tmp_path / "out")
    words = form.format(folder).split(" ")
    for order in ((*words, *arguments), (*arguments, *words)):
        finished = rig("check", *order, environment=own_cache(tmp_path))
        assert finished.returncode == 2 and "Traceback" not in finished.stderr, finished.stderr
        assert not says_pass(folder)
        assert (folder / "notes.txt").read_text() == "mine"
        old_pass(folder)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("--help",), ("--dry-run", "--profile", "nowhere")])
def test_what_is_no_run_leaves_the_answer(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    folder = old_pass(tmp_path / "out")
    rig("check", "--out", str(folder), *arguments, environment=own_cache(tmp_path))
    assert says_pass(folder)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_run_leaves_no_old_answer(tmp_path: Path, number: signal.Signals) -> None:
    """The old answer goes before anything slow is even imported."""
    folder = old_pass(tmp_path / "out")
    command = [str(ROOT / "rig.py"), "check", "--out", str(folder), "--source", str(tmp_path), "--quiet"]
    with subprocess.Popen(command, env=own_cache(tmp_path), stderr=subprocess.PIPE, text=True) as process:
        while says_pass(folder):
            assert process.poll() is None
            time.sleep(0.005)
        assert "click" not in Path(f"/proc/{process.pid}/maps").read_text()
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert "Traceback" not in said or "rig.py" not in said, said
    assert not says_pass(folder)


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.0, 0.01, 0.05, 0.2, 0.5])
def test_ctrl_c_in_the_first_second_is_one_line(tmp_path: Path, delay: float) -> None:
    """From the moment on in which the rig's own Python begins to start: `delay` are seconds after that."""
    command = [str(ROOT / "rig.py"), "check", "--source", str(tmp_path), "--out", str(tmp_path / "out")]
    with subprocess.Popen(command, env=own_cache(tmp_path), stderr=subprocess.PIPE, text=True) as process:
        line = Path(f"/proc/{process.pid}/cmdline")
        while not line.read_bytes().startswith(str(ROOT / ".venv").encode()):
            assert process.poll() is None
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode in (INTERRUPTED, 2, 3), said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1, said


def test_an_interrupted_run_without_any_cell_is_an_error_for_junit() -> None:
    run = _unfinished(conclude(run_of([])))
    assert run.verdict is RunVerdict.UNKNOWN and run.exit_code == 3
    assert list(ElementTree.fromstring(junit.gate(run)).iter("error"))
    assert list(ElementTree.fromstring(placeholder()).iter("error"))


def test_a_signal_after_the_answer_does_not_contradict_it() -> None:
    stop = Stop()
    stop.set()
    assert status_of(PASSED, 0, stop) == 0
    assert status_of(_unfinished(conclude(run_of([]))), 3, stop) == INTERRUPTED
    assert status_of(PASSED, 0, Stop()) == 0


LONG = "x" * 300


@pytest.mark.slow
@pytest.mark.parametrize(
    "out", ["file", "file/below", "/proc/out", f"{LONG}", f"a/{LONG}", "/sys/out", "\udc80/\x1b[31m"]
)
def test_an_output_folder_that_cannot_be_is_one_line(
    tmp_path: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    finished = rig_here(
        capsys, "check", "--out", out, "--source", str(tmp_path), cwd=tmp_path, environment=own_cache(tmp_path)
    )
    assert finished.returncode in (2, 3), finished.stderr
    assert "Traceback" not in finished.stderr and "\x1b" not in finished.stderr
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["console", "configs", "builds"])
def test_a_file_in_the_way_is_said_before_anything_is_built(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=f"{name}: a run makes a folder of this name"):
        begin(tmp_path)
    assert (tmp_path / name).read_text() == "mine"


def _link_folder(folder: Path, target: Path) -> None:
    (folder / "console").symlink_to(target)


def _link_deep(folder: Path, target: Path) -> None:
    (folder / "console" / "cell").mkdir(parents=True)
    (folder / "console" / "cell" / "console.log").symlink_to(target / "file")


def _link_report(folder: Path, target: Path) -> None:
    (folder / "junit.xml").symlink_to(target / "file")


def _link_plot(folder: Path, target: Path) -> None:
    (folder / "position.svg").symlink_to(target / "file")


@pytest.mark.parametrize("plant", [_link_folder, _link_deep, _link_report, _link_plot])
def test_planted_links_are_taken_away_and_not_followed(tmp_path: Path, plant: Callable[[Path, Path], None]) -> None:
    target, folder = tmp_path / "target", tmp_path / "out"
    target.mkdir()
    folder.mkdir()
    (target / "file").write_text("mine")
    plant(folder, target)
    begin(folder)
    assert not [path for path in folder.rglob("*") if path.is_symlink()]
    assert [path.name for path in target.iterdir()] == ["file"] and (target / "file").read_text() == "mine"


def test_a_full_disk_under_the_output_folder_is_the_machines_fault(tmp_path: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        with (tmp_path / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while filler.write(bytes(512)):
                pass
        with pytest.raises(MachineError, match="No space left on device"):
            begin(tmp_path / "out")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "XDG_STATE_HOME"])
@pytest.mark.parametrize("value", ["file", "file/below", "/proc/none", f"/tmp/{LONG}"])
@pytest.mark.parametrize("command", [("check", "--source", "."), ("clean",), ("doctor",)])
def test_a_cache_that_cannot_be_is_one_line(
    tmp_path: Path, variable: str, value: str, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    place = value if value.startswith("/") else str(tmp_path / value)
    finished = rig_here(capsys, *command, cwd=tmp_path, environment=own_cache(tmp_path) | {variable: place})
    assert "Traceback" not in finished.stderr, finished.stderr
    assert finished.returncode in (0, 2, 3)
    if command[0] == "clean" and variable == "XDG_CACHE_HOME":
        assert finished.returncode == 3 and len(finished.stderr.splitlines()) == 1, finished.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("--suite", "selftests/\x1b[31mred"), ("--suite", "\x07"), ("--arch", "\x1b]0;x\x07")]
)
def test_control_characters_of_a_name_do_not_reach_the_terminal(
    tmp_path: Path, words: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    finished = rig_here(capsys, "check", *words, "--source", str(tmp_path), environment=own_cache(tmp_path))
    assert finished.returncode == 2
    assert not set(finished.stdout + finished.stderr) & {"\x1b", "\x07"}


@pytest.mark.slow
def test_known_issues_are_read_in_a_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "known.yaml").write_text("issues:\n  - {test: a, expires: 2026-02-30}\n")
    profile = "name: mine\ndescription: d\nsource: .\narchs: [x86_64]\nsuites: [boot]\nknown_issues: known.yaml\n"
    (tmp_path / "mine.yaml").write_text(profile)
    finished = rig_here(
        capsys, "check", "--profile", "mine.yaml", "--dry-run", cwd=tmp_path, environment=own_cache(tmp_path)
    )
    assert finished.returncode == 2
    assert "known.yaml:2: " in finished.stderr and "2026-02-30" in finished.stderr
