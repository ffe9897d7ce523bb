# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py compare` end to end on the kernel in miniature."""

import subprocess
import sys
from pathlib import Path

import pytest

from ci.compare.answer import ChangeKind, CompareAnswer, CompareOutcome
from kernels.patches.range_diff import PatchChange
from tests.faketree import commit, git
from tests.scenes.stage import SIGNED, Ended, Files, Stage, as_json, says
from util.paths import ROOT

pytestmark = pytest.mark.slow

SCHED = "int schedule(void)\n{\n\treturn 7;\n}\n"
BROKEN = SCHED.replace("7", "nobody_knows_this")


def revision(stage: Stage, name: str, *patches: Files, version: int = 0, base: str = "base") -> str:
    """A series on `base` as a file: one patch for each set of files."""
    git(stage.tree, "checkout", "--quiet", "--force", "-B", name, base)
    for number, files in enumerate(patches, 1):
        commit(stage.tree, f"fake: patch {number}\n\nIt changes what the scene plays.\n\n{SIGNED}", files)
    prefix = f"--subject-prefix=PATCH v{version}" if version else "--subject-prefix=PATCH"
    path = stage.folder / f"{name}.mbox"
    path.write_text(git(stage.tree, "format-patch", "--stdout", prefix, f"{base}..HEAD"))
    return str(path)


def compared(stage: Stage, *arguments: str, loud: bool = False) -> tuple[Ended, CompareAnswer]:
    profile = stage.arguments()[2]
    quiet = () if loud else ("--quiet",)
    words = ("--profile", profile, "--out", str(stage.folder / "out"), "--accel", "tcg", *quiet)
    ended = stage.call("compare", *arguments, *words)
    path = stage.folder / "out" / "compare.json"
    assert path.exists(), ended.stderr
    return ended, CompareAnswer.model_validate_json(path.read_text())


def kinds(answer: CompareAnswer, step: int = -1) -> dict[str, ChangeKind]:
    return {item.test: item.kind for item in answer.steps[step].changes}


def test_of_four_revisions_the_third_broke_a_test_and_the_fourth_mends_it(stage: Stage) -> None:
    more = {"kernel/fork.c": "int fork;\n"}
    specs = [
        revision(stage, "one", says("note=1"), more, version=1),
        revision(stage, "two", says("note=1"), more, {"kernel/fork.c": "int fork = 1;\n"}, version=2),
        revision(stage, "three", says("fail=one.a"), more, version=3),
        revision(stage, "four", says("note=4"), more, version=4),
    ]
    ended, answer = compared(stage, *specs, loud=True)
    assert (ended.status, answer.outcome) == (0, CompareOutcome.NO_WORSE), ended.stderr
    assert [item.name for item in answer.revisions] == ["v1", "v2", "v3", "v4"]
    assert [str(item.verdict) for item in answer.revisions] == ["pass", "pass", "fail", "pass"]
    assert [step.outcome for step in answer.steps] == [
        CompareOutcome.NO_WORSE,
        CompareOutcome.WORSE,
        CompareOutcome.NO_WORSE,
    ]
    assert [kinds(answer, at) for at in range(3)] == [{}, {"one.a": ChangeKind.BROKE}, {"one.a": ChangeKind.FIXED}]
    (broke,) = answer.steps[1].changes
    assert broke.text == "v2: 2 PASS; v3: 2 FAIL"  # confirmed in fresh guests
    pairs = [[(pair.before, pair.after, pair.change) for pair in step.patches] for step in answer.steps]
    assert pairs[0] == [(1, 1, PatchChange.SAME), (2, 2, PatchChange.SAME), (0, 3, PatchChange.NEW)]
    assert pairs[1] == [(1, 1, PatchChange.CHANGED), (2, 2, PatchChange.SAME), (3, 0, PatchChange.DROPPED)]
    assert any("fail=one.a" in line for line in answer.steps[1].patches[0].diff)
    assert "v2 -> v3: worse: 1 broke" in ended.stdout
    assert "v2: 2 PASS; v3: 2 FAIL" in ended.stdout
    assert max(len(line) for line in ended.stdout.splitlines() if str(stage.folder) not in line) < 75
    for name in ("v1", "v2", "v3", "v4", "v1-to-v2", "v2-to-v3", "v3-to-v4"):
        assert (ended.folder / name / "report.html").exists()
    reproduce = " ".join(broke.reproduce)
    assert f"compare {specs[1]} {specs[2]} --profile" in reproduce


def test_what_is_there_is_not_made_again_and_one_mailbox_may_hold_both(stage: Stage) -> None:
    files = [revision(stage, name, says(f"note=again-{name}"), version=at) for at, name in enumerate("ab", 1)]
    thread = stage.folder / "thread.mbox"
    thread.write_text("".join(Path(name).read_text() for name in files))
    specs = [f"{thread}@v1", f"{thread}@v2"]
    _, first = compared(stage, *specs)
    ended, again = compared(stage, *specs, "--json")
    assert (ended.status, sum(item.made for item in first.revisions) > 0) == (0, True), ended.stderr
    assert [item.name for item in again.revisions] == ["v1", "v2"]
    assert [item.made for item in again.revisions] == [0, 0]
    assert all(item.cached for item in again.revisions)
    for step in again.steps:
        results = as_json((ended.folder / step.folder / "results.json").read_text())
        assert all(item.cached for item in results.builds)
        assert all(item.cached for item in results.cells if item.command)
    assert CompareAnswer.model_validate_json(ended.stdout) == again


def test_a_cost_that_grew_makes_it_worse_and_one_that_fell_does_not(stage: Stage) -> None:
    stage.profile |= {"suites": ["benchmark/seccomp"], "rerun": 0}
    specs = [revision(stage, name, says(f"cost={name}"), base="base") for name in ("300", "200", "203", "240")]
    names = ("--names", "dear,cheap,equal,dearer")
    ended, answer = compared(stage, *specs, *names)
    figure = "call/none/getppid/unfiltered"
    found = [next(item for item in step.changes if item.test == figure) for step in answer.steps]
    assert [(item.kind, item.worse) for item in found] == [
        (ChangeKind.CHEAPER, False), (ChangeKind.DEARER, False), (ChangeKind.DEARER, True)
    ]  # fmt: skip
    assert found[0].text == "300 -> 200 insns (-100, -33.3 %)"
    assert (ended.status, answer.outcome) == (1, CompareOutcome.WORSE), ended.stderr
    (row,) = [row for row in answer.figures if row.figure == figure]
    assert answer.columns == ("base", "dear", "cheap", "equal", "dearer")
    assert row.values == (200, 300, 200, 203, 240)
    assert row.label == "getppid, no filter"


def test_a_revision_that_does_not_apply_or_build_is_worse_and_the_way_back_is_not(stage: Stage) -> None:
    good = revision(stage, "good", says("note=applies"), version=1)
    broken = revision(stage, "broken", {"kernel/sched.c": BROKEN}, version=3)
    git(stage.tree, "checkout", "--quiet", "--force", "-B", "elsewhere", "base")
    commit(stage.tree, "fake: another base", {"kernel/sched.c": "/* something else */\n"})
    stray = revision(stage, "stray", {"kernel/sched.c": SCHED}, version=2, base="elsewhere")
    ended, answer = compared(stage, good, stray, broken, loud=True)
    assert ended.status == 1, ended.stderr
    assert kinds(answer, 0) == {"apply": ChangeKind.BROKE}
    assert kinds(answer, 1) == {"apply": ChangeKind.FIXED, "kernel": ChangeKind.BROKE}
    assert "v2 does not apply, so that patches are paired by patch-id alone" in answer.steps[0].notes
    assert "nobody_knows_this" in ended.stdout
    ended, answer = compared(stage, broken, good)
    assert (ended.status, kinds(answer)) == (0, {"kernel": ChangeKind.FIXED}), answer.steps[-1].changes


def test_each_stands_on_its_own_base_and_what_the_bases_differ_by_is_not_the_series_doing(stage: Stage) -> None:
    revision(stage, "old", {"kernel/fork.c": "int fork;\n"})
    git(stage.tree, "checkout", "--quiet", "--force", "-B", "moved", "base")
    commit(stage.tree, "fake: the base broke a test", says("fail=two.b"))
    git(stage.tree, "tag", "--force", "base2")
    revision(stage, "new", {"kernel/fork.c": "int fork;\n"}, {"kernel/fork.c": "int fork, more;\n"}, base="base2")
    ended, answer = compared(stage, f"{stage.tree}:base..old", f"{stage.tree}:base2..new", "--names", "old,new")
    assert ended.status == 0, ended.stderr
    assert kinds(answer) == {"two.b": ChangeKind.BASE}
    assert [item.base for item in answer.revisions] == ["base of old", "base of new"]
    assert any("the base is another" in note for note in answer.steps[0].notes)
    assert [pair.change for pair in answer.steps[0].patches] == [PatchChange.SAME, PatchChange.NEW]


def test_bad_input_is_one_line_and_exit_2(stage: Stage) -> None:
    spec = revision(stage, "spec", says("note=spec"))
    other = revision(stage, "other", says("note=other"))
    copy = stage.folder / "copy.mbox"
    copy.write_bytes(Path(spec).read_bytes())
    profile = stage.arguments()[2]
    for words, said in (
        ((), "two revisions of a series or more"),
        ((spec,), "two revisions of a series or more"),
        ((spec, "none"), "none: is no series"),
        ((spec, str(stage.folder / "absent.mbox")), "absent.mbox"),
        ((spec, spec), "is the same series as"),
        ((spec, str(copy)), "is the same series as"),
        ((spec, other, "--names", "a"), "1 name for 2 revisions"),
        ((spec, other, "--names", "base,b"), "'base'"),
        ((spec, other, "--names", "a,a"), "'a'"),
        ((spec, other, "--names", "../a,b"), "'../a'"),
        ((spec, other, "--suite", "nonsense"), "nonsense"),
        ((spec, other, "--arch", "x86"), "x86_64"),
        ((spec, other, "--series", spec), "--series"),
    ):
        ended = stage.call("compare", *words, "--profile", profile, "--quiet", "--out", str(stage.folder / "bad"))
        assert (ended.status, ended.stdout) == (2, ""), (words, ended)
        assert said in ended.stderr, (words, ended.stderr)
        assert "Traceback" not in ended.stderr
        assert len(ended.stderr.strip().splitlines()) <= (1 if "--series" not in words else 4), ended.stderr
    stage.profile["variants"] = [{"name": "base", "series": "none"}, {"name": "patched"}]
    ended = stage.call("compare", spec, other, "--profile", stage.arguments()[2])
    assert (ended.status, "variants of its own" in ended.stderr) == (2, True)


def test_an_interruption_reports_what_was_finished(stage: Stage) -> None:
    specs = [
        revision(stage, "first", says("note=first"), version=1),
        revision(stage, "second", says("end=interrupts_the_rig"), version=2),
    ]
    profile, out = stage.arguments()[2], stage.folder / "out"
    command = [sys.executable, str(ROOT / "rig.py"), "compare", *specs, "--profile", profile, "--out", str(out)]
    done = subprocess.run(
        [*command, "--accel", "tcg"], env=stage.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    answer = CompareAnswer.model_validate_json((out / "compare.json").read_text())
    assert (answer.whole, answer.outcome) == (False, CompareOutcome.UNKNOWN)
    assert [item.name for item in answer.revisions] == ["v1"]
    assert "interrupted after 1 of 2 revisions" in done.stdout
    assert (out / "v2" / "results.json").exists()


def test_the_page_holds_it_all_and_runs_nothing(stage: Stage) -> None:
    old = revision(stage, "old", says("note=<b>old</b>"))
    new = revision(stage, "new", says("fail=one.b"))
    ended, answer = compared(stage, old, new, "--verbose", loud=True)
    page = ended.report("compare.html")
    assert "<script" not in page
    assert 'href="old-to-new/report.html"' in page
    assert "&lt;b&gt;old&lt;/b&gt;" in page
    assert "one.b" in page
    assert "fail=one.b" in ended.stdout, "--verbose shows the diff of the patches"
    assert ended.report("compare.txt").splitlines()[0] == ended.stdout.splitlines()[0]
    assert answer.host.accel == {"x86_64": "tcg"}
