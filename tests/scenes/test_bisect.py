# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole bisections by the command line: git, make, the sandbox and the state are real, the guests are played."""

import json
import re
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ci.run.tasks.executor import Executor
from testcases.selftests import programs
from testcases.selftests.programs import narrowed
from testcases.suite import Payload
from tests.faketree import commit, git
from tests.scenes.stage import Ended, Stage, says
from util.paths import ROOT

pytestmark = pytest.mark.timeout(900)
BROKEN = "fail=one.a"
_RULED = re.compile(r"bisect: ([0-9a-f]{12}): (?:free of it|shows it)")


def history(stage: Stage, *scenes: str, name: str = "slow") -> list[str]:
    """Commits on top of base; `nobuild` does not compile. Another `name` makes kernels that no other history has."""
    made = []
    for number, scene in enumerate(scenes):
        files = says(f"{scene} n={number}")
        files["kernel/slow.c"] = "int broken(\n" if scene == "nobuild" else f"int {name}_{number};\n"
        made.append(commit(stage.tree, f"fake: step {number}", files))
    return made


def words(stage: Stage, *further: str) -> list[str]:
    stage.arguments()  # writes the profile
    profile = str(stage.folder / "scene.yaml")
    return ["bisect", "--profile", profile, "--out", str(stage.folder / "out"), "--accel", "tcg", *further]


def bisect(stage: Stage, *further: str) -> Ended:
    return stage.call(*words(stage, "--source", str(stage.tree), "--good", "base", *further))


def answer(stage: Stage) -> dict[str, object]:
    found: dict[str, object] = json.loads((stage.folder / "out" / "bisect.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.slow
def test_a_culprit_among_ten_with_two_that_say_nothing(stage: Stage) -> None:
    told = ["", "", "", "", "nobuild", "", "end=panics", BROKEN, BROKEN, BROKEN]
    commits = history(stage, *told)
    before = git(stage.tree, "status", "--porcelain"), git(stage.tree, "for-each-ref")
    ended = bisect(stage, "--test", "*one.a")  # which may mean a test of any program, so that all of them run
    assert ended.status == 0, ended.stdout + ended.stderr
    assert f"commit {commits[7]}" in ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("found (exit 0")
    assert (git(stage.tree, "status", "--porcelain"), git(stage.tree, "for-each-ref")) == before
    letter = ended.report("mail.txt")
    assert f'Fixes: {commits[7][:12]} ("fake: step 7")' in letter
    assert ended.report("junit.xml")
    again = bisect(stage, "--test", "*one.a", "--quiet")
    assert again.status == 0
    assert answer(stage)["cost"] == {**_cost(stage), "builds": 0, "boots": 0, "warm": 0, "steps": 0}


@pytest.mark.slow
def test_a_program_that_cannot_show_the_fault_does_not_run(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    run: set[tuple[str, ...]] = set()

    def noted(*asked: Any) -> Payload:
        part = narrowed(*asked)
        run.add(tuple(step.name for step in part.steps))
        return part

    monkeypatch.setattr(programs, "narrowed", noted)
    commits = history(stage, "end=panics in=two", "", f"{BROKEN} end=panics in=two")
    ended = bisect(stage, "--test", "one.a")
    assert ended.status == 0, ended.stdout + ended.stderr
    assert f"commit {commits[2]}" in ended.stdout
    assert run == {("one",)}


@pytest.mark.slow
def test_the_next_kernels_are_built_while_a_guest_runs(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each guest here lasts until the builds ahead are done: no later step has to be built when its turn comes."""
    waited: list[bool] = []
    boots = Executor.rerun

    def patient(executor: Executor, *cells: Any, **more: Any) -> None:
        ahead = [thread for thread in threading.enumerate() if thread.name == "ahead"]
        waited.append(bool(ahead))
        for thread in ahead:
            thread.join(120)
        boots(executor, *cells, **more)

    monkeypatch.setattr(Executor, "rerun", patient)
    commits = history(stage, *[BROKEN if number >= 6 else "" for number in range(9)], name="ahead")
    source = ("--source", str(stage.tree), "--good", commits[0])  # base was built for other scenes
    ended = stage.call(*words(stage, *source, "--test", "one.a", "--jobs", "2"))
    assert ended.status == 0, ended.stdout + ended.stderr
    assert f"commit {commits[6]}" in ended.stdout
    cost = _cost(stage)
    assert any(waited)
    lines = ended.stderr.splitlines()
    ruled = [(number, match[1]) for number, line in enumerate(lines) if (match := _RULED.search(line))]
    assert len(ruled) >= 3, ended.stderr
    for (before, _), (_, name) in pairwise(ruled):
        begun = next(number for number, line in enumerate(lines) if f"build x86_64 {name} plain starts" in line)
        assert begun < before, (name, ended.stderr)
    assert cost["warm"] == 0, "a build that was made ahead is a build"


def _cost(stage: Stage) -> dict[str, object]:
    cost = answer(stage)["cost"]
    assert isinstance(cost, dict)
    return cost


@pytest.mark.slow
def test_a_series_of_six_with_the_fault_in_the_fourth(stage: Stage) -> None:
    stage.patched(*(says(f"{BROKEN if number >= 4 else ''} n={number}") for number in range(1, 7)))
    ended = stage.call(*words(stage, "--series", stage.series, "--test", "one.a"))
    assert ended.status == 0, ended.stdout + ended.stderr
    assert 'patch 4 of 6 ("fake: patch 4") is the first bad commit' in ended.stdout.splitlines()[-1]


@pytest.mark.slow
def test_a_range_that_the_tree_holds_already_is_a_series_too(stage: Stage) -> None:
    history(stage, "", BROKEN, BROKEN)
    ended = stage.call(*words(stage, "--source", str(stage.tree), "--series", "base..HEAD", "--test", "one.a"))
    assert ended.status == 0, ended.stdout + ended.stderr
    assert "patch 2 of 3" in ended.stdout.splitlines()[-1]


@pytest.mark.slow
def test_a_mending_patch_lets_a_stretch_build(stage: Stage) -> None:
    """Without it the culprit is one of a set."""
    commits = history(stage, "", "nobuild", f"{BROKEN}", BROKEN)
    fix = stage.folder / "fix.patch"
    fix.write_text(
        "From 0000000000000000000000000000000000000001 Mon Sep 17 00:00:00 2001\nFrom: a <a@example.org>\n"
        "Date: Sat, 1 Jan 2000 00:00:00 +0000\nSubject: [PATCH] mend it\n\n---\n\n"
        "diff --git a/kernel/slow.c b/kernel/slow.c\n--- a/kernel/slow.c\n+++ b/kernel/slow.c\n"
        "@@ -1 +1 @@\n-int broken(\n+int broken;\n--\n2.39.5\n\n"
    )
    ended = bisect(stage, "--test", "one.a", "--fixup", str(fix))
    assert ended.status == 0, ended.stdout + ended.stderr
    assert f"commit {commits[2]}" in ended.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("further", "line"),
    [
        (("--test", "one.zz"), "no test answers to `one.zz`"),
        (("--good", "HEAD", "--bad", "base", "--test", "one.a"), "swapped"),
        (("--bad", "nowhere", "--test", "one.a"), "has no commit `nowhere`"),
        (("--test", "one.a", "--verdict"), "exactly one of"),
        (("--test", "one.a", "--good-config", "a"), "does not exist"),
    ],
)
def test_a_mistake_is_one_line(stage: Stage, further: tuple[str, ...], line: str) -> None:
    history(stage, "", BROKEN)
    ended = bisect(stage, *further)
    assert ended.status == 2, ended.stdout + ended.stderr
    assert line in ended.stderr


@pytest.mark.slow
@pytest.mark.no_cover
def test_killed_and_resumed_it_finds_the_same(stage: Stage) -> None:
    commits = history(stage, "", "", "", "", BROKEN, BROKEN, BROKEN)
    rig = (sys.executable, str(ROOT / "rig.py"))
    whole = (*rig, *words(stage, "--source", str(stage.tree), "--good", "base"), "--test", "one.a", "--quiet")
    command: tuple[str, ...] = whole
    environment = stage.environment()
    for seconds in (1.5, 4.0, 7.0):
        with subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
            time.sleep(seconds)
            process.kill()
        command = (*rig, "bisect", "--resume") if _kept(stage) else whole
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert commits[4][:12] in done.stdout
    assert not _kept(stage)


def _kept(stage: Stage) -> list[Path]:
    """What `--resume` would go on with."""
    return list((stage.cache / "kernel-patch-rig/bisect/questions").glob("*/request.json"))


@pytest.mark.slow
def test_check_tells_git_in_its_last_line(stage: Stage) -> None:
    history(stage, "", BROKEN)
    git(stage.tree, "bisect", "start", "HEAD", "base")
    source = ("--source", str(stage.tree), "--series", "none", "--test")
    ended = stage.check(*source, "one.a", "--loud")
    assert (ended.status, ended.stdout.splitlines()[-1][:12]) == (0, "for git: goo")
    ended = stage.check(*source, "one.zz")
    assert ended.status == 128
    assert "nearest: one" in ended.stdout
    git(stage.tree, "bisect", "reset")
