# SPDX-License-Identifier: GPL-2.0-or-later
"""A run that is made again, and the guests of its cells: `rig.py rerun`, `shell` and `gdb` with an output folder."""

import io
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import initramfs.base
from ci.model.results import Run
from ci.model.verdicts import TestVerdict
from tests.faketree import commit, git
from tests.scenes.stage import SUITE, Ended, Stage, says

pytestmark = pytest.mark.slow
CELL = f"x86_64 x86_64 {SUITE}"
NOTHING = "nothing that was asked for failed (1 regression; 8 same)"
FAKE_GDB = """#!/bin/sh
exec > "$0.log"
printf '%s\\n' "$@"
for word; do case "$word" in "target remote "*) test -S "${word#target remote }" && echo attached;; esac; done
exit 4
"""


@pytest.fixture
def failing(stage: Stage) -> Stage:
    """A series that breaks one of four tests."""
    stage.profile["rerun"] = 0
    stage.patched(says("fail=two.b"))
    assert stage.check().status == 1
    return stage


def again(stage: Stage, *words: str) -> Ended:
    """`rig.py rerun` into a folder beside the first one."""
    target = stage.folder / "again"
    ended = stage.call("rerun", str(stage.folder / "out"), "--out", str(target), "--quiet", *words)
    return Ended(ended.status, ended.stdout, ended.stderr, target)


def fed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Standard input that is no terminal."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False, buffer=io.BytesIO(text.encode())))


def test_only_what_failed_is_run_again_and_comes_to_the_same(failing: Stage) -> None:
    ended = again(failing, "--failed")
    assert ended.status == 1, ended.stderr
    guests = [cell for cell in ended.run.cells if cell.tests]
    assert {(cell.cell.variant, cell.only, cell.cached) for cell in guests} == {
        ("base", ("two.b",), False),
        ("patched", ("two.b",), False),
    }
    assert not [test.name for cell in guests for test in cell.tests if test.name.startswith("one.")]
    about = ended.run.repeats
    assert about and about.moved == ()
    assert [(item.test, item.then, item.now) for item in about.tests] == [
        ("two.b", "regression (FAIL)", "regression (FAIL)")
    ]
    assert ended.stdout.splitlines()[-1] == "run again: 1 test, all as in the earlier run"


def test_a_series_that_was_mended_since_is_named_and_so_is_the_test(failing: Stage) -> None:
    git(failing.tree, "reset", "--quiet", "--hard", "base")
    failing.patched(says("note=mended"))
    ended = again(failing, "--failed")
    assert ended.status == 0
    about = ended.run.repeats
    assert about
    assert about.moved == (f"the series {failing.series} changed: patch 1 of 1",)
    assert [(item.then, item.now) for item in about.tests] == [("regression (FAIL)", "same (PASS)")]
    shown = failing.call("report", str(ended.folder)).stdout
    assert "not as it was: the series" in shown
    assert f"patched {CELL} two.b: regression (FAIL) then, same (PASS) now" in shown


def test_another_source_and_another_profile_are_named(failing: Stage) -> None:
    failing.base({"drivers/null.c": "int another;\n"})
    failing.profile["rerun"] = 2
    failing.arguments()
    about = again(failing, "--failed").run.repeats
    assert about
    assert [line.partition(":")[0] for line in about.moved] == [
        "the profile scene is not as it was",
        "the source",
    ]


def test_cells_and_tests_by_name(failing: Stage) -> None:
    ended = again(failing, "--cell", CELL)
    assert ended.run.repeats
    assert {item.test for item in ended.run.repeats.tests} >= {"guest/end", "one.a", "one.b", "two.a", "two.b"}
    assert all(cell.only == () for cell in ended.run.cells)
    ended = again(failing, "--test", "one.*")
    assert (ended.status, ended.stdout.splitlines()[-1]) == (0, "run again: 2 tests, all as in the earlier run")
    ended = again(failing, "--failed", "--test", "one.*")
    assert (ended.status, ended.stdout) == (0, f"nothing to run again: {NOTHING}\n")


def test_a_rerun_can_be_run_again(failing: Stage) -> None:
    again(failing, "--failed")
    third = failing.folder / "third"
    ended = failing.call("rerun", str(failing.folder / "again"), "--out", str(third), "--quiet")
    assert ended.status == 1
    about = Run.model_validate_json((third / "results.json").read_text()).repeats
    assert about and about.command[1] == "check"


def test_a_build_that_failed_is_built_again(stage: Stage) -> None:
    broken = {"kernel/sched.c": "int schedule(void)\n{\n\treturn nobody_knows_this;\n}\n"}
    stage.patched(broken)
    assert stage.check().status == 1
    ended = again(stage, "--failed")
    assert (ended.status, ended.run.builds[1].ok) == (1, False)


def test_a_series_that_did_not_apply_is_applied_again(stage: Stage) -> None:
    stage.patched(says("note=changed"))
    git(stage.tree, "reset", "--quiet", "--hard", "base")
    stage.base({"init/scene.c": 'const char scene[] = "something else";\n'})
    assert stage.check().status == 1
    commit(stage.tree, "fake: as it was", says(""))
    git(stage.tree, "tag", "--force", "base")
    ended = again(stage, "--failed")
    assert ended.status == 0
    assert {item.verdict for item in ended.run.comparisons} == {TestVerdict.SAME}


def test_what_is_not_there_is_one_line(failing: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    out = str(failing.folder / "out")
    with_gdb(failing)
    wrong = {
        ("rerun", out, "--cell", "x86_64 x86_64 selftests/secomp"): f"nearest: patched {CELL}, base {CELL}",
        ("rerun", out, "--test", "two.c"): "no test `two.c`; nearest: two.",
        ("rerun", out, "--out", out): "is the folder of the earlier run",
        ("rerun", "/nowhere"): "/nowhere/results.json: cannot be read",
        ("shell", out): f"no cell ``; there are: base {CELL}, patched {CELL}",
        ("shell", out, "patchd", CELL): f"no cell `patchd {CELL}`; nearest: patched {CELL}",
        ("shell", out, CELL, "--arch", "x86_64"): "--arch: the cell of an earlier run says that itself",
        ("gdb", out, "aarch64 aarch64 boot"): "no cell `aarch64 aarch64 boot`",
        ("gdb", out, CELL, "--console", f"{out}/results.json/log"): "name another file by --console",
    }
    for words, said in wrong.items():
        fed(monkeypatch, "")
        ended = failing.call(*words)
        assert ended.status == 2, words
        (line,) = [line for line in ended.stderr.splitlines() if line.startswith("rig.py: ")]
        assert said in line
        assert ended.run.verdict == "fail"  # still there


def test_an_older_folder_says_how_to_run_it_again(failing: Stage) -> None:
    results = failing.folder / "out" / "results.json"
    old = {key: value for key, value in json.loads(results.read_text()).items() if key != "called_in"}
    results.write_text(json.dumps(old))
    for command in (("rerun",), ("gdb",)):
        ended = failing.call(*command, str(failing.folder / "out"), *((CELL,) if command == ("gdb",) else ()))
        assert ended.status == 2
        assert "of an older rig" in ended.stderr and "check --profile" in ended.stderr


def test_commands_from_a_pipe_run_in_the_guest_of_a_cell(failing: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    busybox = failing.folder / "busybox"
    busybox.write_text("not started by the player")
    monkeypatch.setattr(initramfs.base, "busybox", lambda *_: busybox)
    fed(monkeypatch, "cat /proc/version\n")
    ended = failing.call("shell", str(failing.folder / "out"), CELL, "--quiet")
    assert (ended.status, ended.stdout) == (0, "TAP version 13\n1..2\nok 1 a\nok 2 b\n")


def test_a_kernel_that_falls_over_under_the_commands_is_told_from_their_status(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    busybox = stage.folder / "busybox"
    busybox.write_text("not started by the player")
    monkeypatch.setattr(initramfs.base, "busybox", lambda *_: busybox)
    stage.profile["rerun"] = 0
    stage.patched(says("end=panics"))
    stage.check()
    fed(monkeypatch, "true\n")
    ended = stage.call("shell", str(stage.folder / "out"), CELL, "--quiet")
    assert ended.status == 1
    assert "the end of its console:" in ended.stderr
    assert "Kernel panic - not syncing: the scene asks for it" in ended.stderr
    fed(monkeypatch, "true\n")
    assert stage.call("shell", str(stage.folder / "out"), f"base {CELL}", "--quiet").status == 0


def with_gdb(stage: Stage) -> None:
    stage.environment()
    gdb = stage.folder / "bin" / "gdb-multiarch"
    gdb.write_text(FAKE_GDB)
    gdb.chmod(0o755)


def test_gdb_is_attached_before_the_first_instruction(failing: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with_gdb(failing)
    fed(monkeypatch, "")
    ended = failing.call("gdb", str(failing.folder / "out"), CELL, "-ex", "break schedule", "-ex", "continue")
    assert ended.status == 4, ended.stderr
    words = (failing.folder / "bin" / "gdb-multiarch.log").read_text().splitlines()
    assert "attached" in words
    assert words.index("break schedule") < words.index("continue")
    stub = Path(next(word for word in words if word.startswith("target remote ")).rpartition(" ")[2])
    assert not stub.parent.exists() and not os.path.lexists(stub)
    assert any(word.startswith("set substitute-path /src /") for word in words)
    assert "debug information: functions and lines" in ended.stderr


def test_what_needs_no_kernel_is_read_again_without_one(stage: Stage) -> None:
    stage.profile["checkpatch"] = True
    stage.patched(says("note=UGLY"))
    stage.check()
    ended = again(stage, "--cell", "checkpatch")
    assert ended.run.builds == ()
    assert {cell.cell.suite for cell in ended.run.cells} == {"checkpatch"}
    assert ended.stdout.splitlines()[-1].endswith("all as in the earlier run")
