# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py b4-check` as the real b4 calls it, over a branch of several patches."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faketree import git, write_files
from tests.kernels.tools import B4
from tests.scenes.stage import SIGNED, Stage, says
from util.paths import ROOT

BROKEN = {"kernel/sched.c": "int schedule(void)\n{\n\treturn nobody_knows_this;\n}\n"}
MENDED = {"kernel/sched.c": "int schedule(void)\n{\n\treturn 7;\n}\n"}
PATCHES = (says("b4=1"), BROKEN, MENDED, {"drivers/null.c": "#ifdef CONFIG_TYPO\n#endif\n"})


class Branch:
    """A branch that `b4 prep` manages, and the rig as its checker."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.stage.arguments()
        self.profile = str(stage.folder / "scene.yaml")
        home = stage.folder / "home"
        home.mkdir()
        names = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
                 for what, value in (("NAME", "Jörg Tester"), ("EMAIL", "joerg@example.org"))}  # fmt: skip
        self.environment = stage.environment() | names | {"HOME": str(home), "XDG_DATA_HOME": str(home)}
        git(stage.tree, "config", "user.name", "Jörg Tester")
        git(stage.tree, "config", "user.email", "joerg@example.org")
        self.b4("prep", "-n", "a-scene", "-f", "base")
        for number, files in enumerate(PATCHES, 1):
            write_files(stage.tree, files)
            self.run("git", "add", "--all")
            # dated today: b4 looks for its cover letter in the last year's commits
            self.run("git", "commit", "-q", "-m", f"fake: patch {number}\n\nIt changes a thing.\n\n{SIGNED}")

    def b4(self, *words: str) -> str:
        return self.run(B4, "--no-interactive", *words)

    def run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.stage.tree, env=self.environment, capture_output=True, text=True,
                              check=False, timeout=300)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def rig(self, mail: bytes, *words: str) -> "subprocess.CompletedProcess[bytes]":
        """The rig as b4 starts it."""
        command = [str(ROOT / "rig.py"), "b4-check", "--profile", self.profile, *words]
        return subprocess.run(command, cwd=self.stage.tree, env=self.environment, input=mail, capture_output=True,
                              check=False, timeout=300)  # fmt: skip

    def mail(self, number: int) -> bytes:
        """The mail of one patch of the branch."""
        commits = git(self.stage.tree, "rev-list", "--reverse", "base..HEAD").split()[-len(PATCHES) :]
        return git(self.stage.tree, "format-patch", "--stdout", "-1", commits[number - 1]).encode()

    def runs(self) -> list[Path]:
        return list((self.stage.folder / "state").glob("kernel-patch-rig/b4/*/run-*"))


@pytest.mark.slow
@pytest.mark.no_cover
def test_b4_prep_is_told_of_each_patch_by_one_run(stage: Stage) -> None:
    branch = Branch(stage)
    command = f"{ROOT}/rig.py b4-check --profile {branch.profile} --wait"
    git(stage.tree, "config", "b4.prep-perpatch-check-cmd", command)
    shown = branch.b4("prep", "--check")
    assert "patch 2 “fake: patch 2” breaks this, patch 3 “fake: patch 3” mends it" in shown, shown
    assert "no Kconfig file defines TYPO" in shown
    assert len(branch.runs()) == 1
    lines = shown.splitlines()
    marks = [line.strip()[0] for line in lines if "fake: patch" in line and "breaks" not in line]
    assert len(marks) == len(PATCHES), shown
    answers = [branch.rig(branch.mail(number)).stdout.decode() for number in range(1, 5)]
    assert [answer.count("\n") > 0 for answer in answers] == [False, True, False, True], answers
    assert answers[1].startswith("ERROR: x86_64 build/kernel: patch 2 ")
    assert answers[3].startswith("WARNING: drivers/null.c:1: warning: no Kconfig file defines TYPO")
    assert len(branch.runs()) == 1


@pytest.mark.slow
def test_the_json_protocol_says_that_a_run_is_still_under_way_and_then_what_it_found(stage: Stage) -> None:
    branch = Branch(stage)
    first = branch.rig(branch.mail(1), "--json")
    (told,) = json.loads(first.stdout)
    assert (first.returncode, told["tool"], told["status"]) == (0, "kernel-patch-rig", "warn"), first
    assert "still being tested" in told["summary"]
    deadline = time.monotonic() + 240
    while "still being tested" in told["summary"] and time.monotonic() < deadline:
        time.sleep(1)
        (told,) = json.loads(branch.rig(branch.mail(2), "--json").stdout)
    assert (told["status"], "breaks this" in told["summary"]) == ("fail", True), told
    (fine,) = json.loads(branch.rig(branch.mail(1), "--json").stdout)
    assert fine["status"] == "pass"
    (whole,) = json.loads(branch.rig(b"Subject: [PATCH 0/4] a cover\n\nText.\n", "--json", "--whole").stdout)
    assert (whole["status"], "whole series: fail" in whole["summary"]) == ("fail", True)
    assert len(branch.runs()) == 1


@pytest.mark.slow
@pytest.mark.no_cover
def test_b4_review_is_told_of_six_patches_by_one_run(stage: Stage) -> None:
    """Over the branch that b4 itself makes for a review, while another one is checked out."""
    branch = Branch(stage)
    for number in (5, 6):
        write_files(stage.tree, says(f"b4={number}"))
        branch.run("git", "commit", "-q", "-a", "-m", f"fake: patch {number}\n\nIt changes a thing.\n\n{SIGNED}")
    mails = stage.folder / "mails"
    git(stage.tree, "config", "sendemail.smtpserver", "nowhere.example.org")
    branch.b4("send", "--no-sign", "--output-dir", str(mails))
    branch.run("git", "checkout", "-q", "main")
    program = (sys.executable, str(Path(__file__).with_name("b4_review.py")))
    change = branch.run(*program, "branch", str(mails), "base").split()[-1]
    branch.run("git", "checkout", "-q", "main")
    rig = f"{ROOT}/rig.py b4-check --json --profile {branch.profile}"
    git(stage.tree, "config", "b4.review-perpatch-check-cmd", f"{rig} --wait")
    git(stage.tree, "config", "b4.review-series-check-cmd", f"{rig} --whole --wait")
    told = json.loads(branch.run(*program, "check", str(mails), change).splitlines()[-1])
    assert [item["status"] for (item,) in told["patches"]] == ["pass", "fail", "pass", "warn", "pass", "fail"], told
    assert "breaks this, patch 3 “fake: patch 3” mends it" in told["patches"][1][0]["summary"]
    assert "no Kconfig file defines TYPO" in told["patches"][3][0]["summary"]
    assert [(item["tool"], item["status"]) for item in told["series"]] == [("kernel-patch-rig", "fail")]
    assert len(branch.runs()) == 1


@pytest.mark.slow
@pytest.mark.no_cover
def test_a_tracking_that_cannot_be_read_is_one_line(stage: Stage) -> None:
    branch = Branch(stage)
    message = "A cover\n\n--- b4-review-tracking ---\n# This section is used internally by b4\n"
    branch.run("git", "checkout", "-q", "-b", "b4/review/broken")
    branch.run("git", "commit", "-q", "--allow-empty", "-m", f'{message}{{"series": {{"first-patch-commit": "HEAD"}}}}')
    tracking = stage.folder / "tracking.json"
    for text, words in (
        ("{", "is no tracking of b4's"),
        ('{"series": {"change-id": "broken"}}', "b4 names 'HEAD' as its first commit"),
        ('{"series": {"change-id": "absent"}}', "b4/review/absent"),
    ):
        tracking.write_text(text)
        branch.environment["B4_TRACKING_FILE"] = str(tracking)
        (told,) = json.loads(branch.rig(branch.mail(1), "--json").stdout)
        assert (told["status"], words in told["summary"]) == ("fail", True), told
    assert branch.runs() == []


@pytest.mark.slow
def test_a_patch_of_no_series_is_one_line(stage: Stage) -> None:
    branch = Branch(stage)
    other = branch.mail(1).replace(b"b4=1", b"b4=2")
    said = branch.rig(other)
    assert (said.returncode, said.stdout) == (2, b"")
    assert b"holds no patch like the one on standard input" in said.stderr
    (told,) = json.loads(branch.rig(other, "--json").stdout)
    assert (told["status"], "holds no patch" in told["summary"]) == ("fail", True)
    assert branch.runs() == []
