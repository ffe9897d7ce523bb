# SPDX-License-Identifier: GPL-2.0-or-later
"""`git bisect run` over a real history of eight commits, in a checkout of a user's own, finds the planted culprit."""

import subprocess
from pathlib import Path

import pytest

from ci.bisect.report.answer import BisectAnswer, BisectResult
from tests.command import USER, rig
from util.paths import ROOT

pytestmark = pytest.mark.real
HISTORY = ROOT / "tests" / "series" / "bisect"


def git(tree: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    command = ["git", "-C", str(tree), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.timeout(1500)
def test_the_rig_names_and_proves_the_culprit(tmp_path: Path, built_kernel_commit: tuple[Path, str]) -> None:
    store, base = built_kernel_commit
    tree = tmp_path / "linux"
    subprocess.run(["git", "clone", "-q", "--shared", "--no-checkout", str(store), str(tree)], check=True)
    git(tree, "checkout", "-q", "-b", "work", base)
    git(tree, "am", "-q", *map(str, sorted(HISTORY.glob("*.patch"))))
    culprit = git(tree, "log", "--format=%H", "--grep=^seccomp: use min_t() to keep the errno in range$")
    finished = rig(
        "bisect", "--source", str(tree), "--good", base, "--test", "*ERRNO_capped", "--arch", "x86_64", "--abi",
        "x86_64", "--suite", "selftests/seccomp", "--out", str(tmp_path / "out"), "--quiet",
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr
    answer = BisectAnswer.model_validate_json((tmp_path / "out" / "bisect.json").read_text(encoding="utf-8"))
    assert answer.culprit and answer.culprit.commit == culprit
    assert (answer.outcome, answer.proof.revert) == (BisectResult.FOUND, "mends")
    assert answer.confidence >= 0.99
    assert git(tree, "status", "--porcelain") == ""


@pytest.mark.timeout(1500)
def test_git_bisect_run_names_the_culprit(tmp_path: Path, built_kernel_commit: tuple[Path, str]) -> None:
    store, base = built_kernel_commit
    tree = tmp_path / "linux"
    subprocess.run(["git", "clone", "-q", "--shared", "--no-checkout", str(store), str(tree)], check=True)
    git(tree, "checkout", "-q", "-b", "work", base)
    git(tree, "am", "-q", *map(str, sorted(HISTORY.glob("*.patch"))))
    assert git(tree, "rev-list", "--count", f"{base}..HEAD") == "8"
    culprit = git(tree, "log", "--format=%H", "--grep=^seccomp: use min_t() to keep the errno in range$")
    assert len(culprit) == 40
    git(tree, "bisect", "start", "HEAD", base)
    rig = [
        str(ROOT / "rig.py"), "check", "--source", ".", "--series", "none", "--arch", "x86_64", "--abi", "x86_64",
        "--suite", "selftests/seccomp", "--test", "*ERRNO_capped", "--quiet",
    ]  # fmt: skip
    command = ["git", "-C", str(tree), "bisect", "run", *rig]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, env=USER)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert f"{culprit} is the first bad commit" in finished.stdout
    assert git(tree, "status", "--porcelain") == ""


@pytest.mark.timeout(600)
def test_a_commit_that_does_not_build_is_skipped(tmp_path: Path, built_kernel_commit: tuple[Path, str]) -> None:
    store, base = built_kernel_commit
    tree = tmp_path / "linux"
    subprocess.run(["git", "clone", "-q", "--shared", "--no-checkout", str(store), str(tree)], check=True)
    git(tree, "checkout", "-q", "-b", "work", base)
    git(tree, "am", "-q", *map(str, (HISTORY.parent / "does-not-compile").glob("*.patch")))
    rig = [
        str(ROOT / "rig.py"), "check", "--source", ".", "--series", "none", "--arch", "x86_64", "--abi", "x86_64",
        "--suite", "selftests/seccomp", "--bisect", "--quiet",
    ]  # fmt: skip
    finished = subprocess.run(rig, cwd=tree, capture_output=True, text=True, check=False, env=USER)
    assert finished.returncode == 125, finished.stdout + finished.stderr
