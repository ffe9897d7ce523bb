# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder as a source: a git working tree with what is not committed yet, or plain files."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from kernels.source.git import run_git
from kernels.source.store import Store, version_of
from kernels.source.user_repo import UserRepo, bring_tree, find_repo
from util.children.program import Finished
from util.errors import MachineError, UserError
from util.events import Event, Listener, Phase
from util.stop import Stop


def resolve_folder(
    folder: Path, store: Store, emit: Listener, stop: Stop, leave_out: Sequence[Path]
) -> tuple[str, str]:
    """(title, commit). Raises UserError if it is no kernel tree.

    In a git working tree everything tracked is part of the source as it lies there, ignored or not, and so is what is
    neither tracked nor ignored; a plain folder is taken whole.
    """
    folder = folder.resolve()
    makefile = folder / "Makefile"
    if not makefile.is_file() or version_of(makefile.read_bytes()) is None or not (folder / "Kconfig").is_file():
        raise UserError(f"{folder}: is not a kernel tree (no Makefile with VERSION and PATCHLEVEL, or no Kconfig)")
    repo = find_repo(folder)
    inside = [path.resolve() for path in leave_out if path.resolve().is_relative_to(folder)]
    if repo is None or repo.git("ls-files", "--error-unmatch", "--", str(makefile)).status != 0:
        return str(folder), _plain(folder, store, emit, stop, inside)
    tree, dirty = _snapshot(repo, folder, store, stop, inside)
    head = repo.rev("HEAD", "commit")
    title = f"{folder} at {repo.describe(head)}" if head else str(folder)
    return title + (", with changes" if dirty else ""), bring_tree(repo, tree, store, str(folder), emit, stop)


def _snapshot(repo: UserRepo, folder: Path, store: Store, stop: Stop, leave_out: Sequence[Path]) -> tuple[str, bool]:
    """(tree, whether it differs from HEAD's). The user's index is copied with its time stamp, so that git re-reads only
    what changed since, and what may have changed within the index's own second."""
    unmerged = repo.git("ls-files", "--unmerged", "-z").stdout
    if unmerged:
        name = os.fsdecode(unmerged.split(b"\0")[0].partition(b"\t")[2])
        raise UserError(f"{folder}: has unmerged files ({name}); finish the merge first")
    with store.scratch() as scratch:
        index = scratch / "index"
        shown = repo.git("rev-parse", "--git-path", "index").stdout
        own = repo.top / os.fsdecode(shown).removesuffix("\n")
        if own.exists():
            shutil.copy2(own, index)
        env = repo.both(store) | {"GIT_INDEX_FILE": str(index)}
        specs = [str(folder), *(f":(exclude,literal){path}" for path in leave_out)]
        _must(repo.git("add", "--all", "--", *specs, env=env, stop=stop), folder)
        links = _submodules(repo, env)
        if links:
            _must(repo.git("update-index", "--force-remove", "-z", "--stdin", data=links, env=env), folder)
        prefix = "" if folder == repo.top else f"{folder.relative_to(repo.top)}/"
        tree = _must(repo.git("write-tree", f"--prefix={prefix}", env=env, stop=stop), folder).decode().strip()
    committed = repo.git("rev-parse", "--verify", "--quiet", f"HEAD:{prefix}" if prefix else "HEAD^{tree}").stdout
    return tree, tree != committed.decode().strip()


def _submodules(repo: UserRepo, env: dict[str, str]) -> bytes:
    """The paths of nested repositories, NUL-terminated: `git add` enters them as links to commits that we lack."""
    records = repo.git("ls-files", "--stage", "-z", env=env).stdout.split(b"\0")
    return b"".join(r.partition(b"\t")[2] + b"\0" for r in records if r.startswith(b"160000 "))


def _must(finished: Finished, folder: Path) -> bytes:
    if finished.status != 0:
        words = finished.words.splitlines()
        raise MachineError(f"{folder}: git cannot read it: {words[-1] if words else finished.status}")
    return finished.stdout


def _plain(folder: Path, store: Store, emit: Listener, stop: Stop, leave_out: Sequence[Path]) -> str:
    """The commit of a folder that git does not manage. Its index is kept, so that only the first time reads it all."""
    step = f"import {folder}"
    emit(Event(step, Phase.START))
    with store.scratch() as scratch:
        env = {"GIT_WORK_TREE": str(folder), "GIT_INDEX_FILE": str(scratch / "index")}
        specs = [".", *(f":(exclude,literal){path.relative_to(folder)}" for path in leave_out)]
        options = ("-c", "core.bare=false")
        with store.importing(stop, emit, step) as lock:
            added = run_git(
                store.git_dir, *options, "add", "--all", "--force", "--", *specs,
                env=env, cwd=folder, stop=stop, keep=(lock.fd,),
            )  # fmt: skip
            _must(added, folder)
            tree = _must(run_git(store.git_dir, "write-tree", env=env), folder).decode().strip()
            commit = store.commit_of(tree) or store.adopt(tree)
    emit(Event(step, Phase.DONE))
    return commit
