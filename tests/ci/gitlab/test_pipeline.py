# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole pipelines by gitlab-ci-local over the kernel in miniature: plan, child pipeline, verdict."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from ci.model.results import Run
from ci.model.verdicts import RunVerdict
from tests.ci.gitlab.local import Project, merge_request, needs_program, stand_in
from tests.faketree import commit, git
from tests.scenes.conftest import shared, stage, template
from tests.scenes.stage import SUITE, Stage, says
from util.paths import ROOT

__all__ = ["shared", "stage", "template"]
JOBS = ["build-x86_64-plain", "guests-x86_64-1", "patches"]


@pytest.fixture
def project(stage: Stage) -> Project:
    """The kernel repository with its configuration as base."""
    profile = {**stage.profile, "size": True, "checkpatch": True, "suites": [SUITE], "rerun": 1}
    path = stage.folder / "scene.yaml"
    path.write_text(yaml.safe_dump(profile))
    found = Project(stage.tree, stand_in(stage.folder / "rig", ROOT), stage.environment())
    found.configure(profile=str(path), options="--accel tcg")
    git(stage.tree, "tag", "--force", "base")
    return found


def change(project: Project, scene: str) -> dict[str, str]:
    """A merge request whose kernel plays this scene."""
    git(project.folder, "reset", "--quiet", "--hard", "base")
    commit(project.folder, "fake: a patch\n\nSigned-off-by: A Tester <a@example.org>", says(scene))
    return merge_request(project, "base")


def joined(project: Project) -> Run:
    return Run.model_validate_json((project.folder / "rig-results" / "results.json").read_text())


@needs_program
@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.timeout(900)
def test_green_then_cut_then_a_machine_at_fault(project: Project) -> None:
    request = change(project, "note=changed")
    green = project.run(**request)
    assert green.jobs == dict.fromkeys([*JOBS, "rig-plan", "rig-verdict"], "PASS"), green.output
    run = joined(project)
    assert run.verdict is RunVerdict.PASS and {cell.cell.suite for cell in run.cells} == {SUITE, "size", "checkpatch"}
    files = {path.name for path in (project.folder / "rig-results").iterdir()}
    assert {"junit.xml", "code-quality.json", "note.md", "report.html", "results.json"} <= files

    shutil.rmtree(project.folder / "rig-shards" / "guests-x86_64-1")  # its job was killed
    cut = project.run("rig-verdict", **request)
    assert cut.jobs == {"rig-verdict": "WARN 3"}, cut.output
    assert cut.status == 0  # what gitlab-ci-local says, and why a test must look at the job
    assert "shard guests-x86_64-1 is missing" in joined(project).summary

    child = yaml.safe_load((project.folder / "rig-ci" / "child.yml").read_text())
    assert {tuple(job["retry"]["exit_codes"]) for name, job in child.items() if name in JOBS} == {(3,)}
    request = change(project, "end=dies")
    faulty = project.run(**request)
    assert faulty.jobs["guests-x86_64-1"] == "WARN 3" and faulty.jobs["rig-verdict"] == "WARN 3", faulty.output
    again = project.run("guests-x86_64-1", file="rig-ci/child.yml", **request)  # as GitLab would by `retry`
    assert again.jobs == {"guests-x86_64-1": "WARN 3"}
    assert joined(project).verdict is RunVerdict.UNKNOWN


@needs_program
@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.timeout(900)
def test_a_regression_is_red_and_the_second_run_is_sized_by_the_first(project: Project) -> None:
    request = change(project, "fail=one.a")
    red = project.run(**request)
    assert red.jobs["guests-x86_64-1"] == red.jobs["rig-verdict"] == "FAIL 1", red.output
    assert red.jobs["build-x86_64-plain"] == "PASS"
    note = (project.folder / "rig-results" / "note.md").read_text()
    assert "**FAIL**" in note and "| regression |" in note and "one.a" in note
    assert "by 1 earlier run" in project.run("rig-plan", **request).output


@needs_program
@pytest.mark.slow
@pytest.mark.no_cover
def test_a_merge_in_the_source_branch_is_tested_as_one_patch(project: Project) -> None:
    change(project, "note=changed")
    git(project.folder, "checkout", "--quiet", "-b", "side", "base")
    commit(project.folder, "fake: aside\n\nSigned-off-by: A Tester <a@example.org>", {"kernel/fork.c": "int fork;\n"})
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    git(project.folder, *identity, "merge", "--quiet", "--no-edit", "-m", "Merge", "main")
    ended = project.run(**merge_request(project, "base"))
    assert ended.jobs == dict.fromkeys([*JOBS, "rig-plan", "rig-verdict"], "PASS"), ended.output
    run = joined(project)
    assert run.series is not None and [patch.subject for patch in run.series.patches] == ["fake: aside", "Merge"]
    note = (project.folder / "rig-results" / "note.md").read_text()
    assert "the 1 commit that it brings count" in note


@needs_program
@pytest.mark.slow
def test_what_cannot_be_tested_is_refused_in_every_place(project: Project) -> None:
    request = change(project, "note=changed")
    git(project.folder, "checkout", "--quiet", "--orphan", "alone")
    commit(project.folder, "fake: alone")
    ended = project.run("rig-plan", "rig-verdict", **{**request, **merge_request(project, "base")})
    assert ended.jobs == {"rig-plan": "FAIL 2", "rig-verdict": "FAIL 2"}, ended.output
    assert "no commit in common" in ended.output
    assert "no commit in common" in (project.folder / "rig-ci" / "junit.xml").read_text()
    assert "no commit in common" in (project.folder / "rig-results" / "note.md").read_text()


@needs_program
@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.timeout(900)
def test_a_schedule_tests_what_changed_since_it_was_green(project: Project) -> None:
    """Two branches: both are tested, one is green; then only the other and what is new are."""
    profile = next(project.folder.parent.glob("scene.yaml"))
    project.configure(profile=str(profile), options="--accel tcg", branches="good bad", since="base")
    git(project.folder, "tag", "--force", "base")
    for branch, scene in (("good", "note=changed"), ("bad", "fail=one.a")):
        git(project.folder, "checkout", "--quiet", "-b", branch, "base")
        commit(project.folder, f"fake: {branch}\n\nSigned-off-by: A Tester <a@example.org>", says(scene))
    schedule = {"CI_PIPELINE_SOURCE": "schedule", "CI_COMMIT_REF_NAME": "main"}
    first = project.run(**schedule)
    assert first.jobs == {
        "rig-branches": "PASS", "branch-good": "PASS", "branch-bad": "FAIL 1", "rig-branches-verdict": "FAIL 1",
    }, first.output  # fmt: skip
    git(project.folder, "checkout", "--quiet", "bad")
    commit(project.folder, "fake: mended\n\nSigned-off-by: A Tester <a@example.org>", says("note=changed"))
    second = project.run(**schedule)
    assert "good: nothing changed since it was green" in second.output
    assert second.jobs == dict.fromkeys(["rig-branches", "branch-bad", "rig-branches-verdict"], "PASS"), second.output
    third = project.run(**schedule)
    assert third.jobs == dict.fromkeys(["rig-branches", "nothing-changed", "rig-branches-verdict"], "PASS")


@needs_program
@pytest.mark.slow
def test_kernels_go_from_job_to_job(project: Project, tmp_path: Path) -> None:
    """The job that boots has an empty cache, and builds nothing."""
    request = change(project, "note=changed")
    project.run("rig-plan", **request)
    out, cache = project.folder / "rig-shards", {"XDG_CACHE_HOME": str(tmp_path / "other-cache")}
    built = project.run("build-x86_64-plain", file="rig-ci/child.yml", **request)
    assert built.jobs == {"build-x86_64-plain": "PASS"}, built.output
    booted = project.run("guests-x86_64-1", file="rig-ci/child.yml", **{**request, **cache})
    assert booted.jobs == {"guests-x86_64-1": "PASS"}, booted.output
    builds = [json.loads((out / name / "results.json").read_text())["builds"] for name in JOBS[:2]]
    assert [build["key"] for build in builds[0]] == [build["key"] for build in builds[1]]
    assert all(build["cached"] for build in builds[1]) and "2 kernels taken" in booted.output
    assert not list((tmp_path / "other-cache").glob("*/kernels/builds/*/objects"))
