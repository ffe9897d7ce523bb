# SPDX-License-Identifier: GPL-2.0-or-later
"""How a plan is divided into jobs, and the child pipeline that comes of it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ci.command.series.check import plan_of
from ci.gitlab.child import ChildOptions, check_needs, child_pipeline, read_tags
from ci.model.shard import BUILDS, cell_at, place_of
from ci.plan.divide import Times, divide
from ci.plan.places import matching, narrowed, places
from ci.plan.plan import Plan
from ci.plan.shards import ShardChoice, Shards
from tests.ci.gitlab.schema import problems
from tests.command import rig_here
from util.errors import UserError

WORDS = ("--profile", "seccomp-cache")
OPTIONS = ChildOptions(WORDS, "rig-ci", {"x86_64": ["big"], "kvm": ["metal"]}, "kvm")


@cache
def plan(*words: str) -> Plan:
    return plan_of((*WORDS, *words))


def jobs_of(shards: Shards, options: ChildOptions = OPTIONS) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(child_pipeline(shards, options))
    return {name: job for name, job in loaded.items() if not name.startswith(".")}


@pytest.mark.parametrize("jobs", [1, 2, 3, 5, 6, 8, 20])
@pytest.mark.parametrize("more", [(), ("--flavour", "plain,kasan"), ("--arch", "x86_64"), ("--each",)])
def test_every_cell_is_in_one_job_and_there_are_no_more_jobs_than_asked_for(jobs: int, more: tuple[str, ...]) -> None:
    shards = divide(plan(*more), Times(), jobs, least=0.0).shards
    assert len(shards) <= jobs
    assert sorted(place for shard in shards for place in shard.places) == sorted(places(plan(*more)))
    for shard in shards:
        cells = [cell_at(place, "") for place in shard.places]
        own = {(cell.arch, cell.flavour) for cell in cells if cell.suite == BUILDS}
        needed = {(cell.arch, cell.flavour) for cell in cells if cell.abi != "-"} - own
        assert {f"build-{arch}-{flavour}" for arch, flavour in needed} <= set(shard.after)
        wanted = [cell for cell in plan(*more).cells() if place_of(cell) in shard.places]
        assert narrowed(plan(*more), shard.places).cells() == wanted


def test_jobs_are_sized_by_what_earlier_runs_took() -> None:
    whole = plan("--arch", "x86_64")
    guests = [place for place in places(whole) if cell_at(place, "").abi != "-"]
    long = guests[0]
    times = Times({place: 1000.0 if place == long else 10.0 for place in guests})
    shards = [shard for shard in divide(whole, times, 4, least=10.0).shards if shard.name.startswith("guests")]
    assert len(shards) == 2
    assert [len(shard.places) for shard in shards if long in shard.places] == [1]
    assert len(divide(whole, times, 9, least=5000.0).shards) == 3  # not worth another job


@pytest.mark.slow
def test_child_pipeline_is_what_gitlab_takes() -> None:
    shards = divide(plan(), Times(), 8)
    text = child_pipeline(shards, OPTIONS)
    assert problems(text) == ""
    jobs = jobs_of(shards)
    assert [*jobs] == [shard.name for shard in shards.shards]
    guests = jobs["guests-x86_64-1"]
    assert guests["tags"] == ["big", "metal"] and jobs["build-x86_64-plain"]["tags"] == ["big"]
    assert "tags" not in jobs["patches"] and jobs["guests-aarch64-1"]["tags"] == ["metal"]
    assert guests["retry"] == {"max": 1, "exit_codes": [3], "when": ["runner_system_failure"]}
    assert guests["allow_failure"] == {"exit_codes": [3]}
    assert guests["needs"] == [{"pipeline": "$PARENT_PIPELINE_ID", "job": "rig-plan"}, {"job": "build-x86_64-plain"}]
    assert yaml.safe_load(text)[".rig-job"]["interruptible"] is True
    assert problems(text.replace("exit_codes:", "exit_code:")) != ""


def test_needs_that_name_nothing_are_caught() -> None:
    shard = ShardChoice(name="guests-x86_64-1", places=("x86_64/x86_64/plain/boot",), after=("build-x86_64-kasan",))
    with pytest.raises(UserError, match="needs `build-x86_64-kasan`, which is no job"):
        child_pipeline(Shards(shards=(shard,)), OPTIONS)
    check_needs({"a": {"needs": [{"job": "b", "optional": True}]}})
    with pytest.raises(UserError):
        check_needs({"a": {"needs": ["b"]}})


def test_a_pipeline_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ci.gitlab.child.LONGEST", 100)
    shard = ShardChoice(name="patches", places=("-/-/-/checkpatch",))
    with pytest.raises(UserError, match="bytes long, and GitLab takes 100"):
        child_pipeline(Shards(shards=(shard,)), OPTIONS)


def test_words_are_quoted_and_the_projects_folder_is_a_variable() -> None:
    shard = ShardChoice(name="patches", places=("-/-/-/checkpatch",))
    words = ("--source", "git:/builds/my linux@v5.10", "--test", "a b'; rm -rf /")
    job = jobs_of(Shards(shards=(shard,)), ChildOptions(words, "rig-ci", {}, "auto", "/builds/my linux"))["patches"]
    (line,) = job["script"]
    assert 'git:"$CI_PROJECT_DIR"@v5.10' in line and "'a b'\"'\"'; rm -rf /'" in line


@pytest.mark.parametrize("text", ["x86_64", "x86_64=", "x86_64=a,,b", "nonsense=a"])
def test_a_wrong_tag_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        read_tags([text], ["x86_64", "kvm"])
    assert read_tags(["kvm=a,b", "kvm=c"], ["kvm"]) == {"kvm": ["a", "b", "c"]}


@pytest.mark.parametrize("words", [("--out", "x"), ("--cells", "*"), ("--nonsense",), ("--profile", "no-such-profile")])
def test_options_that_are_no_part_of_a_plan_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UserError):
        plan_of(words)


def test_globs_of_cells() -> None:
    found = matching(plan(), ["aarch64/arm/*", "-/*"])
    assert found and all(place.startswith(("aarch64/arm/", "-/")) for place in found)
    with pytest.raises(UserError, match="no cell of the plan answers to 'arm64/"):
        matching(plan(), ["arm64/*"])


@pytest.mark.slow
def test_a_shard_of_another_plan_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shards = divide(plan("--arch", "x86_64"), Times(), 4)
    path = tmp_path / "shards.json"
    path.write_text(shards.model_dump_json())
    for words, said in (
        ((*WORDS, "--shard", "patches"), "of another plan"),
        (("--arch", "x86_64", "--shard", "nothing"), "no shard `nothing`"),
        (("--shard", "patches", "--cells", "*"), "named by --cells, or by"),
    ):
        ended = rig_here(capsys, "check", *words, "--shards", str(path), "--out", str(tmp_path / "out"))
        assert ended.returncode == 2 and said in ended.stderr and ended.stderr.count("\n") == 1
    path.write_text(json.dumps({"shards": [{"name": "No Name!", "places": []}]}))
    assert rig_here(capsys, "check", "--shards", str(path), "--shard", "x").returncode == 2
