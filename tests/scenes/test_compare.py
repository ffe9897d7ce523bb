# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py compare` end to end on the kernel in miniature."""

from ci.compare.answer import Answer, Kind, Outcome
from kernels.patches.range_diff import Change
from tests.faketree import commit, git
from tests.scenes.stage import SIGNED, Ended, Files, Stage, says

QUIET = {"kernel/fork.c": "int fork;\n"}


def revision(stage: Stage, name: str, *patches: Files, version: int = 0, base: str = "base") -> str:
    """A series on `base` as a file: one patch for each set of files."""
    git(stage.tree, "checkout", "--quiet", "--force", "-B", name, base)
    for number, files in enumerate(patches, 1):
        commit(stage.tree, f"fake: patch {number}\n\nIt changes what the scene plays.\n\n{SIGNED}", files)
    prefix = f"--subject-prefix=PATCH v{version}" if version else "--subject-prefix=PATCH"
    path = stage.folder / f"{name}.mbox"
    path.write_text(git(stage.tree, "format-patch", "--stdout", prefix, f"{base}..HEAD"))
    return str(path)


def compared(stage: Stage, *arguments: str, loud: bool = False) -> tuple[Ended, Answer]:
    profile = stage.arguments()[2]
    quiet = () if loud else ("--quiet",)
    words = ("--profile", profile, "--out", str(stage.folder / "out"), "--accel", "tcg", *quiet)
    ended = stage.call("compare", *arguments, *words)
    path = stage.folder / "out" / "compare.json"
    assert path.exists(), ended.stderr
    return ended, Answer.model_validate_json(path.read_text())


def kinds(answer: Answer, step: int = -1) -> dict[str, Kind]:
    return {item.test: item.kind for item in answer.steps[step].changes}


def test_of_two_mailboxes_the_newer_broke_a_test(stage: Stage) -> None:
    old = revision(stage, "old", says("note=1"), version=3)
    new = revision(stage, "new", says("fail=one.a"), version=4)
    ended, answer = compared(stage, old, new)
    assert (ended.status, answer.outcome) == (1, Outcome.WORSE), ended.stderr
    assert [item.name for item in answer.revisions] == ["v3", "v4"]
    (step,) = answer.steps
    assert kinds(answer) == {"one.a": Kind.BROKE}
    assert step.changes[0].text == "v3: 2 PASS; v4: 2 FAIL"
    assert [(pair.before, pair.after, pair.change) for pair in step.patches] == [(1, 1, Change.CHANGED)]
    assert any("fail=one.a" in line for line in step.patches[0].diff)
    assert ended.stdout.startswith("worse (exit 1")
