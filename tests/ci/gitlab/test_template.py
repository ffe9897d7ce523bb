# SPDX-License-Identifier: GPL-2.0-or-later
"""The GitLab template: valid for GitLab's schema, and its script run as a runner does, with a rig that only notes."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci.gitlab.child import TEMPLATE
from tests.ci.gitlab.schema import problems
from util.paths import ROOT

FAKE_RIG = """\
#!/bin/sh
for word in "$@"; do printf '%s\\n' "$word"; done > "$FAKE_NOTES"
exit "$FAKE_EXIT"
"""


def spec() -> dict[str, Any]:
    first, _ = yaml.safe_load_all(TEMPLATE.read_text(encoding="utf-8"))
    inputs: dict[str, Any] = first["spec"]["inputs"]
    return inputs


def filled(**inputs: Any) -> str:
    """The template as GitLab reads it: each `$[[ inputs.x ]]` is its value."""
    known = {name: field["default"] for name, field in spec().items()} | inputs
    text = TEMPLATE.read_text(encoding="utf-8").partition("\n---\n")[2]

    def value(match: re.Match[str]) -> str:
        found = known[match[1]]
        return str(found).lower() if isinstance(found, bool) else str(found)

    return re.sub(r"\$\[\[ inputs\.(\w+) \]\]", value, text)


def template(**inputs: Any) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(filled(**inputs))
    return loaded


@pytest.mark.slow
def test_schema() -> None:
    assert problems(filled()) == ""
    assert problems(filled().replace("exit_codes: [3]", "exit_code: [3]")) != ""


def test_every_input_is_documented_has_a_default_and_is_used() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, field in spec().items():
        assert field["description"].endswith(".") or ":" in field["description"], name
        assert "default" in field and f"$[[ inputs.{name} ]]" in text, name
        assert f"| `{name}` |" in (ROOT / "docs" / "gitlab.md").read_text(encoding="utf-8"), name


def test_what_the_verdict_publishes_and_forgives() -> None:
    job = template()["rig-verdict"]
    reports = job["artifacts"]["reports"]
    assert reports["junit"] == "rig-results/junit.xml" and job["artifacts"]["when"] == "always"
    assert reports["codequality"] == "rig-results/code-quality.json"
    assert reports["coverage_report"] == {"coverage_format": "cobertura", "path": "rig-results/coverage.xml"}
    assert job["allow_failure"]["exit_codes"] == [3]
    assert job["environment"]["url"].endswith("/rig-results/report.html")
    assert template()["rig-run"]["trigger"]["strategy"] == "depend"


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
    """before_script and script of rig-plan in one bash that ends with the first command that fails, as a runner has
    it."""
    whole = template()
    common, job = whole[".rig-job"], whole["rig-plan"]
    given = {"CI_PROJECT_DIR": str(project), "FAKE_NOTES": str(project / "notes"), "FAKE_EXIT": "0"}
    given |= {name: str(value) for name, value in whole["variables"].items()} | variables
    for name, value in common["variables"].items():
        given.setdefault(name, str(value).replace("$CI_PROJECT_DIR", str(project)))
    script = "\n".join(["set -eo pipefail", *common["before_script"], *job["script"]])
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
        RIG_OPTIONS="--arch x86_64",
        RIG_TAGS="x86_64=big kvm=metal",
    )
    assert job.returncode == status, job.stderr
    assert (project / ".rig" / "set-up").exists()
    assert (project / "notes").read_text().splitlines() == [
        *("gitlab", "generate", "--out", "rig-ci", "--jobs", "6", "--took", ".rig-took"),
        *("--tag", "x86_64=big", "--tag", "kvm=metal", "--"),
        "--source",
        f"git:{project}@ba5e",
        "--series",
        f"{project}:ba5e..c0ffee",
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
    assert nothing.returncode == 2 and "input repository" in nothing.stderr
    no_base = run_job(tmp_path / "b", CI_COMMIT_SHA="c0ffee", RIG_REPOSITORY=str(rig))
    assert no_base.returncode not in (0, 3) and "set the input base" in no_base.stderr
