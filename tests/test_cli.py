# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line is a contract: options, exit statuses, one line for each mistake."""

import subprocess
import sys
from pathlib import Path

import pytest

from ci.command.series.check import COMMAND as CHECK
from ci.command.shared.options import values_of
from tests.command import USER, own_cache, rig, rig_here
from util.paths import ROOT

COMMANDS = ("check", "wall", "build", "boot", "shell", "list", "doctor", "clean")
CHECK_OPTIONS = (
    "--profile", "--source", "--series", "--arch", "--abi", "--suite", "--flavour", "--accel", "--rerun", "--jobs",
    "--out", "--fresh", "--dry-run", "--json", "--quiet", "--test", "--bisect", "--host", "--identity",
)  # fmt: skip


def test_help_names_every_command_and_teaches_by_example() -> None:
    shown = rig("--help")
    assert shown.returncode == 0
    assert all(f"\n  {command} " in shown.stdout for command in COMMANDS)
    assert "./rig.py check --source . --series none" in shown.stdout
    assert "Exit status" in shown.stdout


def test_check_has_the_options_that_scripts_hold_us_to() -> None:
    shown = rig("check", "--help").stdout
    assert [option for option in CHECK_OPTIONS if f"{option} " not in shown] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert rig_here(capsys, command, "-h").stdout.startswith(f"Usage: rig.py {command}")


def test_a_list_may_be_given_in_parts() -> None:
    words = ("--suite", "boot", "--abi", "x86_64,x32", "--suite", "kunit,selftests/timers", "--abi", "i386")
    values = values_of(CHECK, words)
    assert values["suites"] == ("boot", "kunit", "selftests/timers")
    assert values["abis"] == ("x86_64", "x32", "i386")
    assert values["archs"] == ()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("check", "--profile", "seccomp-cahce"), "did you mean `seccomp-cache`"),
        (("check", "--profile", "none.yaml"), "none.yaml: No such file"),
        (("check", "--arch", "x86"), "did you mean `x86_64`"),
        (("check", "--abi", "i368"), "did you mean `i386`"),
        (("check", "--arch", "x86_64,"), "empty word"),
        (("check", "--flavour", "kassan"), "did you mean `kasan`"),
        (("check", "--suite", "selftest/seccomp", "--source", "."), "did you mean `selftests`"),
        (("check", "--accel", "xen"), "xen"),
        (("check", "--rerun", "-1"), "-1"),
        (("check", "--source", "/nowhere"), "/nowhere"),
        (("boot", "--kernel", "/nowhere"), "/nowhere"),
        (("wall", "--host", "fast.example"), "ssh://[user@]machine[:port]"),
        (("wall", "--rounds", "0"), "--rounds"),
        (("wall", "--series", "none"), "give one with --series"),
        (("shell", "--variant", "pached"), "did you mean `patched`"),
    ],
)
def test_a_mistake_is_exit_2_and_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    finished = rig_here(capsys, *arguments, cwd=tmp_path, environment=own_cache(tmp_path))
    assert finished.returncode == 2, finished.stderr
    assert words in finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.stdout == ""


@pytest.mark.slow
def test_a_mistake_is_the_same_to_the_shell_that_started_the_rig(tmp_path: Path) -> None:
    finished = rig("check", "--profile", "seccomp-cahce", cwd=tmp_path, environment=own_cache(tmp_path))
    assert (finished.returncode, finished.stdout) == (2, "")
    assert "did you mean `seccomp-cache`" in finished.stderr


def test_list_names_what_the_other_options_take() -> None:
    shown = rig("list").stdout
    for word in ("seccomp-cache", "x86_64", "aarch64", "x32", "kasan", "selftests", "debian:linux-source-6.12"):
        assert word in shown


@pytest.mark.slow
def test_clean_says_what_an_empty_cache_holds_and_removes_nothing(tmp_path: Path) -> None:
    finished = rig("clean", environment=own_cache(tmp_path))
    assert finished.returncode == 0, finished.stderr
    assert "in all" in finished.stdout.splitlines()[-1]
    assert str(tmp_path) in finished.stdout


def test_doctor_finds_what_is_missing_and_names_one_command(tmp_path: Path) -> None:
    environment = USER | {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, str(ROOT / "rig.py"), "doctor"]
    finished = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert finished.returncode == 3
    assert "NO  qemu-system-x86_64: missing, for guests" in finished.stdout
    mend = finished.stdout.splitlines()[-1]
    assert mend.startswith("mend it with: ")
    assert "qemu-system-x86 " in mend
    assert "gcc-arm-linux-gnueabihf" in mend


def test_a_missing_set_up_is_one_line(tmp_path: Path) -> None:
    copy = tmp_path / "rig.py"
    copy.write_bytes((ROOT / "rig.py").read_bytes())
    finished = subprocess.run([sys.executable, str(copy), "list"], capture_output=True, text=True, check=False)
    assert finished.returncode == 3
    assert finished.stderr == f"rig.py: not set up yet; run: make -C {tmp_path} setup\n"


def test_completion_offers_what_the_word_begins(capsys: pytest.CaptureFixture[str]) -> None:
    asked = USER | {"_RIG_PY_COMPLETE": "bash_complete", "COMP_WORDS": "rig.py check --ac", "COMP_CWORD": "2"}
    assert rig_here(capsys, environment=asked).stdout == "plain,--accel\n"


def test_version_names_the_rig_and_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    shown = rig_here(capsys, "--version")
    assert shown.returncode == 0
    assert shown.stdout.startswith("rig.py ")


def test_a_fault_of_the_rig_is_told_from_one_of_the_kernel(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1 is for the kernel; and a bisection must stop instead of blaming a commit."""

    def broken(*_arguments: object, **_options: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("ci.plan.wishes.make_plan", broken)
    ended = rig_here(capsys, "check", "--quiet")
    assert ended.returncode == 3
    assert "RuntimeError: a bug" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("rig.py: this is a fault of the rig itself")
    assert rig_here(capsys, "check", "--quiet", "--bisect").returncode == 128


@pytest.mark.parametrize("command", ["check", "compare", "mutate", "bisect"])
@pytest.mark.parametrize("option", ["--test", "--source"])
def test_what_is_taken_once_is_not_given_twice(command: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    ended = rig_here(capsys, command, option, "a*", option, "b*")
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert f"'{option}': takes one value, and was given 2: a*, b*" in ended.stderr
