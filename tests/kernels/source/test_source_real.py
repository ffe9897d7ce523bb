# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's own 5.10, in the user's cache, where the first run has to fetch it."""

from pathlib import Path

import pytest

from kernels.patches.apply import apply_series
from kernels.patches.series import read_series
from kernels.source.resolve import Source
from kernels.source.store import Store
from kernels.source.worktree import worktree
from tests.faketree import Events, git, resolve
from util.stop import Stop

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def store() -> Store:
    return Store()


@pytest.fixture(scope="module")
def source(store: Store) -> Source:
    return resolve("debian:linux-source-5.10", store)


def test_the_package(store: Store, source: Source) -> None:
    assert source.version.startswith("5.10.")
    assert source.title == f"linux-source-5.10 {source.title.split()[1]}"
    assert resolve("debian:linux-source-5.10", store) == source
    assert store.blob(source.tree, "kernel/seccomp.c") is not None
    listing = store.git("ls-tree", "-r", source.tree).splitlines()
    assert len(listing) > 70000
    assert {line.split()[0] for line in listing} == {"100644", "100755", "120000"}


def test_the_checkout(store: Store, source: Source) -> None:
    with worktree(store, source.commit, Events(), Stop()) as path:
        assert (path / "scripts/checkpatch.pl").stat().st_mode & 0o111
        assert (path / "scripts/dtc/include-prefixes/arm").is_symlink()
        names = {str(name.relative_to(path)) for name in path.rglob("*") if name.is_symlink() or name.is_file()}
    listed = store.git("ls-tree", "-r", "-z", "--name-only", source.tree).split("\0")[:-1]
    assert names == set(listed)


def test_a_users_clone_through_two_steps(store: Store, source: Source, tmp_path: Path) -> None:
    """The first step of a bisection looks at every file; the next ones at what changed."""
    git(tmp_path, "clone", "--quiet", "--shared", "--no-checkout", str(store.git_dir), "linux")
    repo = tmp_path / "linux"
    git(repo, "checkout", "--quiet", "-b", "main", source.commit)
    assert resolve(repo, store).commit == source.commit
    file = repo / "kernel/seccomp.c"
    file.write_text(file.read_text() + "/* the end */\n")
    git(repo, "commit", "--quiet", "-am", "seccomp: end")
    stepped = resolve(repo, store)
    assert stepped.tree == git(repo, "rev-parse", "HEAD^{tree}").strip()
    assert store.changed_paths(source.tree, stepped.tree) == [("M", "kernel/seccomp.c")]
    series = read_series(f"{repo}:HEAD~1..HEAD", store, source, Stop())
    applied = apply_series(store, source, series, None, Events(), Stop())
    assert applied.failure is None
    assert applied.tree == stepped.tree
