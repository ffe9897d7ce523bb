# SPDX-License-Identifier: GPL-2.0-or-later
"""What the cache holds, and that cleaning takes the old and leaves the rest working."""

import os
from pathlib import Path

import pytest

from kernels.patches.apply import apply_series
from kernels.patches.series import read_series
from kernels.source.housekeeping import remove_older, usage
from kernels.source.store import Store
from kernels.source.worktree import worktree
from tests.faketree import Events, make_tree, resolve
from tests.kernels.mailkit import write_series
from util.stop import Stop

DAY = 86400.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def age(store: Store, tree: str, seconds: float) -> None:
    path = store.root / "used" / tree
    when = path.stat().st_mtime - seconds
    os.utime(path, (when, when))


def test_usage_names_what_is_there(store: Store, tmp_path: Path) -> None:
    source = resolve(make_tree(tmp_path / "old", "5.10.7"), store)
    resolve(make_tree(tmp_path / "new", "6.1.2"), store)
    with worktree(store, source.commit, Events(), Stop()):
        pass
    found = {name: (size, used) for name, size, used in usage(store)}
    assert f"checkout of 5.10.7 ({source.tree[:12]})" in found
    assert "git store: 5.10.7, 6.1.2" in found
    assert all(size > 0 and used > 1.7e9 for size, used in found.values())


@pytest.mark.slow
def test_the_old_goes_and_the_new_stays(store: Store, tmp_path: Path) -> None:
    old, new = (resolve(make_tree(tmp_path / name, name), store) for name in ("5.10.7", "6.1.2"))
    for source in (old, new):
        with worktree(store, source.commit, Events(), Stop()) as path:
            if source is old:
                aim = path.parent / "aim"
    os.utime(aim, (0, 0))
    age(store, old.tree, 10 * DAY)
    assert remove_older(store, 5 * DAY, Events(), Stop()) > 0
    assert store.whole_trees() == [new.tree]
    assert store.run("rev-list", "--objects", new.tree).status == 0
    assert len([path for path in (store.root / "trees").iterdir() if path.is_dir()]) == 1
    assert resolve(tmp_path / "5.10.7", store) == old, "it comes back whole"
    with worktree(store, old.commit, Events(), Stop()) as path:
        assert "PATCHLEVEL = 10" in (path / "Makefile").read_text()


def test_what_is_in_use_is_never_removed(store: Store, tmp_path: Path) -> None:
    source = resolve(make_tree(tmp_path / "linux"), store)
    with worktree(store, source.commit, Events(), Stop()) as path:
        remove_older(store, 0, Events(), Stop())
        assert (path / "Makefile").exists()
        assert store.commit_of(source.tree) == source.commit
    remove_older(store, 0, Events(), Stop())
    assert not path.exists()
    assert store.whole_trees() == []


@pytest.mark.slow
def test_applied_series_go_with_their_age(store: Store, tmp_path: Path) -> None:
    repo = write_series(tmp_path / "linux")
    source = resolve(f"git:{repo}@start", store)
    series = read_series(f"{repo}:start..main", store, None, Stop())
    applied = apply_series(store, source, series, None, Events(), Stop())
    age(store, applied.tree, 10 * DAY)
    assert apply_series(store, source, series, None, Events(), Stop()) == applied, "used again just now"
    remove_older(store, 5 * DAY, Events(), Stop())
    assert store.git("for-each-ref", "refs/rig/applied") != ""
    age(store, applied.tree, 10 * DAY)
    remove_older(store, 5 * DAY, Events(), Stop())
    assert store.git("for-each-ref", "refs/rig/applied") == ""
    assert apply_series(store, source, series, None, Events(), Stop()) == applied


def test_downloads_that_were_never_imported_go(store: Store) -> None:
    for name in ("debian/x.deb", "archives/x.download"):
        (store.root / name).parent.mkdir(exist_ok=True)
        (store.root / name).write_bytes(b"x" * 10000)
    assert "package lists and downloads" in {name for name, _size, _used in usage(store)}
    assert remove_older(store, DAY, Events(), Stop()) == 0
    assert remove_older(store, -1, Events(), Stop()) >= 20000
