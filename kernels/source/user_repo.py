# SPDX-License-Identifier: GPL-2.0-or-later
"""A git repository of the user's: read, never written to.

Whatever git would write goes elsewhere: objects into the store (with the user's repository as an alternate, so that
git sees both at once), the index into a scratch file, and optional refreshes are off.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernels.source.git import environment
from kernels.source.store import Store
from util.children.program import Finished, run
from util.errors import UserError
from util.events import Event, Listener, Phase
from util.stop import Stop

# Settings of the repository that would run a program, write into it, or change what a diff looks like.
_NEUTRAL = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.splitIndex=false",
    "core.untrackedCache=keep",
    "core.compression=1",
    "core.quotePath=true",
    "diff.noprefix=false",
    "diff.mnemonicPrefix=false",
    "diff.submodule=short",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
)
MAX_KNOWN = 8
"""Trees of earlier runs that a new one is told apart from; more would cost more than they save."""


@dataclass(frozen=True, slots=True)
class UserRepo:
    """`top` is the folder of the working tree (of a bare repository: itself), `git_dir` and `objects` its parts."""

    top: Path
    git_dir: Path
    objects: Path

    def git(
        self,
        *args: str,
        data: bytes | None = None,
        env: Mapping[str, str] | None = None,
        stop: Stop | None = None,
    ) -> Finished:
        """One git command in the repository, with the user's configuration but for `_NEUTRAL`."""
        return run(_argv(*args), data=data, env=environment(**(env or {})), cwd=self.top, stop=stop)

    def both(self, store: Store) -> dict[str, str]:
        """The environment in which git writes into the store and reads from it and from this repository."""
        alternates = [self.objects, *_alternates(self.objects)]
        return {
            "GIT_OBJECT_DIRECTORY": str(store.git_dir / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": ":".join(_quoted(path) for path in alternates),
        }

    def rev(self, revision: str, kind: str) -> str | None:
        """The id of the `commit` or `tree` that a revision names; None if it names none."""
        if revision.startswith("-"):
            return None
        found = self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{{kind}}}")
        lines = found.stdout.decode("ascii", "replace").split()
        return lines[-1] if found.status == 0 and lines else None

    def common(self) -> Path:
        """The folder that all working trees of this repository share."""
        shown = self.git("rev-parse", "--path-format=absolute", "--git-common-dir").stdout
        return Path(os.fsdecode(shown).removesuffix("\n")).resolve()

    def describe(self, commit: str) -> str:
        """`1234567890ab ("subject")`."""
        found = self.git("show", "-s", "--no-show-signature", '--format=%h ("%s")', "--abbrev=12", commit)
        return found.stdout.decode("utf-8", "replace").strip()


def _argv(*args: str) -> list[str]:
    settings = [*_NEUTRAL, "safe.directory=*"]  # the user named this folder; that its owner differs is no news
    return ["git", *(word for setting in settings for word in ("-c", setting)), *args]


def _quoted(path: Path) -> str:
    """For GIT_ALTERNATE_OBJECT_DIRECTORIES, whose separator may stand in a path only within quotes."""
    text = str(path)
    if not set(text) & set(':"\n\\') and not text.startswith("#"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _alternates(objects: Path) -> list[Path]:
    """The alternates of the user's own repository (git follows them by itself only five deep; we name the first)."""
    try:
        lines = (objects / "info" / "alternates").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [(objects / line).resolve() for line in lines if line and not line.startswith("#")]


def find_repo(path: Path) -> UserRepo | None:
    """The repository that `path` lies in, or is; None if there is none."""
    words = ("--is-bare-repository", "--absolute-git-dir", "--git-path", "objects")
    found = run(_argv("rev-parse", *words), env=environment(), cwd=path)
    if found.status != 0:
        return None
    bare, git_dir, objects = os.fsdecode(found.stdout).splitlines()
    top = Path(git_dir)
    if bare == "false":
        shown = run(_argv("rev-parse", "--show-toplevel"), env=environment(), cwd=path)
        if shown.status != 0:
            return None
        top = Path(os.fsdecode(shown.stdout).removesuffix("\n"))
    return UserRepo(top, Path(git_dir), (path / objects).resolve())


def bring_tree(repo: UserRepo, tree: str, store: Store, spec: str, emit: Listener, stop: Stop) -> str:
    """Copy a tree into the store, unless it is whole there, and return its commit there.

    Only what no tree of the store has is packed, so the next step of a bisection costs as much as it changes.
    """
    known = store.commit_of(tree)
    if known:
        store.touch(tree)
        return known
    step = f"import {spec}"
    emit(Event(step, Phase.START, f"tree {tree[:12]}"))
    with store.importing(stop, emit, step) as lock:
        wanted = [tree, *(f"^{old}" for old in store.whole_trees()[:MAX_KNOWN])]
        pack_objects(repo, wanted, store, ["--revs"], stop, lock.fd)
    commit = store.adopt(tree)
    emit(Event(step, Phase.DONE))
    return commit


def pack_objects(
    repo: UserRepo, wanted: Sequence[str], store: Store, options: Sequence[str], stop: Stop, keep: int
) -> None:
    """Copy objects from the repository into one pack of the store; the caller holds the import lock."""
    target = store.git_dir / "objects" / "pack" / "pack"
    argv = ["pack-objects", "--quiet", "--non-empty", "--window=0", *options, str(target)]
    data = "".join(line + "\n" for line in wanted).encode()
    done = run(_argv(*argv), data=data, env=environment(**repo.both(store)), cwd=repo.top, stop=stop, keep=(keep,))
    if done.status != 0:
        raise UserError(f"{repo.top}: git cannot read it: {done.words.splitlines()[-1] if done.words else done.status}")
