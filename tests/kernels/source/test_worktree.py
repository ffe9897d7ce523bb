# SPDX-License-Identifier: GPL-2.0-or-later
"""Checkouts: whole, clean, shared, few."""

import os
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from kernels.source.resolve import Source
from kernels.source.store import Store
from kernels.source.worktree import KEEP, Worktrees, worktree
from tests.faketree import Events, changed, make_tree, resolve
from util.children.program import Finished, run
from util.errors import MachineError
from util.files.lock import Lock
from util.stop import Stop, Stopped


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def revision(store: Store, tmp_path: Path, number: int) -> Source:
    folder = make_tree(
        tmp_path / f"tree {number}", files={"kernel/seccomp.c": changed(number), f"kernel/s{number}": ""}
    )
    return resolve(folder, store)


def same(left: Path, right: Path) -> bool:
    """Whether two folders hold the same files, links, modes and content."""

    def listing(top: Path) -> dict[str, tuple[int, bytes]]:
        return {str(path.relative_to(top)): (path.lstat().st_mode, content(path)) for path in top.rglob("*")}

    def content(path: Path) -> bytes:
        return os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""

    return listing(left) == listing(right)


def slots(store: Store) -> list[Path]:
    return sorted(path for path in (store.root / "trees").iterdir() if path.is_dir())


def test_a_checkout_is_the_tree_and_stays_for_the_next_run(store: Store, tmp_path: Path) -> None:
    source = revision(store, tmp_path, 1)
    events = Events()
    with worktree(store, source.commit, events, Stop()) as path:
        assert same(path, tmp_path / "tree 1")
        assert not (path / ".git").exists()
    assert events.steps() == [f"check out {source.tree[:12]}"]
    events.clear()
    with worktree(store, source.commit, events, Stop()) as again:
        assert again == path
    assert events == []


def test_a_near_tree_starts_as_hard_links_and_parts_without_harm(store: Store, tmp_path: Path) -> None:
    one, two = revision(store, tmp_path, 1), revision(store, tmp_path, 2)
    with (
        worktree(store, one.commit, Events(), Stop()) as first,
        worktree(store, two.commit, Events(), Stop()) as second,
    ):
        assert first != second
        assert same(first, tmp_path / "tree 1")
        assert same(second, tmp_path / "tree 2")
        assert (first / "Kconfig").stat().st_ino == (second / "Kconfig").stat().st_ino
        assert (first / "kernel/seccomp.c").stat().st_ino != (second / "kernel/seccomp.c").stat().st_ino


@pytest.mark.slow
def test_few_slots_are_kept_and_the_nearest_is_switched(store: Store, tmp_path: Path) -> None:
    sources = [revision(store, tmp_path, number) for number in range(1, KEEP + 4)]
    for source in sources:
        with worktree(store, source.commit, Events(), Stop()) as path:
            unchanged = (path / "Kconfig").stat().st_mtime_ns
    assert len(slots(store)) == KEEP
    with worktree(store, sources[0].commit, Events(), Stop()) as path:
        assert same(path, tmp_path / "tree 1")
        assert (path / "Kconfig").stat().st_mtime_ns == unchanged, "what does not differ is not touched"
    assert len(slots(store)) == KEEP


@pytest.mark.slow
def test_a_slot_of_another_source_takes_the_near_tree_that_is_in_use(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sources in turn: what is far is not changed file by file where a neighbour holds nearly all of it."""
    monkeypatch.setattr("kernels.source.worktree.NEAR", 5)
    others = []
    for number in range(KEEP):
        files = {f"other{number}/{name}": "" for name in range(10)}
        others.append(resolve(make_tree(tmp_path / f"other {number}", files=files), store))
    for source in others:
        with worktree(store, source.commit, Events(), Stop()):
            pass
    one, two = (revision(store, tmp_path, number) for number in (1, 2))
    with worktree(store, one.commit, Events(), Stop()) as path:
        assert len(slots(store)) == KEEP
        with worktree(store, two.commit, Events(), Stop()) as near:
            assert len(slots(store)) == KEEP
            assert same(near, tmp_path / "tree 2") and same(path, tmp_path / "tree 1")
            assert (near / "kernel/fork.c").stat().st_ino == (path / "kernel/fork.c").stat().st_ino
            assert (near / "kernel/seccomp.c").stat().st_ino != (path / "kernel/seccomp.c").stat().st_ino
    with worktree(store, two.commit, Events(), Stop()) as again:
        assert again == near


@pytest.mark.slow
def test_used_slots_are_not_taken_and_surplus_ones_go_later(store: Store, tmp_path: Path) -> None:
    sources = [revision(store, tmp_path, number) for number in range(1, KEEP + 3)]
    with ExitStack() as stack:
        paths = [stack.enter_context(worktree(store, source.commit, Events(), Stop())) for source in sources]
        assert len(set(paths)) == len(sources)
        assert all(same(path, tmp_path / f"tree {number}") for number, path in enumerate(paths, 1))
    assert len(slots(store)) == len(sources)
    with worktree(store, revision(store, tmp_path, 20).commit, Events(), Stop()):
        assert len(slots(store)) == KEEP


@pytest.mark.parametrize("harm", ["changed", "same size", "removed", "added", "added and ignored", "mode", "folder"])
def test_a_harmed_checkout_is_mended(store: Store, tmp_path: Path, harm: str) -> None:
    source = revision(store, tmp_path, 1)
    with worktree(store, source.commit, Events(), Stop()) as path:
        target = path / "kernel/fork.c"
        match harm:
            case "changed":
                target.write_text("int changed;\n")
            case "same size":
                target.write_text("int fark;\n")
            case "removed":
                target.unlink()
            case "added":
                (path / "kernel/new.c").touch()
            case "added and ignored":
                (path / "kernel/new.o").touch()
            case "mode":
                target.chmod(0o755)
            case "folder":
                target.unlink()
                (target / "deep").mkdir(parents=True)
                (target / "deep/file").touch()
    events = Events()
    with worktree(store, source.commit, events, Stop()) as path:
        assert same(path, tmp_path / "tree 1")
    assert events.steps() == [f"check out {source.tree[:12]}"]


def test_harm_done_through_a_hard_link_is_seen_on_both_sides(store: Store, tmp_path: Path) -> None:
    one, two = revision(store, tmp_path, 1), revision(store, tmp_path, 2)
    with worktree(store, one.commit, Events(), Stop()), worktree(store, two.commit, Events(), Stop()) as second:
        (second / "kernel/fork.c").write_text("int harmed;\n")
    for number, source in ((1, one), (2, two)):
        with worktree(store, source.commit, Events(), Stop()) as path:
            assert same(path, tmp_path / f"tree {number}")


def test_harm_to_a_checkout_that_another_run_uses_is_an_error(store: Store, tmp_path: Path) -> None:
    source = revision(store, tmp_path, 1)
    with worktree(store, source.commit, Events(), Stop()) as path:
        (path / "kernel/fork.c").unlink()
        with (
            pytest.raises(MachineError, match="changed there while another run uses them"),
            worktree(store, source.commit, Events(), Stop()),
        ):
            pass


def test_threads_that_want_the_same_share_one(store: Store, tmp_path: Path) -> None:
    sources = [revision(store, tmp_path, number) for number in (1, 2)]
    barrier = threading.Barrier(6)
    found: list[tuple[int, Path, bool]] = []

    def use(number: int) -> None:
        barrier.wait()
        with worktree(store, sources[number - 1].commit, Events(), Stop()) as path:
            found.append((number, path, same(path, tmp_path / f"tree {number}")))
            barrier.wait(30)

    threads = [threading.Thread(target=use, args=(number,)) for number in (1, 2) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(right for _number, _path, right in found)
    assert len({(number, path) for number, path, _right in found}) == 2
    assert len(found) == 6


def test_waiting_for_another_run_ends_with_the_stop(store: Store, tmp_path: Path) -> None:
    source = revision(store, tmp_path, 1)
    stop = Stop()
    with worktree(store, source.commit, Events(), Stop()) as path:
        pass
    lock = Lock(path.parent.with_name(path.parent.name + ".lock"))
    assert lock.attempt()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    with pytest.raises(Stopped), worktree(store, source.commit, Events(), stop):
        pass
    lock.close()
    timer.join()


def test_a_checkout_that_failed_is_not_taken_for_whole(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = revision(store, tmp_path, 1)
    with monkeypatch.context() as patch:
        patch.setattr(Worktrees, "_clean", lambda _self, _slot: False)
        with (
            pytest.raises(MachineError, match="is the disk full"),
            worktree(store, source.commit, Events(), Stop()),
        ):
            pass
    (slot,) = slots(store)
    assert not (slot / "stamp").exists()
    (slot / "tree/kernel/fork.c").write_text("half")
    with worktree(store, source.commit, Events(), Stop()) as path:
        assert same(path, tmp_path / "tree 1")


def test_where_hard_links_do_not_work_files_are_written(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = revision(store, tmp_path, 1), revision(store, tmp_path, 2)

    def no_links(_argv: list[str], stop: Stop, keep: tuple[int, ...]) -> Finished:
        return run(["false"], stop=stop, keep=keep)

    monkeypatch.setattr("kernels.source.worktree.run", no_links)
    with (
        worktree(store, one.commit, Events(), Stop()) as first,
        worktree(store, two.commit, Events(), Stop()) as second,
    ):
        assert same(second, tmp_path / "tree 2")
        assert (first / "Kconfig").stat().st_ino != (second / "Kconfig").stat().st_ino
