# SPDX-License-Identifier: GPL-2.0-or-later
"""The disk use of sources, series and checkouts in the cache, and how it is freed."""

import stat
import time

from kernels.source.git import require
from kernels.source.store import TREES, Store, version_of
from kernels.source.worktree import Slot, Worktrees
from util.events import Event, Listener, Phase
from util.files.disk import below, disk_use, present
from util.stop import Stop

GRACE = "1.day.ago"
"""Objects younger than this stay even if nothing refers to them: another run may be about to."""


def usage(store: Store) -> list[tuple[str, int, float]]:
    """(what, bytes on the disk, seconds since the epoch of its last use), the largest first."""
    entries = [_checkout(store, slot) for slot in _worktrees(store, Stop()).slots()]
    names = ", ".join(_sources(store)) or "no source"
    last = max((store.last_used(tree) for tree in store.whole_trees()), default=0.0)
    entries.append((f"git store: {names}", disk_use(store.git_dir), last))
    downloads = [store.root / "debian", store.root / "archives"]
    times = [info.st_mtime for folder in downloads for _, info in below(folder)]
    if times:
        entries.append(("package lists and downloads", sum(map(disk_use, downloads)), max(times)))
    return sorted(entries, key=lambda entry: entry[1], reverse=True)


def remove_older(store: Store, seconds: float, emit: Listener, stop: Stop) -> int:
    """Removes what is not in use and was not used for so many seconds (0: everything not in use); the bytes freed."""
    step, before = "clean sources", time.time() - seconds
    emit(Event(step, Phase.START))
    held = sum(entry[1] for entry in usage(store))
    _worktrees(store, stop, emit).remove_older(before)
    with store.importing(stop, emit, step) as lock:
        if _forget(store, before):
            repack = ("repack", "-A", "-d", "-q", "--window=0", f"--unpack-unreachable={GRACE}")
            require(store.run(*repack, stop=stop, keep=(lock.fd,)))
            require(store.run("prune", f"--expire={GRACE}", stop=stop, keep=(lock.fd,)))
        _remove_downloads(store, before)
    freed = max(0, held - sum(entry[1] for entry in usage(store)))
    emit(Event(step, Phase.DONE, f"{freed >> 20} MiB"))
    return freed


def _worktrees(store: Store, stop: Stop, emit: Listener = lambda _event: None) -> Worktrees:
    return Worktrees(store, emit, stop)


def _checkout(store: Store, slot: Slot) -> tuple[str, int, float]:
    tree = slot.note("stamp")
    version = version_of(store.blob(tree, "Makefile") or b"") if tree else None
    return f"checkout of {version or 'nothing'} ({tree[:12]})", disk_use(slot.folder), slot.last_used()


def _sources(store: Store) -> list[str]:
    """The kernel versions in the store, sorted."""
    versions = {version_of(store.blob(tree, "Makefile") or b"") or tree[:12] for tree in store.whole_trees()}
    return sorted(versions)


def _forget(store: Store, before: float) -> int:
    """Delete the refs of all trees that no checkout holds and nobody has used since; how many refs went."""
    used = {slot.note("stamp") for slot in _worktrees(store, Stop()).slots()}
    listing = store.git("for-each-ref", "--format=%(refname) %(tree)", "refs/rig/").splitlines()
    gone = []
    for line in listing:
        name, tree = line.rsplit(" ", 1)
        if tree not in used and store.last_used(tree) < before:
            gone.append(name)
    # The ref that says `whole` goes first: what is deleted half-way is not there at all.
    gone.sort(key=lambda name: not name.startswith(TREES))
    store.git("update-ref", "--stdin", input="".join(f"delete {name}\n" for name in gone).encode())
    for path, info in below(store.root / "used"):
        if info.st_mtime < before:
            path.unlink(missing_ok=True)
    return len(gone)


def _remove_downloads(store: Store, before: float) -> None:
    """Packages and archives that were fetched and never imported, and package lists."""
    for pattern in ("debian/*.deb", "archives/*.download", "archives/*.partial", "debian/apt/*/state/lists/*"):
        for path, info in present(store.root.glob(pattern)):
            if stat.S_ISREG(info.st_mode) and info.st_mtime < before:
                path.unlink(missing_ok=True)
