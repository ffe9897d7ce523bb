# SPDX-License-Identifier: GPL-2.0-or-later
"""The GitLab template: valid for GitLab's schema, and its script run as a runner does, with a rig that only notes."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from util.paths import ROOT

TEMPLATE = ROOT / "ci" / "gitlab" / "rig.yml"

FAKE_RIG = """\
#!/bin/sh
for word in "$@"; do printf '%s\\n' "$word"; done > "$FAKE_NOTES"
exit "$FAKE_EXIT"
"""


def check(path: Path) -> int:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.gitlab-ci", str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode


def template() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))
    return loaded


@pytest.mark.slow
def test_schema(tmp_path: Path) -> None:
    """GitLab's schema does not look into hidden jobs, so the job is shown to it as it is after `extends`."""
    assert check(TEMPLATE) == 0
    resolved = template()
    job = resolved["rig-check"] = resolved.pop(".rig-check")
    whole, broken = tmp_path / "whole.yml", tmp_path / "broken.yml"
    whole.write_text(yaml.safe_dump(resolved))
    assert check(whole) == 0
    job["allow_failure"] = {"exit_code": [3]}
    broken.write_text(yaml.safe_dump(resolved))
    assert check(broken) != 0


def test_what_the_job_publishes_and_forgives() -> None:
    job = template()[".rig-check"]
    assert job["artifacts"]["reports"]["junit"] == "rig-results/junit.xml"
    assert job["artifacts"]["paths"] == ["rig-results/"]
    assert job["artifacts"]["when"] == job["cache"]["when"] == "always"
    assert job["allow_failure"]["exit_codes"] == [3]


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    folder = tmp_path / "rig repository"
    folder.mkdir()
    (folder / "rig.py").write_text(FAKE_RIG)
    (folder / "rig.py").chmod(0o755)
    (folder / "Makefile").write_text("setup:\n\t@touch set-up\n")
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "rig"]):
        subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True)
    return folder


def run_job(project: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """before_script and script in one bash that ends with the first command that fails, as a runner has it."""
    job = template()[".rig-check"]
    given = {name: field["value"] for name, field in template()["variables"].items()}
    given |= {"CI_PROJECT_DIR": str(project), "FAKE_NOTES": str(project / "notes"), "FAKE_EXIT": "0"} | variables
    for name, value in job["variables"].items():
        given.setdefault(name, str(value).replace("$CI_PROJECT_DIR", str(project)))
    script = "\n".join(["set -eo pipefail", *job["before_script"], *job["script"]])
    project.mkdir(exist_ok=True)
    command = ["bash", "-c", script]
    environment = {"PATH": os.environ["PATH"], "HOME": str(project)} | given
    return subprocess.run(command, env=environment, cwd=project, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("status", [0, 1, 2, 3])
def test_script(tmp_path: Path, rig: Path, status: int) -> None:
    project = tmp_path / "project"
    job = run_job(
        project,
        RIG_REPOSITORY=str(rig),
        FAKE_EXIT=str(status),
        CI_COMMIT_SHA="c0ffee",
        CI_MERGE_REQUEST_DIFF_BASE_SHA="ba5e",
        RIG_ARGS="--arch x86_64",
    )
    assert job.returncode == status, job.stderr
    assert (project / ".rig" / "set-up").exists()
    assert (project / "notes").read_text().splitlines() == [
        "check",
        "--source",
        f"git:{project}@ba5e",
        "--series",
        f"{project}:ba5e..c0ffee",
        "--out",
        f"{project}/rig-results",
        "--arch",
        "x86_64",
    ]


def test_merged_results_and_a_base_of_ones_own(tmp_path: Path, rig: Path) -> None:
    job = run_job(
        tmp_path / "project",
        RIG_REPOSITORY=str(rig),
        CI_COMMIT_SHA="merge",
        CI_MERGE_REQUEST_SOURCE_BRANCH_SHA="head",
        CI_MERGE_REQUEST_DIFF_BASE_SHA="ba5e",
        RIG_BASE="v5.10",
    )
    assert job.returncode == 0
    assert f"{tmp_path}/project:v5.10..head" in (tmp_path / "project" / "notes").read_text()


def test_missing_variables_are_named(tmp_path: Path, rig: Path) -> None:
    nothing = run_job(tmp_path / "a", CI_COMMIT_SHA="c0ffee")
    assert nothing.returncode == 2 and "RIG_REPOSITORY" in nothing.stderr
    no_base = run_job(tmp_path / "b", CI_COMMIT_SHA="c0ffee", RIG_REPOSITORY=str(rig))
    assert no_base.returncode not in (0, 3) and "set RIG_BASE" in no_base.stderr
