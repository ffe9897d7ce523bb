# SPDX-License-Identifier: GPL-2.0-or-later
"""Checkouts of kernel trees, kept in the cache between runs.

A checkout lives in a numbered slot: `N/tree` the files (no `.git` among them), `N/git` its index, `N/stamp` the tree
id, written last and removed first, `N/aim` the tree id that it is on the way to. `N.lock` is held shared by whoever
reads the files and exclusively by whoever changes them; `slots.lock` is held while a slot is chosen.

A slot that is new, or holds another source, starts as hard links to the nearest finished one (measured: 3 s instead of
15 to 45 s, and no second gigabyte): git replaces a file instead of writing into it, so the slots part file by file.
That is safe because users of a tree only read, and every use begins with a look at each file's size and time.
"""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kernels.source.git import neutralise, require, run_git
from kernels.source.store import Store
from util.children.program import Finished, run
from util.errors import MachineError
from util.events import Event, Listener, Phase
from util.files.lock import Lock, locked
from util.stop import Stop

KEEP = 4
"""Slots that are kept when nobody uses them: two variants of two comparisons. Each holds up to 1.1 GB."""
NEAR = 2000
"""Two trees that differ in no more files than this are revisions of one source."""
POLL = 0.1


@dataclass(frozen=True, slots=True)
class Slot:
    """One numbered place for a checkout."""

    folder: Path

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    @property
    def git_dir(self) -> Path:
        return self.folder / "git"

    @property
    def lock(self) -> Path:
        return self.folder.with_name(self.folder.name + ".lock")

    def note(self, name: str) -> str:
        """The content of `stamp` or `aim`; nothing if there is none."""
        try:
            return (self.folder / name).read_text(encoding="ascii").strip()
        except OSError:
            return ""

    def write(self, name: str, tree: str) -> None:
        new = self.folder / f"{name}.new"
        new.write_text(tree + "\n", encoding="ascii")
        new.replace(self.folder / name)

    def last_used(self) -> float:
        """Seconds since the epoch."""
        with suppress(OSError):
            return (self.folder / "aim").stat().st_mtime
        return 0.0


class Worktrees:
    """All slots of one store."""

    def __init__(self, store: Store, emit: Listener, stop: Stop) -> None:
        self.store, self.emit, self.stop = store, emit, stop
        self.root = store.root / "trees"

    def slots(self) -> list[Slot]:
        """Every slot, the one used longest ago first."""
        folders = [path for path in self.root.glob("*") if path.name.isdigit() and path.is_dir()]
        return sorted((Slot(path) for path in folders), key=Slot.last_used)

    def choosing(self) -> AbstractContextManager[Lock]:
        return locked(self.root / "slots.lock", self.stop)

    def acquire(self, tree: str) -> tuple[Slot, Lock]:
        """A slot that holds exactly `tree`, with a shared lock on it."""
        while True:
            self.stop.check()
            with self.choosing():
                slot, lock, exclusive = self._choose(tree)
            if lock is None:
                self.stop.wait(POLL)  # another run is filling it
                continue
            try:
                if self._ready(slot, lock, tree, exclusive):
                    return slot, lock
            except BaseException:
                lock.close()
                raise
            lock.close()

    def remove_older(self, before: float) -> list[Slot]:
        """Remove every slot that nobody uses and nobody has used since `before`; the slots that went."""
        gone = []
        with self.choosing():
            for slot in self.slots():
                lock = Lock(slot.lock)
                if slot.last_used() < before and lock.attempt():
                    self._remove(slot)
                    gone.append(slot)
                lock.close()
        return gone

    def _choose(self, tree: str) -> tuple[Slot, Lock | None, bool]:
        """(slot, lock, whether it is exclusive); no lock while somebody else fills a slot with this tree."""
        slots = self.slots()
        for slot in slots:
            if tree in (slot.note("stamp"), slot.note("aim")):
                lock = Lock(slot.lock)
                if lock.attempt(shared=True):
                    (slot.folder / "aim").touch()
                    return slot, lock, False
                lock.close()
                return slot, None, False
        slot, lock = self._free(slots, tree)
        slot.folder.mkdir(parents=True, exist_ok=True)
        slot.write("aim", tree)
        return slot, lock, True

    def _free(self, slots: list[Slot], tree: str) -> tuple[Slot, Lock]:
        """A slot that nobody uses, new or old, under an exclusive lock. Surplus slots go."""
        free: list[tuple[Slot, Lock]] = []
        if len(slots) >= KEEP:
            for slot in slots:
                lock = Lock(slot.lock)
                if lock.attempt():
                    free.append((slot, lock))
                else:
                    lock.close()
        if not free:
            numbers = {int(slot.folder.name) for slot in slots}
            slot = Slot(self.root / str(next(number for number in range(len(slots) + 1) if number not in numbers)))
            lock = Lock(slot.lock)
            lock.attempt()
            return slot, lock
        chosen = next((pair for pair in free if self._distance(pair[0], tree) <= NEAR), free[0])
        surplus = len(slots) - KEEP
        for slot, lock in free:
            if slot is not chosen[0]:
                if surplus > 0:
                    self._remove(slot)
                    surplus -= 1
                lock.close()
        return chosen

    def _distance(self, slot: Slot, tree: str) -> float:
        stamp = slot.note("stamp")
        found = self.store.run("diff-tree", "-r", "--name-only", "--no-renames", stamp, tree) if stamp else None
        return found.stdout.count(b"\n") if found and found.status == 0 else float("inf")

    def _remove(self, slot: Slot) -> None:
        (slot.folder / "stamp").unlink(missing_ok=True)
        shutil.rmtree(slot.folder, ignore_errors=True)
        slot.lock.unlink(missing_ok=True)

    def _ready(self, slot: Slot, lock: Lock, tree: str, exclusive: bool) -> bool:
        """True if `lock` is now shared and the slot holds the tree, whole and clean."""
        if not exclusive:
            if slot.note("stamp") == tree and self._clean(slot):
                return True
            if not lock.attempt():
                if slot.note("stamp") != tree:
                    return False
                raise MachineError(f"{slot.tree}: files were changed there while another run uses them")
        self._fill(slot, lock, tree)
        # The change to a shared lock is not atomic: somebody may have been in between.
        return lock.attempt(shared=True) and slot.note("stamp") == tree

    def _clean(self, slot: Slot) -> bool:
        changed = self._git(slot, "diff-files", "--quiet", "--ignore-submodules").status
        others = self._git(slot, "ls-files", "--others", "--directory", "--no-empty-directory")
        return changed == 0 and others.status == 0 and not others.stdout

    def _fill(self, slot: Slot, lock: Lock, tree: str) -> None:
        step = f"check out {tree[:12]}"
        self.emit(Event(step, Phase.START, f"into {slot.tree}"))
        far = self._distance(slot, tree) > NEAR
        (slot.folder / "stamp").unlink(missing_ok=True)
        slot.write("aim", tree)
        self._prepare(slot, lock, tree, far)
        neutralise(slot.git_dir)
        (slot.git_dir / "index.lock").unlink(missing_ok=True)
        keep = (lock.fd,)
        require(self._git(slot, "-c", "checkout.workers=0", "read-tree", "--reset", "-u", tree, keep=keep))
        require(self._git(slot, "clean", "-xffdq", keep=keep))
        if not self._clean(slot):
            raise MachineError(f"{slot.tree}: the checkout of {tree} is not clean (is the disk full?)")
        slot.write("stamp", tree)
        self.emit(Event(step, Phase.DONE))

    def _prepare(self, slot: Slot, lock: Lock, tree: str, far: bool) -> None:
        """A slot without index, or with a far tree: hard links to the nearest finished checkout, if there is one."""
        new = not (slot.git_dir / "HEAD").exists()
        donor = self._donor(slot, tree) if new or far else None
        if new or donor is not None:
            try:
                self._begin_anew(slot, lock, donor)
            finally:
                if donor is not None:
                    donor[1].close()

    def _begin_anew(self, slot: Slot, lock: Lock, donor: tuple[Slot, Lock] | None) -> None:
        shutil.rmtree(slot.git_dir, ignore_errors=True)
        run(["rm", "-rf", "--", str(slot.tree)], stop=self.stop, keep=(lock.fd,))
        new = slot.folder / "git.new"
        shutil.rmtree(new, ignore_errors=True)
        require(run_git(new, "init", "--quiet", "--bare", "--template="))
        if donor is None:
            slot.tree.mkdir()
        else:
            other, held = donor
            copied = run(["cp", "-al", "--", str(other.tree), str(slot.tree)], stop=self.stop, keep=(lock.fd, held.fd))
            if copied.status == 0:
                shutil.copy2(other.git_dir / "index", new / "index")
            else:  # a file system without hard links
                shutil.rmtree(slot.tree, ignore_errors=True)
                slot.tree.mkdir()
        new.rename(slot.git_dir)

    def _donor(self, slot: Slot, tree: str) -> tuple[Slot, Lock] | None:
        """The nearest finished slot, under a shared lock; None if none is near."""
        near = [(self._distance(other, tree), other) for other in self.slots() if other.folder != slot.folder]
        for distance, other in sorted(near, key=lambda pair: pair[0]):
            if distance > NEAR:
                return None
            held = Lock(other.lock)
            if held.attempt(shared=True) and other.note("stamp"):
                return other, held
            held.close()
        return None

    def _git(self, slot: Slot, *args: str, keep: tuple[int, ...] = ()) -> Finished:
        env = {
            "GIT_WORK_TREE": str(slot.tree),
            "GIT_OBJECT_DIRECTORY": str(self.store.git_dir / "objects"),
            "GIT_INDEX_FILE": str(slot.git_dir / "index"),
        }
        # A new hard link changes the ctime of every file; size, mtime and inode still tell.
        options = ("-c", "core.bare=false", "-c", "core.trustctime=false")
        finished = run_git(slot.git_dir, *options, *args, env=env, cwd=slot.tree, stop=self.stop, keep=keep)
        return self.store.checked(finished)


@contextmanager
def worktree(store: Store, commit: str, emit: Listener, stop: Stop) -> Iterator[Path]:
    """A complete, clean checkout of `commit`, for reading, while the block lasts. Raises MachineError, Stopped."""
    slot, lock = Worktrees(store, emit, stop).acquire(store.tree_of(commit))
    try:
        yield slot.tree
    finally:
        lock.close()
