# SPDX-License-Identifier: GPL-2.0-or-later
"""A suite without a topic means every topic of the tree that can run."""

import json
from pathlib import Path

import pytest

from ci.machine.listing import offers
from ci.plan.expand import expand
from ci.plan.plan import Plan
from ci.plan.wishes import Wishes, make_plan
from configs.model import Profile, SuiteChoice
from testcases.registry import find_suite
from testcases.selftests import needs
from testcases.selftests.needs import Need
from tests.command import own_cache, rig_here
from tests.faketree import Events, make_tree, write_files
from util.errors import UserError
from util.events import Phase


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    targets = ("futex", "x86", "bpf")
    files: dict[str, str | bytes] = {
        f"tools/testing/selftests/{name}/Makefile": "include ../lib.mk\n" for name in targets
    }
    lines = "".join(f"TARGETS += {name}\n" for name in targets)
    write_files(tmp_path, {**files, "tools/testing/selftests/Makefile": lines})
    table = (
        Need(kind="toolchain", reason="a compiler for BPF", targets=("bpf",)),
        Need(kind="architecture", reason="of x86", targets=("x86",), archs=("x86_64",)),
    )
    monkeypatch.setattr(needs, "table", lambda: table)
    return tmp_path


def plan(*suites: SuiteChoice, archs: tuple[str, ...] = ("x86_64", "aarch64")) -> Plan:
    profile = Profile(name="p", description="d", source="s", archs=archs, abis=archs, suites=suites)
    return make_plan(profile, Wishes(), accel="auto", jobs=2, fresh=False)


def test_a_bare_suite_becomes_its_topics_on_the_architectures_that_run_them(tree: Path) -> None:
    events = Events()
    made = expand(plan(SuiteChoice(name="boot"), SuiteChoice(name="selftests", timeout=9)), tree, events)
    assert [(choice.name, choice.archs) for choice in made.profile.suites] == [
        ("selftests/futex", ("x86_64", "aarch64")), ("selftests/x86", ("x86_64",)), ("boot", ()),
    ]  # fmt: skip
    assert made.profile.suites[0].timeout == 9
    assert made.shaping == made.profile.suites
    assert [(cell.arch, cell.suite) for cell in made.cells()] == [
        ("x86_64", "selftests/futex"), ("aarch64", "selftests/futex"), ("x86_64", "selftests/x86"),
        ("x86_64", "boot"), ("aarch64", "boot"),
    ]  # fmt: skip
    assert events.texts(Phase.NOTE)[0] == "2 of 3 run on x86_64 (left out: 1 toolchain)"


def test_a_topic_that_is_named_as_well_keeps_its_options(tree: Path) -> None:
    named = SuiteChoice(name="selftests/futex", timeout=5)
    made = expand(plan(SuiteChoice(name="selftests"), named, archs=("x86_64",)), tree, Events())
    assert {choice.name: choice.timeout for choice in made.profile.suites} == {
        "selftests/futex": 5, "selftests/x86": None,
    }  # fmt: skip


def test_a_plan_without_such_a_suite_stays_as_it_is(tree: Path) -> None:
    before = plan(SuiteChoice(name="selftests/bpf"))
    assert expand(before, tree, Events()).profile.suites == before.profile.suites


def test_where_no_tree_is_looked_at_a_target_has_to_be_named() -> None:
    suite, _topic = find_suite("selftests")
    with pytest.raises(UserError, match="say which one"):
        suite.folder(SuiteChoice(name="selftests"))


def test_the_list_says_of_each_topic_whether_it_runs(tree: Path) -> None:
    assert list(offers("selftests", tree, "aarch64")) == [
        "bpf    toolchain: a compiler for BPF",
        "futex  runs",
        "x86    architecture: of x86",
        "1 of 3 run on aarch64; left out: 1 architecture, 1 toolchain",
    ]
    assert list(offers("selftests/x86", tree, "x86_64")) == ["x86  runs", "1 of 1 run on x86_64"]


@pytest.mark.parametrize(("name", "words"), [("boot", "depend on no kernel tree"), ("selftests/ftux", "no such")])
def test_a_list_that_there_is_not(tree: Path, name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        list(offers(name, tree, "x86_64"))


def test_a_bare_suite_is_opened_before_a_plan_is_divided(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_tree(tree)
    cwd = tmp_path / "project"
    cwd.mkdir()
    here = own_cache(tmp_path.parent / f"{tmp_path.name}-own")
    words = ("--profile", "boot", "--source", str(tree), "--suite", "selftests", "--arch", "x86_64")
    done = rig_here(capsys, "gitlab", "generate", "--out", "parts", "--", *words, cwd=cwd, environment=here)
    assert done.returncode == 0, done.stderr
    shards = json.loads((cwd / "parts" / "shards.json").read_text())["shards"]
    guests = [place for shard in shards for place in shard["places"] if "/selftests" in place]
    assert guests == ["x86_64/x86_64/plain/selftests/futex", "x86_64/x86_64/plain/selftests/x86"]
    one = rig_here(capsys, "check", *words, "--cells", "*/selftests/x86", "--dry-run", cwd=cwd, environment=here)
    assert one.returncode == 0 and "# suite selftests/x86 for x86_64" in one.stdout, one.stderr
    assert "futex" not in one.stdout.partition("# suite")[2]
