# SPDX-License-Identifier: GPL-2.0-or-later
"""The store: looking things up, whole and half trees, what a killed run left behind."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernels.source.git import run_git
from kernels.source.store import DamagedStoreError, Store
from kernels.source.worktree import worktree
from tests.faketree import Events, changed, make_repo, make_tree, resolve, write_files
from util.errors import MachineError
from util.events import Event, Phase
from util.files.lock import Lock, locked
from util.stop import Stop, Stopped


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def two_trees(store: Store, tmp_path: Path) -> tuple[str, str]:
    one = resolve(make_tree(tmp_path / "one"), store)
    two = make_tree(tmp_path / "two", files={"kernel/seccomp.c": changed(3), "kernel/new file.c": "int new;\n"})
    (two / "kernel/fork.c").unlink()
    (two / "include/asm").unlink()
    write_files(two, {"include/asm": "a file now\n"})
    return one.tree, resolve(two, store).tree


def test_changed_paths_name_every_kind_of_change(store: Store, tmp_path: Path) -> None:
    one, two = two_trees(store, tmp_path)
    assert sorted(store.changed_paths(one, two)) == [
        ("A", "kernel/new file.c"),
        ("D", "kernel/fork.c"),
        ("M", "kernel/seccomp.c"),
        ("T", "include/asm"),
    ]
    assert store.changed_paths(one, one) == []


def test_the_changes_of_many_trees_are_those_of_each(store: Store, tmp_path: Path) -> None:
    one, two = two_trees(store, tmp_path)
    three = resolve(make_tree(tmp_path / "three", files={"kernel/seccomp.c": changed(4)}), store).tree
    others = [two, one, three, two]
    assert store.changes_to(one, others) == {other: store.changed_paths(other, one) for other in others}
    assert store.changes_to(one, []) == {}


def test_trees_are_alike_at_some_paths(store: Store, tmp_path: Path) -> None:
    one, two = two_trees(store, tmp_path)
    absent = "1" * 40
    assert store.alike_at(one, [two, one, absent], ["Kconfig", "include/linux"]) == [two, one]
    assert store.alike_at(one, [two, one], ["Kconfig", "kernel/seccomp.c"]) == [one]
    assert store.alike_at(one, [two, one], ["kernel/new file.c"]) == [one]
    assert store.alike_at(one, [two, one], ["no such file"]) == [two, one]
    assert store.alike_at(one, [], ["Kconfig"]) == []


def test_path_id_and_blob(store: Store, tmp_path: Path) -> None:
    one, two = two_trees(store, tmp_path)
    assert store.path_id(one, "kernel/seccomp.c") != store.path_id(two, "kernel/seccomp.c")
    assert store.path_id(one, "Kconfig") == store.path_id(two, "Kconfig") is not None
    assert store.path_id(one, "include/linux") == store.path_id(two, "include/linux") is not None
    assert store.path_id(one, "kernel/new file.c") is None
    assert store.blob(one, "include/asm") == b"linux"
    assert store.blob(one, "kernel") is None
    assert store.blob(one, "Documentation/über.rst") == "Grüße\n".encode()


def test_equal_trees_are_one_commit_wherever_they_came_from(store: Store, tmp_path: Path) -> None:
    plain = resolve(make_tree(tmp_path / "plain"), store)
    repo = resolve(make_repo(tmp_path / "repo"), store)
    other = resolve(make_repo(tmp_path / "repo"), Store(tmp_path / "another cache"))
    assert plain.commit == repo.commit == other.commit
    assert plain.tree == repo.tree == store.tree_of(plain.commit)


def test_a_tree_is_whole_only_once_it_was_adopted(store: Store, tmp_path: Path) -> None:
    source = resolve(make_tree(tmp_path / "one"), store)
    assert store.commit_of(source.tree) == source.commit
    assert store.whole_trees() == [source.tree]
    store.git("update-ref", "-d", f"refs/rig/tree/{source.tree}")
    assert store.commit_of(source.tree) is None
    assert store.whole_trees() == []


def test_a_failing_command_is_the_machines_fault_and_says_so(store: Store) -> None:
    with pytest.raises(MachineError, match=r"git rev-parse failed.*revision"):
        store.tree_of("no-such-commit")
    assert store.git("rev-parse", "--verify", "--quiet", "nothing", check=False) == ""


def test_the_environment_of_a_git_hook_does_not_lead_astray(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = make_repo(tmp_path / "stranger")
    monkeypatch.setenv("GIT_DIR", str(stranger / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(stranger / ".git/index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(stranger))
    source = resolve(make_tree(tmp_path / "one", "6.1.5"), store)
    assert source.version == "6.1.5"
    with worktree(store, source.commit, lambda _event: None, Stop()) as path:
        assert "SUBLEVEL = 5" in (path / "Makefile").read_text()


def test_what_a_killed_import_left_is_swept_by_the_next(store: Store) -> None:
    pack = store.git_dir / "objects" / "pack"
    pack.mkdir(exist_ok=True)
    left = [pack / "tmp_pack_abc", pack / "tmp_idx_abc", pack / "pack-00ff.pack"]
    loose = store.git_dir / "objects" / "ab" / "tmp_obj_x"
    young = store.git_dir / "objects" / "ab" / "tmp_obj_y"
    loose.parent.mkdir()
    for path in [*left, loose, young]:
        path.write_bytes(b"half")
    os.utime(loose, (0, 0))
    blob = store.git("hash-object", "-w", "--stdin", input=b"x").strip()
    tree = store.git("mktree", input=f"100644 blob {blob}\tx\n".encode()).strip()
    commit = store.git("commit-tree", tree, "-m", "x").strip()
    store.git("update-ref", "refs/rig/incoming/abc", commit)
    with store.importing(Stop()):
        assert not any(path.exists() for path in [*left, loose])
        assert young.exists(), "somebody may be writing it"
        assert store.git("for-each-ref") == ""


def test_an_object_that_another_run_finishes_during_the_sweep_is_no_error(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = store.git_dir / "objects" / "cd" / "tmp_obj_x"
    written.parent.mkdir()
    written.write_bytes(b"half")
    listed = Path.glob

    def glob(folder: Path, pattern: str) -> Iterator[Path]:
        found = list(listed(folder, pattern))
        if written in found:
            written.unlink()  # as its owner renames it
        return iter(found)

    monkeypatch.setattr(Path, "glob", glob)
    with store.importing(Stop()):
        assert not written.exists()


def test_scratch_is_gone_afterwards_and_the_dead_ones_too(store: Store) -> None:
    with store.scratch() as folder:
        (folder / "file").touch()
        dead = folder.parent / "dead"
        (dead / "deep").mkdir(parents=True)
        with store.scratch() as other:
            assert folder.exists(), "its owner lives"
            assert other != folder
            assert not dead.exists()
    assert not folder.exists()
    assert not other.exists()


def test_a_lock_excludes_threads_and_ends_with_the_stop(tmp_path: Path) -> None:
    stop = Stop()
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            with locked(tmp_path / "lock", stop):
                caught.append(AssertionError("got the lock"))
        except Stopped as error:
            caught.append(error)

    with locked(tmp_path / "lock", stop):
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        stop.set()
        thread.join(5)
    assert [type(error) for error in caught] == [Stopped]


def test_shared_locks_share_and_exclude_a_writer(tmp_path: Path) -> None:
    one, two, writer = (Lock(tmp_path / "lock") for _ in range(3))
    assert one.attempt(shared=True)
    assert two.attempt(shared=True)
    assert not writer.attempt()
    one.close()
    two.close()
    assert writer.attempt()
    writer.close()


def test_two_stores_may_be_made_at_once(tmp_path: Path) -> None:
    threads = [threading.Thread(target=Store, args=(tmp_path / "cache",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Store(tmp_path / "cache").git("rev-parse", "--is-bare-repository") == "true\n"
    assert not (tmp_path / "cache" / "new.git").exists()


def packs(store: Store) -> list[Path]:
    """One pack that holds everything, as `clean` leaves it."""
    store.git("repack", "-a", "-d", "-q")
    for loose in store.git_dir.glob("objects/??/*"):
        loose.unlink()
    return sorted(store.git_dir.glob("objects/pack/*.pack"))


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x20
    path.chmod(0o644)
    path.write_bytes(content)


def seen_whole(store: Store, commit: str) -> bool:
    """Whether every object of a commit can be read."""
    return run_git(store.git_dir, "fsck", "--full", commit).status == 0


@pytest.mark.parametrize("part", [1, 3, 5, 7, 9])
def test_a_pack_that_lost_a_bit_is_noticed_and_the_store_made_again_with_a_word(tmp_path: Path, part: int) -> None:
    folder, root, events = make_tree(tmp_path / "linux"), tmp_path / "cache", Events()
    source = resolve(folder, Store(root))
    (pack,) = packs(Store(root))
    flip(pack, pack.stat().st_size * part // 10)
    assert not seen_whole(Store(root), source.commit)
    again = None
    for _run in range(2):  # what only the checkout reads is noticed there, and mended by the next run
        try:
            again = resolve(folder, Store(root), events)
            with worktree(Store(root), again.commit, events, Stop()) as tree:
                assert (tree / "Makefile").read_bytes() == (folder / "Makefile").read_bytes()
        except MachineError as error:
            events.append(Event("run", Phase.NOTE, str(error)))
    assert again and again.commit == source.commit
    assert seen_whole(Store(root), source.commit)
    (word,) = [event.text for event in events if "store.git is damaged: git says: " in event.text]
    assert "it is made again" in word and "\n" not in word
    assert not list(root.glob("damaged*"))


def test_what_is_only_not_there_is_no_damage(store: Store, tmp_path: Path) -> None:
    one, _two = two_trees(store, tmp_path)
    assert store.blob(one, "nowhere") is None and store.path_id("0" * 40, "Kconfig") is None
    with pytest.raises(MachineError) as missing:
        store.tree_of("1" * 40)
    assert not isinstance(missing.value, DamagedStoreError)
    assert not store.damage.exists()
