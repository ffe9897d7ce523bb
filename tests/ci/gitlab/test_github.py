# SPDX-License-Identifier: GPL-2.0-or-later
"""The workflow for GitHub Actions: valid for GitHub's schema, and its scripts run with a rig that only notes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.faketree import commit, git, make_repo
from util.paths import ROOT

WORKFLOW = ROOT / "ci" / "github.yml"
NOTES = """\
#!/bin/sh
for word in "$@"; do printf '%s\\n' "$word"; done >> "$NOTES"
case "$1" in
check) mkdir -p rig-results; echo '{}' > rig-results/results.json; exit "$STATUS" ;;
gitlab) if [ "$2" = report ]; then echo 'the note' > rig-results/note.md; fi ;;
esac
"""


def step(name: str) -> dict[str, Any]:
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["check"]["steps"]
    found: dict[str, Any] = next(step for step in steps if step.get("name") == name)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("broken", "status"), [("", 0), ("runs-on", 1)])
def test_schema(tmp_path: Path, broken: str, status: int) -> None:
    path = tmp_path / "rig.yml"
    text = WORKFLOW.read_text(encoding="utf-8")
    path.write_text(text.replace(broken, "runs-off") if broken else text)
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr


@pytest.mark.parametrize("status", [0, 1, 3])
def test_the_commits_of_a_pull_request_are_checked_from_where_they_left_their_target(
    tmp_path: Path, status: int
) -> None:
    repo = make_repo(tmp_path / "linux with blank")
    start = git(repo, "rev-parse", "HEAD").strip()
    git(repo, "checkout", "-q", "-b", "work")
    head = commit(repo, "fake: work", {"kernel/fork.c": "int work;\n"})
    git(repo, "checkout", "-q", "main")
    target = commit(repo, "fake: later", {"kernel/later.c": "int later;\n"})
    rig = tmp_path / "rig" / "rig.py"
    rig.parent.mkdir()
    rig.write_text(NOTES)
    rig.chmod(0o755)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "NOTES": str(tmp_path / "notes"), "STATUS": str(status),
        "RIG_DIR": str(rig.parent), "CI_PROJECT_DIR": str(repo), "BASE": target, "HEAD": head, "RIG_PROFILE": "",
        "RIG_OPTIONS": "--arch x86_64", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"), "RIG_CACHE_MB": "1",
        "LINK": "https://example.org/run",
    }  # fmt: skip
    for name, expected in (("check", status), ("summary", 0)):
        # as the runner calls it where no shell is named in a container
        done = subprocess.run(["sh", "-e", "-c", step(name)["run"]], cwd=repo, env=environment, check=False)
        assert done.returncode == expected
    words = (tmp_path / "notes").read_text().splitlines()
    assert words[:7] == [
        "check", "--source", f"git:{repo}@{start}", "--series", f"{repo}:{start}..{head}", "--arch", "x86_64",
    ]  # fmt: skip
    assert (tmp_path / "summary").read_text() == "the note\n"
