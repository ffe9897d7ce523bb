# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs in parts: what the parts say together is what one run says."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci.model.verdicts import RunVerdict, TestVerdict
from tests.scenes.stage import SUITE, Ended, Stage, says

PARTS = {"one": "*/build,-/*,*/size", "two": f"*/{SUITE}", "three": "*/boot"}
TIMES = re.compile(
    r'"(started|seconds)": ("[^"]*"|[\d.]+)|time(stamp)?="[^"]*"|\d+(\.\d+)? s\b|\d{4}-\d\d-\d\d[ T][\d:]+'
)


@pytest.fixture
def two_suites(stage: Stage) -> Stage:
    """Guests of two suites, and checks without a guest."""
    stage.profile |= {"suites": [SUITE, "boot"], "size": True, "checkpatch": True}
    return stage


def shard(stage: Stage, name: str, *words: str) -> Path:
    """Runs one part into a folder of its own."""
    folder = stage.folder / "shards" / name
    own = [str(folder) if word == str(stage.folder / "out") else word for word in stage.arguments(*words)]
    stage.call(*own, "--cells", PARTS[name])
    return folder


def merge(stage: Stage, *folders: Path, out: str = "out") -> Ended:
    ended = stage.call("merge", *map(str, folders), "--out", str(stage.folder / out), "--quiet")
    return Ended(ended.status, ended.stdout, ended.stderr, stage.folder / out)


def content(folder: Path) -> dict[str, str]:
    """Every file of an output folder, without times. A guest's initrd holds its nonce, which is drawn for each."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "initrd.cpio")
    return {str(path.relative_to(folder)): TIMES.sub("", path.read_text("utf-8", "replace")) for path in files}


def difference(said: dict[str, str], joint: dict[str, str]) -> Iterator[str]:
    """The first line of each file that is not the same."""
    for name, text in said.items():
        for one, other in zip(text.splitlines(), joint[name].splitlines(), strict=False):
            if one != other:
                yield f"{name}: {one[:200]!r} and {other[:200]!r}"
                break
        else:
            if text != joint[name]:
                yield f"{name}: one of them goes on"


@pytest.mark.slow
@pytest.mark.parametrize("scene", ["note=changed", "fail=one.a", "fail@0=two.b", "end=warns"])
def test_parts_say_together_what_one_run_says(two_suites: Stage, scene: str) -> None:
    stage = two_suites
    stage.patched(says(scene))
    shutil.rmtree(stage.check().folder)
    alone = stage.check()  # from the cache, as the parts will be
    said = content(alone.folder)
    shutil.rmtree(alone.folder)
    joined = merge(stage, *(shard(stage, name) for name in ("three", "one", "two")))
    assert joined.status == alone.status, joined.stderr
    joint = content(joined.folder)
    assert sorted(joint) == sorted(said)
    assert list(difference(said, joint)) == []
    assert joined.stderr == ""


@pytest.mark.slow
def test_a_part_that_is_missing_or_was_cut_off_leaves_no_pass(two_suites: Stage) -> None:
    stage = two_suites
    stage.patched(says("note=changed"))
    one, two, three = (shard(stage, name) for name in PARTS)
    assert merge(stage, one, two, three).status == 0
    lacking = merge(stage, one, three)
    assert (lacking.status, lacking.run.verdict) == (3, RunVerdict.UNKNOWN)
    assert f"no shard holds this cell: x86_64/x86_64/plain/{SUITE}" in lacking.stderr
    assert [cell.not_run for cell in lacking.run.cells if cell.cell.suite == SUITE] == ["no shard holds this cell"] * 2
    without_builds = merge(stage, two, three)
    assert without_builds.status == 3 and "x86_64/-/plain/size" in without_builds.stderr
    (two / "results.json").unlink()  # what a job leaves that was killed
    cut = merge(stage, one, two, three)
    assert cut.status == 3 and "was cut off" in cut.stderr
    assert 'errors="1"' in cut.report("junit.xml") or "<error" in cut.report("junit.xml")


@pytest.mark.slow
def test_a_part_that_did_not_come_to_its_end_leaves_no_pass(two_suites: Stage) -> None:
    """Even where every cell that it names has an answer."""
    stage = two_suites
    stage.patched(says("note=changed"))
    folders = [shard(stage, name) for name in PARTS]
    path = folders[1] / "results.json"
    results = json.loads(path.read_text())
    results["shard"]["whole"] = False
    path.write_text(json.dumps(results))
    ended = merge(stage, *folders)
    assert ended.status == 3 and "did not come to its end" in ended.stderr


@pytest.mark.slow
def test_parts_of_different_plans_and_whole_runs_are_refused(two_suites: Stage) -> None:
    stage = two_suites
    stage.patched(says("note=changed"))
    one, two = shard(stage, "one"), shard(stage, "two")
    twice = merge(stage, one, two, two)
    assert twice.status == 2 and "both hold" in twice.stderr
    stage.patched(says("note=other"))
    three = shard(stage, "three")
    different = merge(stage, one, two, three)
    assert different.status == 2 and "different plans: series" in different.stderr
    assert not (different.folder / "results.json").exists()
    whole = merge(stage, stage.check().folder, out="joined")
    assert whole.status == 2 and "whole run" in whole.stderr
    assert merge(stage, stage.folder / "nothing", out="joined").status == 3
    assert merge(stage, one, out="shards/one").status == 2


@pytest.mark.slow
def test_a_patched_kernel_that_does_not_build_fails_the_joined_run_without_its_guests(two_suites: Stage) -> None:
    stage = two_suites
    stage.patched({"kernel/sched.c": "int schedule(void)\n{\n\treturn nobody_knows_this;\n}\n"})
    one = shard(stage, "one")
    ended = merge(stage, one)
    assert (ended.status, ended.run.verdict) == (1, RunVerdict.FAIL)
    patched = [cell for cell in ended.run.cells if cell.cell.variant == "patched" and cell.cell.suite == "boot"]
    assert ["nobody_knows_this" in cell.not_run for cell in patched] == [True]


@pytest.mark.slow
def test_a_part_does_not_judge_what_other_parts_may_know(two_suites: Stage) -> None:
    """A test that is asked for by name is in another part; the kernel of a part is that of the whole run."""
    stage = two_suites
    stage.patched(says("fail=one.a"))
    folders = [shard(stage, name, "--test", "one.a") for name in PARTS]
    runs = [json.loads((folder / "results.json").read_text()) for folder in folders]
    assert [run["exit_code"] for run in runs] == [0, 1, 0]
    assert len({build["key"] for run in runs for build in run["builds"] if build["variant"] == "patched"}) == 1
    ended = merge(stage, *folders)
    assert ended.status == 1 and ended.verdict("one.a").verdict is TestVerdict.REGRESSION


@pytest.mark.slow
def test_a_series_that_does_not_apply_is_said_once(two_suites: Stage) -> None:
    stage = two_suites
    stage.patched(says("note=changed"))
    mails = Path(stage.series).read_text().replace("/* a scene */", "/* no such line */")
    Path(stage.series).write_text(mails)
    folders = [shard(stage, name) for name in PARTS]
    ended = merge(stage, *folders)
    assert ended.status == 1 and ended.stderr == "" and ended.run.cells == ()
