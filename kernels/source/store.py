# SPDX-License-Identifier: GPL-2.0-or-later
"""The bare git repository in the cache that holds every source and every applied series.

A tree is whole in the store if, and only if, `refs/rig/tree/<tree id>` exists: that ref is written last. It points to
a commit without parent whose id is a function of the tree, so that equal trees are one source wherever they came from.
"""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from kernels.source.git import own_environment, require, run_git
from util.children.program import Finished, run
from util.errors import MachineError, UserError
from util.events import Listener, silent
from util.files.atomic import move_folder, write_atomic
from util.files.disk import present
from util.files.lock import Lock, locked
from util.paths import cache
from util.stop import Stop

TREES = "refs/rig/tree/"
STALE = 3600.0
"""Seconds after which a temporary object file belongs to no running process."""

_FIELD = re.compile(rb"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)[ \t]*=[ \t]*(\S*)[ \t]*$", re.MULTILINE)

_DAMAGED = re.compile(
    rb" is corrupt\b|data stream error|[Cc]orrupt(?:ed)? (?:loose )?object|object corrupt or missing"
    rb"|file .{1,400} is too small|far too short|hash mismatch|garbage at end|unknown object type|bad pack header"
    rb"|failed to read delta|bad offset for delta|failed to apply delta|failed to unpack|unable to unpack"
    rb"|is not a GIT packfile|broken \.idx|truncated pack|non-monotonic index|wrong index v\d file size"
    rb"|does not match index"
    rb"|packfile .{1,400} (?:cannot be|is truncated)|unable to parse .{1,400} header"
    rb"|unable to read (?:tree|sha1|object)"
)
"""What git writes of damaged objects (object-file.c, packfile.c, zlib.c, tree.c of git 2.39)."""


class DamagedStoreError(MachineError):
    """An object in the store is not what was written."""


Changes = list[tuple[str, str]]
"""(status letter A, M, D or T, path) of every file in which two trees differ."""


class Trees(Protocol):
    """The part of the store that readers of trees use."""

    def changed_paths(self, tree_a: str, tree_b: str) -> Changes: ...

    def blob(self, treeish: str, path: str) -> bytes | None: ...


class Store:
    """One per cache folder; any number of processes and threads may use the same folder at once."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache("git")
        self.git_dir = self.root / "store.git"
        self.damage = self.root / "store.damaged"
        """The file that says in git's words what is damaged; the next rig makes the store again."""
        if self.damage.exists():
            self.renew()
        if not (self.git_dir / "HEAD").exists():
            self._create()

    def renew(self) -> None:
        """Throws a damaged store away and makes an empty one: every source is imported again when it is asked for."""
        with locked(self.root / "create.lock", None):
            if not self.damage.exists():
                return  # another rig has just done it
            with tempfile.TemporaryDirectory(prefix="damaged-", dir=self.root, ignore_cleanup_errors=True) as folder:
                if self.git_dir.exists():
                    move_folder(self.git_dir, Path(folder) / "store.git")
            self.damage.unlink()
        self._create()

    def _create(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        with locked(self.root / "create.lock", None):
            if (self.git_dir / "HEAD").exists():
                return
            new = self.root / "new.git"
            shutil.rmtree(new, ignore_errors=True)
            require(run(["git", "init", "--quiet", "--bare", "--template=", str(new)], env=own_environment()))
            new.rename(self.git_dir)

    # Commands

    def run(
        self,
        *args: str,
        data: bytes | None = None,
        env: Mapping[str, str] | None = None,
        stop: Stop | None = None,
        keep: Sequence[int] = (),
    ) -> Finished:
        """One git command; any exit status is a value. Raises DamagedStoreError, see `checked`."""
        return self.checked(run_git(self.git_dir, *args, data=data, env=env, stop=stop, keep=keep))

    def checked(self, finished: Finished) -> Finished:
        """A command that read objects of the store, unless git found one damaged: git compares the checksums of what it
        reads (zlib's of each object, and its own of packs and their indexes).

        Raises DamagedStoreError; the store is made again by `renew`, at the latest when the next rig starts.
        """
        lines = finished.stderr.splitlines() if finished.status else []
        told = next((line for line in lines if _DAMAGED.search(line)), None)
        if told is None:
            return finished
        raise self.damaged(told.decode("utf-8", "replace")[:300])

    def damaged(self, said: str) -> "DamagedStoreError":
        """The error for what git said, which is noted as well."""
        write_atomic(self.damage, said + "\n")
        return DamagedStoreError(f"{self.git_dir} is damaged: git says: {said}; it is made again by the next run")

    def git(self, *args: str, input: bytes | None = None, check: bool = True) -> str:  # noqa: A002
        """The standard output of one git command. Raises MachineError if it fails, unless `check` is False."""
        finished = self.run(*args, data=input)
        return os.fsdecode(require(finished) if check else finished.stdout)

    # Looking things up

    def tree_of(self, commit: str) -> str:
        """The tree id of a commit."""
        return self.git("rev-parse", "--verify", f"{commit}^{{tree}}").strip()

    def path_id(self, treeish: str, path: str) -> str | None:
        """The object id of `path` inside a tree; None if it is absent."""
        found = self.run("rev-parse", "--verify", "--quiet", f"{treeish}:{path}")
        return os.fsdecode(found.stdout).strip() if found.status == 0 else None

    def blob(self, treeish: str, path: str) -> bytes | None:
        """The content of a file inside a tree (of a symlink: its target); None if it is absent or a folder."""
        found = self.run("cat-file", "blob", f"{treeish}:{path}")
        return found.stdout if found.status == 0 else None

    def files(self, treeish: str, folder: str) -> list[str]:
        """The paths of all files below a folder of a tree; none if it is absent."""
        return self.git("ls-tree", "-r", "-z", "--name-only", treeish, "--", f"{folder}/").split("\0")[:-1]

    def changed_paths(self, tree_a: str, tree_b: str) -> Changes:
        """(status letter A, M, D or T, path) of every file that differs; a rename is a D and an A."""
        text = self.git("diff-tree", "-r", "-z", "--no-renames", "--name-status", tree_a, tree_b)
        return _changes(text)

    def changes_to(self, tree: str, others: Collection[str]) -> dict[str, Changes]:
        """`changed_paths(other, tree)` of many others, from one process of git."""
        pairs = [f"{other} {tree}\n" for other in dict.fromkeys(others)]
        text = self.git(
            "diff-tree", "--stdin", "-r", "-z", "--no-renames", "--name-status", input="".join(pairs).encode()
        )
        # git writes each pair as a line of its own, and after it the changes, each of which ends with a NUL.
        starts = [*(text.index(pair) for pair in pairs), len(text)]
        parts = (text[start + len(pair) : end] for pair, (start, end) in zip(pairs, pairwise(starts), strict=True))
        return {pair.split()[0]: _changes(part) for pair, part in zip(pairs, parts, strict=True)}

    def alike_at(self, tree: str, others: Collection[str], paths: Collection[str]) -> list[str]:
        """Those of the other trees that are in the store and have at each of the paths what `tree` has there."""
        trees = [tree, *dict.fromkeys(others)]
        asked = "".join(f"{name}\n" for item in trees for name in (item, *(f"{item}:{path}" for path in paths)))
        told = self.git("cat-file", "--batch-check=%(objectname)", input=asked.encode()).splitlines()
        ids = ["" if line.endswith(" missing") else line for line in told]
        rows = [ids[start : start + 1 + len(paths)] for start in range(0, len(ids), 1 + len(paths))]
        return [item for item, row in zip(trees[1:], rows[1:], strict=True) if row[0] and row[1:] == rows[0][1:]]

    # Whole trees

    def commit_of(self, tree: str) -> str | None:
        """The commit of a tree that is whole in the store, else None."""
        found = self.run("rev-parse", "--verify", "--quiet", TREES + tree)
        return os.fsdecode(found.stdout).strip() if found.status == 0 else None

    def whole_trees(self) -> list[str]:
        """The ids of all trees that are whole in the store, the ones used last first."""
        listing = self.git("for-each-ref", "--format=%(refname)", TREES)
        trees = [line.removeprefix(TREES) for line in listing.splitlines()]
        return sorted(trees, key=self.last_used, reverse=True)

    def adopt(self, tree: str, also: Iterable[str] = ()) -> str:
        """Declare a tree whole and return its commit; `also` are further refs to point there, all at once."""
        commit = self.git("commit-tree", tree, "-m", f"source tree {tree}").strip()
        refs = [TREES + tree, *also]
        self.git("update-ref", "--stdin", input="".join(f"update {ref} {commit}\n" for ref in refs).encode())
        self.touch(tree)
        return commit

    def touch(self, tree: str) -> None:
        """Records that a tree is used now; `clean` reads this time."""
        used = self.root / "used"
        used.mkdir(exist_ok=True)
        (used / tree).touch()

    def last_used(self, tree: str) -> float:
        """Seconds since the epoch; 0 if nobody noted it."""
        try:
            return (self.root / "used" / tree).stat().st_mtime
        except OSError:
            return 0.0

    # Writing

    @contextmanager
    def importing(self, stop: Stop | None, emit: Listener = silent, step: str = "") -> Iterator[Lock]:
        """Whoever writes a pack holds this lock; what a killed run left half-written is removed first."""
        with locked(self.root / "import.lock", stop, emit=emit, step=step) as lock:
            self._sweep()
            try:
                yield lock
            except BaseException:
                self._sweep()  # a command that failed or was stopped leaves the same behind as a killed one
                raise

    def _sweep(self) -> None:
        objects = self.git_dir / "objects"
        for path in [*objects.glob("pack/tmp_*"), *objects.glob("pack/.tmp*")]:
            path.unlink(missing_ok=True)
        # A pack without index is what a kill between the two renames leaves: git never reads it.
        for pack in objects.glob("pack/pack-*.pack"):
            if not pack.with_suffix(".idx").exists():
                pack.unlink(missing_ok=True)
        before = time.time() - STALE
        for path, info in present(objects.glob("??/tmp_obj_*")):  # git of another run ends one at any moment
            if info.st_mtime < before:
                path.unlink(missing_ok=True)
        for name in self.git("for-each-ref", "--format=%(refname)", "refs/rig/incoming/").splitlines():
            self.git("update-ref", "-d", name)
        for lock in self.git_dir.glob("refs/rig/incoming/*.lock"):
            lock.unlink(missing_ok=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder for one operation, gone afterwards. What a killed run left is removed by the next one."""
        top = self.root / "scratch"
        with locked(self.root / "scratch.lock", None):
            for old in top.glob("*"):
                _remove_unless_locked(old)
            top.mkdir(exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=top))
            lock = Lock(folder)
            lock.attempt()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.close()


def _changes(text: str) -> Changes:
    """What `diff-tree -z --name-status` says of two trees."""
    words = text.split("\0")[:-1]
    return list(zip(words[0::2], words[1::2], strict=True))


def _remove_unless_locked(folder: Path) -> None:
    try:
        lock = Lock(folder)
    except FileNotFoundError:
        return  # its owner has just finished
    try:
        if lock.attempt():
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock.close()


def version_of(makefile: bytes) -> str | None:
    """The version that a kernel's top Makefile states (`5.10.262`, `6.12.0-rc1`); None if it states none."""
    found: list[tuple[bytes, bytes]] = _FIELD.findall(makefile)
    fields = {name.decode(): value.decode("ascii", "replace") for name, value in reversed(found)}
    if not fields.get("VERSION", "").isdigit() or not fields.get("PATCHLEVEL", "").isdigit():
        return None
    numbers = [fields["VERSION"], fields["PATCHLEVEL"], *filter(None, [fields.get("SUBLEVEL", "")])]
    return ".".join(numbers) + fields.get("EXTRAVERSION", "")


def require_kernel(store: Store, tree: str, spec: str) -> str:
    """The version of the kernel in `tree`. Raises UserError if it is no kernel tree."""
    version = version_of(store.blob(tree, "Makefile") or b"")
    if version is None or store.path_id(tree, "Kconfig") is None:
        raise UserError(f"{spec}: is not a kernel tree (no Makefile with VERSION and PATCHLEVEL, or no Kconfig)")
    return version


def changed_tree(store: Store, tree: str, files: Mapping[str, str]) -> tuple[str, str]:
    """(commit, tree) of `tree` with these texts in place of what its files hold. The files are there already."""
    with store.scratch() as folder:
        env = {"GIT_INDEX_FILE": str(folder / "index")}
        require(store.run("read-tree", tree, env=env))
        for path, text in files.items():
            data = text.encode("utf-8", "surrogateescape")
            blob = require(store.run("hash-object", "-w", "--stdin", data=data)).decode().strip()
            require(store.run("update-index", "--cacheinfo", f"100644,{blob},{path}", env=env))
        made = require(store.run("write-tree", env=env)).decode().strip()
    commit = store.git("commit-tree", made, "-m", "a series with changes of the rig").strip()
    return commit, made
