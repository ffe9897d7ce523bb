# SPDX-License-Identifier: GPL-2.0-or-later
"""The finished builds in the cache: `builds/<key>/`, each with a manifest, its outputs, log and perhaps its objects.

    builds/<key>/manifest.json      what was built, with what, and what came out; written last but the renaming
    builds/<key>/digests.json       what the manifest and the outputs must be, down to the bit
    builds/<key>/{config,log,...}   the outputs; `objects/` is the output folder, to start the next build from
    builds/<key>/objects.sha256     the digest of `objects/`, looked at before a build starts from them
    requests/<key>                  a line with the build's key and whether it is there, by request
    work/<key>/                     a build that is not finished

A build folder is made under `work/` and renamed, so what stands under `builds/` is whole.
"""

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from kernels.build.store.manifest import DIGESTS, MANIFEST, Manifest, damage, digests, read_manifest
from kernels.build.store.objects import OBJECTS, OBJECTS_DIGEST, KeptObjects, seal_objects
from util.events import Event, Listener, Phase, silent
from util.files.atomic import discard, move_folder, remove_tree, write_atomic
from util.files.disk import disk_use
from util.files.lock import Lock, locked
from util.files.seal import forget
from util.paths import cache
from util.stop import Stop

_KEY = re.compile(r"[0-9a-f]{40}")

ABANDONED = 86400.0
"""Seconds after which an unfinished build is not taken up again: its series or fragments were changed meanwhile."""


class BuildStore:
    """The builds under one folder of the cache, safe for several rigs at once."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache("kernels")
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)  # a build may leave anything here, also programs with odd permissions
        for name in ("builds", "requests", "work", "locks"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        self.objects = KeptObjects(self.folder, self.root / "work")

    def folder(self, key: str) -> Path:
        return self.root / "builds" / key

    def work(self, key: str) -> Path:
        return self.root / "work" / key

    def alive_file(self, key: str) -> Path:
        """The file on which every process of an unfinished build holds a lock, by inheritance."""
        return self.root / "locks" / f"{key}.alive"

    @contextlib.contextmanager
    def locked(self, key: str, stop: Stop) -> Iterator[None]:
        """Holds the lock of one key; another rig that makes the same build is waited for."""
        with locked(self._lock_file(key), stop):
            yield

    def _lock_file(self, key: str) -> Path:
        return self.root / "locks" / f"{key}.lock"

    def requested(self, request_key: str, emit: Listener = silent) -> Manifest | None:
        """The finished build of a request, None where it was never made or is no longer whole; see `load`."""
        try:
            key = (self.root / "requests" / request_key).read_text(encoding="ascii").strip()
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        return self.load(key, emit) if _KEY.fullmatch(key) else None

    def answer(self, request_key: str, key: str) -> None:
        """Remembers that the request yields the build `key`."""
        path = self.root / "requests" / request_key
        temporary = path.with_name(f"{request_key}.{os.getpid()}")
        temporary.write_text(key + "\n")
        temporary.replace(path)

    def load(self, key: str, emit: Listener = silent) -> Manifest | None:
        """The manifest of a build whose outputs are what was written; marks it as used now.

        One that is damaged is thrown away, with a word, so that it is made again.
        """
        folder = self.folder(key)
        manifest = read_manifest(folder)
        problem = damage(folder, manifest) if manifest else "manifest.json" if folder.is_dir() else ""
        if problem:
            text = f"{folder / problem} is damaged: it has no digest, or another one; the build is made again"
            emit(Event("builds", Phase.NOTE, text))
            forget(folder)
            discard(folder, self.root / "work")
            return None
        with contextlib.suppress(OSError):
            os.utime(folder)
        return manifest

    def all(self) -> list[Manifest]:
        """Every finished build, the last used first."""
        folders = sorted((self.root / "builds").iterdir(), key=_last_use, reverse=True)
        return [manifest for folder in folders if (manifest := read_manifest(folder)) is not None]

    def adopt(self, made: Path, manifest: Manifest) -> None:
        """Moves a finished build folder into the cache. If another run has stored the same build already, that one
        stays."""
        (made / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1))
        (made / DIGESTS).write_text(digests(made, manifest))
        seal_objects(made)
        for path in made.iterdir():
            if path.is_file():
                _flush(path)
        target = self.folder(manifest.key)
        if self.load(manifest.key) is None and target.exists():
            remove_tree(target)  # what a crash of the machine has left
        try:
            move_folder(made, target)
        except OSError:
            if self.load(manifest.key) is None:
                raise
            with contextlib.suppress(OSError):  # those of the build that stays may be gone
                move_folder(made / OBJECTS, target / OBJECTS)
                write_atomic(target / OBJECTS_DIGEST, (made / OBJECTS_DIGEST).read_bytes())
            remove_tree(made)
        _flush(target.parent)
        self.objects.drop_old(other for other in self.all() if other.arch == manifest.arch)
        self._remove_older("work", ABANDONED)

    def requests_of(self, key: str) -> list[str]:
        """The requests that a build answers."""
        found = []
        for path in sorted((self.root / "requests").iterdir()):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                if path.read_text(encoding="ascii").strip() == key:
                    found.append(path.name)
        return found

    def take(self, folder: Path, requests: Iterable[str], stop: Stop) -> bool:
        """Copies a finished build without objects from another cache, for these requests, with what was measured of it,
        unless it is here already. False where its digests do not agree: it is not taken. Raises OSError."""
        manifest = read_manifest(folder)
        if manifest is None or not _KEY.fullmatch(manifest.key):
            return False
        with self.locked(manifest.key, stop):
            if self.load(manifest.key) is None:
                copy = self.root / "work" / f"take-{os.getpid()}-{manifest.key}"
                copy.mkdir()
                try:
                    sealed = (path.name for path in folder.glob("*.json") if path.is_file())
                    for name in {MANIFEST, DIGESTS, *manifest.sizes, *sealed}:
                        shutil.copyfile(folder / name, copy / name, follow_symlinks=False)
                    if damage(copy, manifest):
                        return False
                    move_folder(copy, self.folder(manifest.key))
                finally:
                    shutil.rmtree(copy, ignore_errors=True)
        for request in requests:
            if re.fullmatch(r"[0-9a-f]{16,64}", request):
                self.answer(request, manifest.key)
        return True

    # for `clean` -------------------------------------------------------------------------------------------------

    def usage(self) -> list[tuple[str, int, float]]:
        """(name, bytes on disk, time of last use) of each build and of each unfinished one."""
        rows = []
        for kind in ("builds", "work"):
            for folder in sorted((self.root / kind).iterdir()):
                manifest = read_manifest(folder)
                name = manifest.label if manifest else "unfinished"
                with contextlib.suppress(FileNotFoundError):
                    rows.append((f"{name} {folder.name[:12]}", disk_use(folder), folder.stat().st_mtime))
        return rows

    def remove_older(self, seconds: float) -> int:
        """Deletes what was not used for so long, and not what a rig is building now. Returns the bytes freed."""
        return self._remove_older("builds", seconds) + self._remove_older("work", seconds)

    def _remove_older(self, kind: str, seconds: float) -> int:
        limit = time.time() - seconds
        freed = 0
        for folder in (self.root / kind).iterdir():
            with contextlib.suppress(FileNotFoundError), contextlib.closing(Lock(self._lock_file(folder.name))) as lock:
                if folder.stat().st_mtime <= limit and lock.attempt():
                    freed += disk_use(folder)
                    discard(folder, self.root / "work")
        return freed


def _last_use(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _flush(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
