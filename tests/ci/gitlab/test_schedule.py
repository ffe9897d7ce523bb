# SPDX-License-Identifier: GPL-2.0-or-later
"""A scheduled pipeline over branches: what is tested, and what is noted as green."""

from pathlib import Path

import pytest
import yaml

from ci.gitlab.child import branch_pipeline
from ci.gitlab.schedule import Changes, Repository, changes, note_green, read_changes, read_green
from configs.result import Status
from tests.ci.gitlab.schema import problems
from tests.ci.samples import judged, ran
from tests.command import USER, rig_here
from tests.faketree import commit, git
from util.errors import UserError


@pytest.fixture
def linux(tmp_path: Path) -> Path:
    """`main` and, from its first commit, `next` with a merge in it."""
    folder = tmp_path / "linux"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "start", {"a": "1\n"})
    git(folder, "tag", "start")
    commit(folder, "main: one", {"a": "2\n"})
    git(folder, "checkout", "--quiet", "-b", "Next/6.x", "start")
    commit(folder, "next: one", {"b": "1\n"})
    git(folder, "-c", "user.name=t", "-c", "user.email=t@example.org", "merge", "--quiet", "-m", "merge", "main")
    return folder


def test_only_what_changed_since_it_was_green(linux: Path) -> None:
    repository = Repository(linux)
    main, following = (git(linux, "rev-parse", name).strip() for name in ("main", "Next/6.x"))
    start = git(linux, "rev-parse", "start").strip()
    first = changes(repository, ["main", "Next/6.x"], {}, "start")
    assert [(item.name, item.old, item.new) for item in first.changes] == [
        ("branch-main", start, main),
        ("branch-next-6-x", start, following),
    ]
    later = changes(repository, ["main", "Next/6.x"], {"main": main, "Next/6.x": main}, "")
    assert later.unchanged == ("main",) and [item.old for item in later.changes] == [main]
    rewritten = changes(repository, ["main"], {"main": following}, "")
    assert rewritten.unchanged == ("main",)  # it begins at what both have in common, which is main itself
    lost = changes(repository, ["main"], {"main": "0" * 40}, "start")
    assert [item.old for item in lost.changes] == [start]
    for branches, since in ((["main"], ""), (["nothing"], "start"), (["main", "--all"], "start")):
        with pytest.raises(UserError):
            changes(repository, branches, {}, since)


@pytest.mark.slow
def test_pipeline_of_a_schedule(linux: Path) -> None:
    found = changes(Repository(linux), ["main", "Next/6.x"], {}, "start")
    text = branch_pipeline(found, ("--profile", "boot"), str(linux))
    assert problems(text) == ""
    jobs = yaml.safe_load(text)
    assert (
        len(jobs["branch-main"]["script"]) == 1 and "check --profile boot --source" in jobs["branch-main"]["script"][0]
    )
    assert f"..{git(linux, 'rev-parse', 'Next/6.x').strip()}" in jobs["branch-next-6-x"]["script"][0]
    assert jobs["branch-main"]["needs"] == [{"pipeline": "$PARENT_PIPELINE_ID", "job": "rig-branches"}]
    nothing = branch_pipeline(Changes(unchanged=("main",)), (), "")
    assert problems(nothing) == "" and "nothing-changed" in nothing


def test_branches_that_passed_are_noted(linux: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from ci.report.output import write_reports

    environment = USER | {"CI_PROJECT_DIR": str(linux)}
    words = (
        "gitlab",
        "schedule",
        "main",
        "Next/6.x",
        "--out",
        str(tmp_path / "ci"),
        "--state",
        str(tmp_path / "state"),
    )
    done = rig_here(capsys, *words, "--since", "start", "--", "--profile", "boot", environment=environment)
    assert done.returncode == 0 and "Next/6.x: " in done.stdout, done.stderr
    good = judged([ran("base", {"a": Status.PASS}), ran("patched", {"a": Status.PASS})])
    bad = judged([ran("base", {"a": Status.PASS}), ran("patched", {"a": Status.FAIL})])
    tested = read_changes(tmp_path / "ci" / "changes.json")
    write_reports(good, tmp_path / "out" / "branch-main")
    note = ("gitlab", "green", str(tmp_path / "out"), "--changes", str(tmp_path / "ci" / "changes.json"))
    missing = rig_here(capsys, *note, "--state", str(tmp_path / "state"))
    assert missing.returncode == 3 and "Next/6.x: unknown" in missing.stdout
    assert read_green(tmp_path / "state") == {"main": tested.changes[0].new}
    write_reports(bad, tmp_path / "out" / "branch-next-6-x")
    assert rig_here(capsys, *note, "--state", str(tmp_path / "state")).returncode == 1
    assert "Next/6.x" not in read_green(tmp_path / "state")
    (tmp_path / "state" / "green.json").write_text("{damaged")
    assert read_green(tmp_path / "state") == {}
    noted = note_green(tmp_path / "state", tested, tmp_path / "out")
    assert [verdict.value for _, verdict in noted] == ["pass", "fail"]
    assert rig_here(capsys, *note[:3], "--changes", str(tmp_path / "nothing")).returncode == 2
