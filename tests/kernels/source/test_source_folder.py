# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders and git revisions as sources: what is part of them, and that the user's repository is never written to."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kernels.source.resolve import resolve_source
from kernels.source.store import Store, version_of
from tests.faketree import MAKEFILE, Events, changed, commit, git, make_repo, make_tree, resolve, write_files
from util.errors import MachineError, UserError
from util.events import Phase
from util.stop import Stop


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repo(tmp_path / "linux")


def fingerprint(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file below a folder with size, mtime and content; of git's objects no mtime, for git renews it whenever
    it meets content that it has."""
    return {str(path.relative_to(folder)): _state(path) for path in sorted(folder.rglob("*"))}


def _state(path: Path) -> tuple[int, int, bytes]:
    content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
    return path.lstat().st_size, 0 if "objects" in path.parts else path.lstat().st_mtime_ns, content


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (MAKEFILE.format(5, 10, 262, ""), "5.10.262"),
        (MAKEFILE.format(6, 12, 0, " -rc1"), "6.12.0-rc1"),
        ("VERSION = 7\nPATCHLEVEL = 2\n", "7.2"),
        ("VERSION=6\nPATCHLEVEL=1\nSUBLEVEL=\nEXTRAVERSION=\n", "6.1"),
        ("VERSION = 5\nPATCHLEVEL = 4\nSUBLEVEL = 0\nother:\n\tVERSION = 9\n", "5.4.0"),
        ("VERSION = 1.2\n", None),
        ("all:\n\techo VERSION = 5\n", None),
        ("", None),
    ],
)
def test_version(text: str, version: str | None) -> None:
    assert version_of(text.encode()) == version


def test_a_clean_working_tree_is_its_commit(store: Store, repo: Path) -> None:
    before = fingerprint(repo)
    source = resolve(repo, store)
    assert source.tree == git(repo, "rev-parse", "HEAD^{tree}").strip()
    assert source.version == "5.10.7"
    assert git(repo, "rev-parse", "--short=12", "HEAD").strip() in source.title
    assert "changes" not in source.title
    assert fingerprint(repo) == before


def test_what_is_not_committed_is_part_of_the_source(store: Store, repo: Path) -> None:
    write_files(repo, {"kernel/tracked.o": "ignored, yet tracked\n"})
    git(repo, "add", "--force", "kernel/tracked.o")
    commit(repo, "fake: add an object")
    write_files(
        repo,
        {
            "kernel/seccomp.c": changed(5),
            "kernel/staged.c": "int staged;\n",
            "kernel/untracked.c": "int untracked;\n",
            "kernel/ignored.o": "left out",
            "kernel/tracked.o": "changed though ignored\n",
            "vmlinux": "left out",
        },
    )
    git(repo, "add", "kernel/staged.c")
    (repo / "kernel/fork.c").unlink()
    before = fingerprint(repo)
    source = resolve(repo, store)
    head = git(repo, "rev-parse", "HEAD^{tree}").strip()
    assert source.title.endswith(", with changes")
    assert fingerprint(repo) == before, "the user's repository was written to"
    shutil.rmtree(repo)  # the store must not need it any more
    resolve(make_repo(repo), store)
    assert store.blob(source.tree, "kernel/tracked.o") == b"changed though ignored\n"
    assert [store.path_id(source.tree, f"kernel/{name}") for name in ("fork.c", "ignored.o")] == [None, None]
    assert store.path_id(source.tree, "vmlinux") is None
    assert {store.blob(source.tree, f"kernel/{name}.c") for name in ("seccomp", "staged", "untracked")} == {
        changed(5).encode(),
        b"int staged;\n",
        b"int untracked;\n",
    }
    assert source.tree != head
    assert store.run("fsck", "--connectivity-only").status == 0


def test_a_change_of_the_same_size_in_the_indexs_own_second_is_seen(store: Store, repo: Path) -> None:
    """git calls it racy: nothing that stat(2) shows differs, and only the index's time says that it has to look."""
    then = 1_500_000_000
    file = repo / "kernel/fork.c"
    git(repo, "config", "core.trustctime", "false")
    os.utime(file, (then, then))
    git(repo, "update-index", "--refresh")
    os.utime(repo / ".git/index", (then, then))
    assert "changes" not in resolve(repo, store).title
    file.write_text("int fark;\n")
    os.utime(file, (then, then))
    assert store.blob(resolve(repo, store).tree, "kernel/fork.c") == b"int fark;\n"


def test_links_modes_and_names_survive(store: Store, repo: Path) -> None:
    tree = resolve(repo, store).tree
    listing = store.git("ls-tree", "-r", "-z", tree)
    assert "120000 blob" in listing
    assert "Documentation/über.rst" in listing
    (mode,) = (line.split()[0] for line in listing.split("\0") if line.endswith("scripts/build.sh"))
    assert mode == "100755"
    (repo / "scripts/build.sh").chmod(0o644)
    assert resolve(repo, store).tree != tree


def test_only_what_is_new_is_packed(store: Store, repo: Path) -> None:
    resolve(repo, store)
    packs = set((store.git_dir / "objects/pack").glob("*.idx"))
    commit(repo, "fake: next", {"kernel/seccomp.c": changed(7)})
    events = Events()
    source = resolve(repo, store, events)
    (new,) = set((store.git_dir / "objects/pack").glob("*.idx")) - packs
    objects = store.git("verify-pack", "-v", str(new)).splitlines()
    kinds = [line.split()[1] for line in objects if len(line.split()) >= 5 and len(line.split()[0]) == 40]
    assert sorted(kinds) == ["blob", "tree", "tree"], "the file, its folder and the top"
    assert events.steps() == [f"import {repo}"]
    events.clear()
    assert resolve(repo, store, events) == source
    assert events == []


def test_leave_out_keeps_the_rigs_own_output_out(store: Store, repo: Path) -> None:
    clean = resolve(repo, store)
    write_files(repo, {"results/report.json": "{}", "other/file": "x"})
    both = resolve(repo, store)
    one = resolve_source(str(repo), store, Events(), Stop(), leave_out=(repo / "results", Path("/elsewhere")))
    none = resolve_source(str(repo), store, Events(), Stop(), leave_out=(repo / "results", repo / "other"))
    assert store.path_id(both.tree, "results") is not None
    assert store.path_id(one.tree, "results") is None
    assert store.path_id(one.tree, "other/file") is not None
    assert none.tree == clean.tree


def test_a_repository_inside_the_tree_is_no_part_of_it(store: Store, repo: Path) -> None:
    clean = resolve(repo, store)
    nested = repo / "rig"
    nested.mkdir()
    git(nested, "init", "--quiet")
    commit(nested, "other", {"file": "x"})
    assert resolve(repo, store).tree == clean.tree


def test_a_linked_worktree_and_a_subfolder_of_a_larger_repository(store: Store, repo: Path, tmp_path: Path) -> None:
    git(repo, "worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    (tmp_path / "linked/kernel/fork.c").write_text("int linked;\n")
    assert store.blob(resolve(tmp_path / "linked", store).tree, "kernel/fork.c") == b"int linked;\n"

    outer = tmp_path / "outer"
    make_tree(outer / "src/linux")
    write_files(outer, {"README": "a product\n"})
    git(outer, "init", "--quiet")
    commit(outer, "start")
    inner = resolve(outer / "src/linux", store)
    assert inner.tree == git(outer, "rev-parse", "HEAD:src/linux").strip()
    assert "changes" not in inner.title
    (outer / "src/linux/kernel/fork.c").write_text("int x;\n")
    assert resolve(outer / "src/linux", store).title.endswith(", with changes")


def test_a_plain_folder_inside_a_strangers_repository_is_plain(store: Store, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "home")
    commit(tmp_path / "home", "dotfiles", {".gitignore": "*\n"})
    folder = make_tree(tmp_path / "home/linux")
    (folder / "kernel/all.o").write_text("part of it: no git says what is not\n")
    source = resolve(folder, store)
    assert store.path_id(source.tree, "kernel/all.o") is not None
    assert store.path_id(source.tree, "kernel/seccomp.c") is not None


def test_a_path_with_a_colon_quotes_and_blanks(store: Store, tmp_path: Path) -> None:
    repo = make_repo(tmp_path / 'li"nux: 5 \\ tree')
    (repo / "kernel/fork.c").write_text("int odd;\n")
    source = resolve(repo, store)
    assert store.blob(source.tree, "kernel/fork.c") == b"int odd;\n"
    assert store.path_id(source.tree, "Kconfig") is not None


def test_a_clone_that_borrows_objects(store: Store, repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--shared", str(repo), "borrower")
    source = resolve(tmp_path / "borrower", store)
    assert source.tree == git(repo, "rev-parse", "HEAD^{tree}").strip()
    assert store.run("rev-list", "--objects", source.tree).status == 0


@pytest.mark.parametrize("missing", ["Makefile", "Kconfig", "version"])
def test_what_is_no_kernel_tree_is_refused(store: Store, tmp_path: Path, missing: str) -> None:
    folder = make_tree(tmp_path / "linux")
    if missing == "version":
        (folder / "Makefile").write_text("all:\n")
    else:
        (folder / missing).unlink()
    with pytest.raises(UserError, match="is not a kernel tree"):
        resolve(folder, store)
    assert store.whole_trees() == []


def test_what_is_no_source_at_all_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder; a source is"):
        resolve(tmp_path / "nothing", store)


@pytest.mark.parametrize("what", ["HEAD:kernel/seccomp.c", "HEAD:kernel", "HEAD:Kconfig"])
def test_a_repository_with_a_hole_is_refused(store: Store, repo: Path, what: str) -> None:
    missing = git(repo, "rev-parse", what).strip()
    (repo / ".git/objects" / missing[:2] / missing[2:]).unlink()
    with pytest.raises(UserError, match="git cannot read it: fatal: .*" + missing):
        resolve(f"git:{repo}@HEAD", store)
    assert store.whole_trees() == []
    assert list((store.git_dir / "objects/pack").glob("*")) == []


def test_a_full_disk_is_the_machines_fault(store: Store, repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_source: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device", "index")

    monkeypatch.setattr("kernels.source.kinds.folder.shutil.copy2", full)
    with pytest.raises(MachineError, match="No space left on device: index"):
        resolve(repo, store)


def test_a_half_finished_merge_is_refused(store: Store, repo: Path) -> None:
    git(repo, "checkout", "--quiet", "-b", "side")
    commit(repo, "side", {"kernel/fork.c": "int side;\n"})
    git(repo, "checkout", "--quiet", "main")
    commit(repo, "main", {"kernel/fork.c": "int main;\n"})
    with pytest.raises(subprocess.CalledProcessError):
        git(repo, "merge", "side")
    with pytest.raises(UserError, match=r"unmerged files \(kernel/fork.c\)"):
        resolve(repo, store)


def test_git_revisions(store: Store, repo: Path) -> None:
    old = git(repo, "rev-parse", "HEAD^{tree}").strip()
    git(repo, "tag", "-a", "v5.10", "-m", "tag")
    commit(repo, "fake: next", {"kernel/seccomp.c": changed(7)})
    new = git(repo, "rev-parse", "HEAD^{tree}").strip()
    (repo / "kernel/fork.c").write_text("not committed\n")
    for spec, tree in {"main": new, "HEAD~1": old, "v5.10": old, "main@{0}": new, "HEAD@{1}": old}.items():
        source = resolve(f"git:{repo}@{spec}", store)
        assert source.tree == tree, spec
    assert "fake: start" in resolve(f"git:{repo}@v5.10", store).title


def test_a_bare_repository(store: Store, repo: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(repo), "bare.git")
    assert resolve(f"git:{tmp_path / 'bare.git'}@main", store).version == "5.10.7"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("git:{repo}@nothing", "has no revision `nothing`"),
        ("git:{repo}", "must be git:PATH@REV"),
        ("git:{repo}@", "must be git:PATH@REV"),
        ("git:{repo}@--output=x", "must be git:PATH@REV"),
        ("git:{repo}/kernel/nothing@HEAD", "neither a folder nor a URL"),
        ("git:{cache}@HEAD", "is not a git repository"),
    ],
)
def test_bad_git_specs(store: Store, repo: Path, tmp_path: Path, spec: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        resolve(spec.format(repo=repo, cache=tmp_path), store)


def test_a_remote_repository(store: Store, repo: Path) -> None:
    url = f"file://{repo}"
    events = Events()
    source = resolve(f"git:{url}@main", store, events)
    assert source.tree == git(repo, "rev-parse", "HEAD^{tree}").strip()
    assert events.steps() == [f"fetch {url}"]
    events.clear()
    commit(repo, "fake: next", {"kernel/seccomp.c": changed(7)})
    assert resolve(f"git:{url}@main", store, events) == source, "remembered for a day"
    assert events == []
    fresh = resolve_source(f"git:{url}@main", store, events, Stop(), refresh=True)
    assert fresh.tree == git(repo, "rev-parse", "HEAD^{tree}").strip()
    repo.rename(repo.with_name("gone"))
    offline = resolve_source(f"git:{url}@main", store, events, Stop(), refresh=True)
    assert offline == fresh
    assert any("goes on with what an earlier run fetched" in text for text in events.texts(Phase.NOTE))
    with pytest.raises(MachineError):
        resolve(f"git:{url}@other", store)


def test_a_commit_of_a_remote_repository_by_its_id(store: Store, repo: Path) -> None:
    old = git(repo, "rev-parse", "HEAD").strip()
    commit(repo, "fake: next", {"kernel/seccomp.c": changed(7)})
    assert resolve(f"git:file://{repo}@{old}", store).tree == git(repo, "rev-parse", "HEAD~1^{tree}").strip()
    with pytest.raises(UserError, match="has no revision `nothing`"):
        resolve(f"git:file://{repo}@nothing", store)
    assert store.git("for-each-ref", "refs/got", "refs/heads") == ""


@pytest.mark.slow
def test_ten_steps_of_a_bisection_stay_whole(store: Store, repo: Path) -> None:
    for number in range(1, 11):
        commit(repo, f"fake: step {number}", {"kernel/seccomp.c": changed(number), f"kernel/s{number}.c": "\n"})
    trees = []
    for step in (0, 9, 5, 7, 6, 2, 3, 8, 1, 4):
        git(repo, "checkout", "--quiet", f"main~{step}")
        trees.append(resolve(repo, store).tree)
        assert trees[-1] == git(repo, "rev-parse", "HEAD^{tree}").strip()
    shutil.rmtree(repo)
    for tree in trees:
        assert store.run("rev-list", "--objects", tree).status == 0
