# SPDX-License-Identifier: GPL-2.0-or-later
"""Ranges with merges: the tree of the head comes out, whichever way the branches went."""

from pathlib import Path

import pytest

from kernels.patches.apply import apply_series
from kernels.patches.patch import Series
from kernels.patches.series import read_series
from kernels.source.store import Store
from tests.faketree import SECCOMP, commit, git, make_repo, resolve
from util.errors import UserError
from util.events import silent
from util.stop import Stop

CHANGED = SECCOMP.replace("line_5;", "changed_5;")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """`start`; one commit on `main`, two on `topic`."""
    folder = make_repo(tmp_path / "linux")
    git(folder, "tag", "start")
    commit(folder, "main: one", {"kernel/main.c": "int m;\n", "kernel/seccomp.c": CHANGED})
    git(folder, "checkout", "-q", "-b", "topic", "start")
    commit(folder, "topic: one", {"kernel/topic.c": "int t;\n"})
    commit(folder, "topic: two", {"kernel/seccomp.c": SECCOMP.replace("line_30;", "changed_30;")})
    return folder


def merge(repo: Path, into: str, *others: str, subject: str = "Merge", files: dict[str, str] | None = None) -> None:
    git(repo, "checkout", "-q", into)
    git(repo, "merge", "-q", "--no-ff", "-m", subject, *others)
    if files:
        commit(repo, "not kept", files)
        git(repo, "reset", "-q", "--soft", "HEAD~1")
        git(repo, "commit", "-q", "--amend", "-m", subject)


def as_tested(repo: Path, spec: str, store: Store) -> Series:
    """The series; what the rig makes of it has the tree of its head, and each patch that of its commit."""
    series = read_series(f"{repo}:{spec}", store, None, Stop())
    assert series.start is not None
    source = resolve(f"git:{repo}@{series.start.commit}", store)
    for number, patch in enumerate(series.patches, 1):
        applied = apply_series(store, source, series, number, silent, Stop())
        assert applied.failure is None and patch.made is not None
        assert applied.tree == git(repo, "rev-parse", f"{patch.made.commit}^{{tree}}").strip()
    assert applied.tree == git(repo, "rev-parse", f"{spec.partition('..')[2]}^{{tree}}").strip()
    return series


def subjects(series: Series) -> list[tuple[str, int]]:
    return [(patch.subject, patch.merges) for patch in series.patches]


def test_a_topic_merged_into_the_range(repo: Path, tmp_path: Path) -> None:
    merge(repo, "main", "topic")
    commit(repo, "main: two", {"kernel/main.c": "int n;\n"})
    series = as_tested(repo, "start..main", Store(tmp_path / "cache"))
    assert subjects(series) == [("main: one", 0), ("Merge", 2), ("main: two", 0)]
    assert series.patches[1].paths == ("kernel/seccomp.c", "kernel/topic.c")
    assert len(series.warnings) == 1 and "the 2 commits that it brings count as one patch" in series.warnings[0]


@pytest.mark.slow
def test_the_target_merged_into_the_branch(repo: Path, tmp_path: Path) -> None:
    """The base is what was merged, so the merge holds what the branch had before it, conflicts resolved."""
    merge(repo, "topic", "main", files={"kernel/seccomp.c": CHANGED + "int resolved;\n"})
    commit(repo, "topic: three", {"kernel/late.c": "int l;\n"})
    store = Store(tmp_path / "cache")
    series = as_tested(repo, "main..topic", store)
    assert subjects(series) == [("Merge", 2), ("topic: three", 0)]
    assert series.start is not None and series.start.commit == git(repo, "rev-parse", "main").strip()
    assert b"int resolved;" in series.patches[0].mail
    since = as_tested(repo, "start..topic", store)
    assert subjects(since) == [("topic: one", 0), ("topic: two", 0), ("Merge", 1), ("topic: three", 0)]


@pytest.mark.slow
def test_an_octopus_an_empty_merge_and_a_merge_at_the_base(repo: Path, tmp_path: Path) -> None:
    git(repo, "checkout", "-q", "-b", "other", "start")
    commit(repo, "other: one", {"kernel/other.c": "int o;\n"})
    merge(repo, "main", "topic", "other")
    git(repo, "tag", "merged")
    git(repo, "merge", "-q", "--no-ff", "-s", "ours", "-m", "Nothing", git(repo, "commit-tree", "-p", "start", "-m",
        "aside", "start^{tree}").strip())  # fmt: skip
    commit(repo, "main: two", {"kernel/main.c": "int n;\n"})
    store = Store(tmp_path / "cache")
    assert subjects(as_tested(repo, "start..main", store)) == [
        ("main: one", 0), ("Merge", 3), ("Nothing", 1), ("main: two", 0),
    ]  # fmt: skip
    assert subjects(as_tested(repo, "merged..main", store)) == [("Nothing", 1), ("main: two", 0)]


def test_on_another_tree_a_merge_is_applied_as_a_patch(repo: Path, tmp_path: Path) -> None:
    merge(repo, "main", "topic")
    git(repo, "checkout", "-q", "-b", "elsewhere", "start")
    commit(repo, "elsewhere: one", {"kernel/fork.c": "int elsewhere;\n"})
    store = Store(tmp_path / "cache")
    series = read_series(f"{repo}:start..main", store, None, Stop())
    applied = apply_series(store, resolve(f"git:{repo}@elsewhere", store), series, None, silent, Stop())
    assert applied.failure is None
    merge(repo, "elsewhere", "main")
    assert applied.tree == git(repo, "rev-parse", "elsewhere^{tree}").strip()


def test_merges_both_ways_leave_no_one_base(repo: Path, tmp_path: Path) -> None:
    old = git(repo, "rev-parse", "topic").strip()
    merge(repo, "topic", "main")
    merge(repo, "main", old)
    with pytest.raises(UserError, match="has no one base, for merges went both ways"):
        read_series(f"{repo}:main..topic", Store(tmp_path / "cache"), None, Stop())
