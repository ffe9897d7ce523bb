# SPDX-License-Identifier: GPL-2.0-or-later
"""Which base a series is tested on, and what is said where it is not the one that a user may expect."""

import re
from pathlib import Path

import pytest

from ci.plan.places import narrowed, places
from ci.plan.variants import Variants, prepare_variants
from ci.plan.wishes import Wishes, make_plan
from configs.loader import load_profile
from kernels.mail.thread import EVERYTHING, ThreadChoice
from kernels.source.store import Store
from tests.faketree import changed, commit, git, make_repo, make_tree
from tests.kernels.mailkit import diff_of, mail, write_series
from tests.kernels.tools import B4, call, clone, environment
from util.errors import UserError
from util.events import silent
from util.stop import Stop


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return write_series(tmp_path / "linux")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def prepared(
    store: Store,
    source: object,
    series: object,
    *,
    keep: bool = False,
    guess: bool = False,
    choice: ThreadChoice = EVERYTHING,
) -> Variants:
    wishes = Wishes(source=str(source), series=str(series), keep_base=keep, guess_base=guess, choice=choice)
    plan = make_plan(load_profile("boot"), wishes, accel="tcg", jobs=1, fresh=False)
    return prepare_variants(plan, store, silent, Stop())


def tree_of(repo: Path, name: str) -> str:
    return git(repo, "rev-parse", f"{name}^{{tree}}").strip()


def trees(variants: Variants) -> tuple[str, str]:
    assert variants.judged.applied.failure is None
    return variants.base.applied.tree, variants.judged.applied.tree


# Ranges


@pytest.mark.slow
@pytest.mark.parametrize("place", ["start", "main~2", "main", "aside"])
@pytest.mark.parametrize("named", [True, False])
def test_a_ranges_own_base_is_the_base(
    store: Store, repo: Path, place: str, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the source stands: before the range, within it, at its end, on another branch."""
    git(repo, "checkout", "-q", "-b", "aside", "start")
    commit(repo, "aside: x", {"kernel/aside.c": "int x;\n"})
    git(repo, "checkout", "-q", "--detach", place)
    monkeypatch.chdir(repo.parent)
    for source in (repo, f"git:{repo}@{place}"):
        variants = prepared(store, source, f"{repo}:start..main" if named else "start..main")
        assert trees(variants) == (tree_of(repo, "start"), tree_of(repo, "main"))
        if place == "start":
            assert variants.notes == ()
        else:
            (note,) = variants.notes
            assert re.search(r'^base is [0-9a-f]{12} \("fake: start"\), where .*start\.\.main begins', note)
            assert "which is at" in note


def test_changes_that_are_not_committed_are_not_in_the_base_of_a_range(store: Store, repo: Path) -> None:
    git(repo, "checkout", "-q", "start")
    (repo / "kernel/fork.c").write_text("int edited;\n")
    variants = prepared(store, repo, f"{repo}:start..main")
    assert trees(variants) == (tree_of(repo, "start"), tree_of(repo, "main"))
    assert "which has changes on" in variants.notes[0]


def test_a_branch_that_main_has_left_behind(store: Store, repo: Path) -> None:
    """`main..work` where main went on after the fork: the fork is the base, not main."""
    git(repo, "branch", "work")
    git(repo, "checkout", "-q", "-B", "main", "start")
    commit(repo, "main: goes on", {"kernel/fork.c": "int on;\n"})
    variants = prepared(store, repo, f"{repo}:main..work")
    assert trees(variants) == (tree_of(repo, "start"), tree_of(repo, "work"))
    assert "fake: start" in variants.notes[0] and "main: goes on" in variants.notes[0]


@pytest.mark.slow
def test_the_source_is_the_base_where_the_user_wants_it(store: Store, repo: Path) -> None:
    git(repo, "checkout", "-q", "-b", "aside", "start")
    commit(repo, "aside: x", {"kernel/aside.c": "int x;\n"})
    variants = prepared(store, repo, f"{repo}:start..main", keep=True)
    assert variants.base.applied.tree == tree_of(repo, "aside")
    assert "as you asked, it is applied to" in variants.notes[0]
    assert "another tree than" in variants.notes[1]
    text = (store.blob(variants.judged.applied.tree, "kernel/aside.c") or b"").decode()
    assert text == "int x;\n"


def test_a_range_on_a_source_of_another_kind(store: Store, repo: Path, tmp_path: Path) -> None:
    variants = prepared(store, make_tree(tmp_path / "plain", "5.10.9"), f"{repo}:start..main")
    assert variants.judged.applied.failure is None
    assert variants.base.applied.tree == variants.source.tree != tree_of(repo, "start")
    assert "its commits are applied as patches" in variants.notes[0]


# The base that mails name


def based(repo: Path, tmp_path: Path, *more: str) -> Path:
    base = git(repo, "rev-parse", "start").strip()
    text = git(repo, "format-patch", "--stdout", f"--base={base}", "start..main")
    assert f"base-commit: {base}" in text
    (tmp_path / "based.mbox").write_text(text + "".join(f"{line}\n" for line in more))
    return tmp_path / "based.mbox"


@pytest.mark.slow
def test_the_base_that_a_series_names(store: Store, repo: Path, tmp_path: Path) -> None:
    git(repo, "checkout", "-q", "-b", "aside", "start")
    commit(repo, "aside: x", {"kernel/aside.c": "int x;\n"})
    box = based(repo, tmp_path)
    for source in (repo, f"git:{repo}@aside"):
        variants = prepared(store, source, box)
        assert trees(variants) == (tree_of(repo, "start"), tree_of(repo, "main"))
        assert re.search(
            r'^base is [0-9a-f]{12} \("fake: start"\), which the series names; the source is at', variants.notes[0]
        )
    kept = prepared(store, repo, box, keep=True)
    assert kept.base.applied.tree == tree_of(repo, "aside")
    assert "as you asked" in kept.notes[0]
    assert prepared(store, f"git:{repo}@start", box).notes == ()


def test_a_bisection_keeps_to_the_commit_that_it_has_checked_out(store: Store, repo: Path, tmp_path: Path) -> None:
    git(repo, "checkout", "-q", "-b", "aside", "start")
    commit(repo, "aside: x", {"kernel/aside.c": "int x;\n"})
    wishes = Wishes(source=str(repo), series=str(based(repo, tmp_path)))
    plan = make_plan(load_profile("boot"), wishes, accel="tcg", jobs=1, fresh=False, follow=False)
    assert prepare_variants(plan, store, silent, Stop()).base.applied.tree == tree_of(repo, "aside")


@pytest.mark.slow
def test_a_base_that_the_source_does_not_have(store: Store, repo: Path, tmp_path: Path) -> None:
    box = based(repo, tmp_path)
    other = make_repo(tmp_path / "other", "5.10.9")
    assert "which " + str(other) + " does not have" in prepared(store, other, box).notes[0]
    plain = make_tree(tmp_path / "plain", "5.10.8")
    assert "not being a git repository, cannot show" in prepared(store, plain, box).notes[0]


# What a series builds on


def building(repo: Path, tmp_path: Path, *, without: str = "prerequisite-message-id") -> tuple[Path, Path]:
    """(a mailbox with the last commit of main, of which git says that it builds on those before; one with these)."""
    base = git(repo, "rev-parse", "start").strip()
    text = git(repo, "format-patch", "--stdout", "--thread", f"--base={base}", "-1", "main")
    assert text.count("prerequisite-patch-id: ") == int(git(repo, "rev-list", "--count", "start..main~1"))
    (tmp_path / "last.mbox").write_text("".join(line for line in text.splitlines(True) if without not in line))
    (tmp_path / "before.mbox").write_text(git(repo, "format-patch", "--stdout", "--thread", "start..main~1"))
    return tmp_path / "last.mbox", tmp_path / "before.mbox"


@pytest.mark.slow
def test_what_a_series_builds_on_is_taken_from_the_branches_of_the_source(
    store: Store, repo: Path, tmp_path: Path
) -> None:
    last, _before = building(repo, tmp_path)
    git(repo, "checkout", "-q", "start")
    variants = prepared(store, repo, last)
    assert trees(variants) == (tree_of(repo, "main~1"), tree_of(repo, "main"))
    assert re.match(r"base is .* with \d patch(es)? that the series builds on: 'seccomp: change 1'", variants.notes[0])
    assert "beneath the series" in variants.source.title
    assert variants.source.commit == prepared(store, f"git:{repo}@main~1", "none").source.commit
    kept = prepared(store, repo, last, keep=True)
    assert kept.base.applied.tree == tree_of(repo, "start")


@pytest.mark.slow
def test_what_base_holds_already_is_not_applied_twice(store: Store, repo: Path, tmp_path: Path) -> None:
    last, _before = building(repo, tmp_path)
    text = last.read_text().replace("base-commit:", "made-for:")
    last.write_text(text)
    git(repo, "checkout", "-q", "main~1")
    variants = prepared(store, repo, last)
    assert trees(variants) == (tree_of(repo, "main~1"), tree_of(repo, "main"))
    assert variants.notes[0].startswith("base holds already what the series builds on: 'seccomp: change 1'")


@pytest.mark.parametrize("by", ["patch-id", "message-id"])
def test_what_a_series_builds_on_is_taken_from_a_mailbox(store: Store, repo: Path, tmp_path: Path, by: str) -> None:
    """The source, a folder, has no history."""
    last, before = building(repo, tmp_path, without="prerequisite-" if by == "message-id" else "nothing")
    first = re.search(r"^Message-I[dD]: <(.*)>$", before.read_text(), re.MULTILINE)
    assert first is not None
    if by == "message-id":
        last.write_text(last.read_text() + f"prerequisite-message-id: <{first[1]}>\n")
    git(repo, "worktree", "add", "-q", "--detach", str(tmp_path / "plain"), "start")
    plain = tmp_path / "plain"
    (plain / ".git").unlink()
    variants = prepared(store, plain, last, choice=ThreadChoice(mailbox=str(before)))
    assert trees(variants) == (tree_of(repo, "main~1"), tree_of(repo, "main"))
    both = tmp_path / "both.mbox"
    both.write_text(before.read_text() + last.read_text())
    if by == "patch-id":
        with pytest.raises(UserError):
            prepared(store, plain, both)  # two threads in one mailbox are no series


@pytest.mark.slow
def test_what_is_not_found_is_said_in_one_line(store: Store, repo: Path, tmp_path: Path) -> None:
    git(repo, "checkout", "-q", "start")
    (note,) = prepared(store, repo, based(repo, tmp_path, f"prerequisite-patch-id: {'ab' * 20}")).notes
    assert note == (
        "the series builds on 1 patch found neither in a mailbox nor in the source's branches"
        " (patch id abababababab); base is without"
    )
    (note,) = prepared(store, repo, based(repo, tmp_path, "prerequisite-message-id: <a@b>")).notes
    assert note.startswith("the series builds on the thread a@b, which was not found (no mailbox holds it")


@pytest.mark.slow
def test_what_does_not_apply_beneath_the_series_is_left_out(store: Store, repo: Path, tmp_path: Path) -> None:
    last, _before = building(repo, tmp_path)
    other = make_repo(tmp_path / "other", "5.10.9")
    git(other, "fetch", "-q", str(repo), "main:theirs")
    commit(other, "other: go away", {"kernel/seccomp.c": "int other;\n"})
    last.write_text(last.read_text().replace("base-commit:", "made-for:"))
    variants = prepared(store, other, last)
    assert any("which does not apply: " in note for note in variants.notes)
    assert variants.base.applied.tree == tree_of(other, "HEAD")


# How a series fits


def test_a_hunk_that_was_moved_is_told_with_its_lines(store: Store, repo: Path, tmp_path: Path) -> None:
    files = {"kernel/seccomp.c": "int new;\n" * 5 + changed()}
    moved = make_tree(tmp_path / "moved", files=files)
    (tmp_path / "one.patch").write_text(git(repo, "format-patch", "--stdout", "-1", "main~2"))
    (note,) = prepared(store, moved, tmp_path / "one.patch").notes
    assert re.search(r"^patch 1, 'seccomp: change 1': was made for another kernel/seccomp\.c \([0-9a-f]+\); ", note)
    assert note.endswith("moved: hunk 1 by +5 lines")
    bare = mail("[PATCH] bare", "x\n---\n" + re.sub(r"(?m)^(diff|index).*\n", "", diff_of(repo, 1)), separator=False)
    (tmp_path / "bare.patch").write_bytes(bare)
    assert (
        prepared(store, moved, tmp_path / "bare.patch")
        .notes[0]
        .endswith("another kernel/seccomp.c; moved: hunk 1 by +5 lines")
    )


def test_a_merge_and_another_blob_are_told(store: Store, repo: Path, tmp_path: Path) -> None:
    elsewhere = make_tree(tmp_path / "elsewhere", files={"kernel/seccomp.c": changed(40, text="moved")})
    (tmp_path / "one.patch").write_text(git(repo, "format-patch", "--stdout", "-1", "main~2"))
    (note,) = prepared(store, elsewhere, tmp_path / "one.patch").notes
    assert note.endswith("all hunks where they should be")
    near = make_tree(tmp_path / "near", files={"kernel/seccomp.c": changed(8, text="moved")})
    variants = prepared(store, near, f"{repo}:start..main~2")
    assert variants.notes[-1].endswith("merged with three ways (2 changed lines)")


def test_what_fits_is_told_nothing_of(store: Store, repo: Path, tmp_path: Path) -> None:
    (tmp_path / "all.mbox").write_text(git(repo, "format-patch", "--stdout", "start..main"))
    assert prepared(store, f"git:{repo}@start", tmp_path / "all.mbox").notes == ()


# Guessing


def test_the_revision_that_a_series_fits_best(store: Store, repo: Path, tmp_path: Path) -> None:
    """Patch 3 of 3 alone, while the source stands elsewhere: its base is the second."""
    (tmp_path / "third.patch").write_text(git(repo, "format-patch", "--stdout", "-1", "main"))
    git(repo, "checkout", "-q", "-b", "aside", "start")
    commit(repo, "aside: x", {"kernel/aside.c": "int x;\n"})
    variants = prepared(store, repo, tmp_path / "third.patch", guess=True)
    assert trees(variants) == (tree_of(repo, "main~1"), tree_of(repo, "main"))
    assert re.search(
        r'^base is .*"seccomp: change 2".*, where 1 of 1 files are what the series was made', variants.notes[0]
    )
    whole = tmp_path / "whole.mbox"
    whole.write_text(git(repo, "format-patch", "--stdout", "start..main"))
    assert prepared(store, repo, whole, guess=True).base.applied.tree == tree_of(repo, "aside"), "it fits as well"


def test_bases_that_cannot_be_guessed(store: Store, repo: Path, tmp_path: Path) -> None:
    (tmp_path / "one.patch").write_text(git(repo, "format-patch", "--stdout", "-1", "main"))
    with pytest.raises(UserError, match=r"--guess-base looks through the history of a git source, and .* is none"):
        prepared(store, make_tree(tmp_path / "plain"), tmp_path / "one.patch", guess=True)
    other = make_repo(tmp_path / "other")
    with pytest.raises(UserError, match=r"no revision of .* has a file that it was made for"):
        prepared(store, other, tmp_path / "one.patch", guess=True)
    text = (tmp_path / "one.patch").read_text()
    (tmp_path / "bare.patch").write_text(re.sub(r"(?m)^(index|diff) .*\n", "", text))
    with pytest.raises(UserError, match="names no blob to guess a base from"):
        prepared(store, repo, tmp_path / "bare.patch", guess=True)
    with pytest.raises(UserError, match="contradict each other"):
        prepared(store, repo, tmp_path / "one.patch", guess=True, keep=True)


# b4


def b4(repo: Path, *arguments: str) -> None:
    env = environment(repo.with_name("home")) | {"EDITOR": "true", "GIT_EDITOR": "true"}
    done = call(repo, B4, "-n", "--offline-mode", "--no-stdin", *arguments, env=env)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["commit", "tip-commit", "branch-description"])
def test_a_branch_of_b4_prep(store: Store, tmp_path: Path, strategy: str) -> None:
    repo = make_repo(tmp_path / "linux")
    git(repo, "config", "user.name", "T")
    git(repo, "config", "user.email", "t@example.org")
    git(repo, "config", "b4.prep-cover-strategy", strategy)
    b4(repo, "prep", "-n", "mine", "-f", "main")
    for number in (1, 2):
        commit(repo, f"many: {number}", {f"kernel/n{number}.c": "int x;\n"})
    if strategy == "tip-commit":  # b4 moves its cover letter to the tip when it next rewrites it; done here by hand
        cover = git(repo, "log", "--format=%B", "--grep=b4-submit-tracking", "-1").strip()
        git(repo, "reset", "-q", "--soft", "main")
        git(repo, "commit", "-qm", "many: all")
        git(repo, "commit", "-q", "--allow-empty", "-m", cover)
    expected = ["many: all"] if strategy == "tip-commit" else ["many: 1", "many: 2"]
    branch = git(repo, "branch", "--show-current").strip()
    for spec in (branch, f"{repo}:{branch}"):
        variants = prepared(store, repo, spec)
        assert variants.series is not None
        assert [patch.subject for patch in variants.series.patches] == expected
        assert trees(variants) == (tree_of(repo, "main"), tree_of(repo, branch))
        assert variants.series.version == 1
    with pytest.raises(UserError, match="is a branch that `b4 prep` does not manage; name its commits as a range"):
        prepared(store, repo, "main")


CASES = Path(__file__).parents[2] / "kernels" / "cases" / "series"


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["b1@example.org", "<b1@example.org>", "https://lore.kernel.org/r/b1@example.org/",
                                  "https://lore.kernel.org/all/b1%40example.org/T/#u"])  # fmt: skip
def test_a_message_id_through_b4(store: Store, tmp_path: Path, spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    box = CASES / "threads/v1-and-v2-thread.mbox"
    tree = clone(CASES / "tree.bundle", "base", tmp_path / "tree")
    variants = prepared(store, tree, spec, choice=ThreadChoice(mailbox=str(box)))
    direct = prepared(store, tree, box)
    assert trees(variants) == trees(direct)
    assert variants.series is not None and variants.series.version == 2
    assert prepared(store, tree, spec, choice=ThreadChoice(mailbox=str(box), revision=1)).series.version == 1  # type: ignore[union-attr]
    with pytest.raises(UserError, match=r"holds no message nobody@example\.org"):
        prepared(store, tree, "nobody@example.org", choice=ThreadChoice(mailbox=str(box)))
    with pytest.raises(UserError, match="no such mailbox"):
        prepared(store, tree, spec, choice=ThreadChoice(mailbox=str(tmp_path / "none")))


def test_without_b4_one_line_says_so(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr("kernels.patches.kinds.b4.sys.prefix", str(tmp_path))
    with pytest.raises(UserError, match="the program b4, which is not installed"):
        prepared(store, make_tree(tmp_path / "tree"), "a@example.org")


@pytest.mark.parametrize("fresh", [True, False])
def test_only_a_whole_run_looks_for_a_newer_source(store: Store, monkeypatch: pytest.MonkeyPatch, fresh: bool) -> None:
    """The parts of a run must be of one tree."""
    asked = []

    def resolve(*_args: object, refresh: bool, **_named: object) -> None:
        asked.append(refresh)
        raise UserError("far enough")

    monkeypatch.setattr("ci.plan.variants.resolve_source", resolve)
    whole = make_plan(load_profile("boot"), Wishes(), accel="tcg", jobs=1, fresh=fresh)
    for plan in (whole, narrowed(whole, places(whole)[-1:])):
        with pytest.raises(UserError, match="far enough"):
            prepare_variants(plan, store, silent, Stop())
    assert asked == [fresh, False]
