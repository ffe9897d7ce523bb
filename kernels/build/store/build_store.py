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
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kernels.build.diagnostics import BuildWarning
from util.events import Event, Listener, Phase, silent
from util.files.atomic import move_folder, write_atomic
from util.files.disk import disk_use
from util.files.lock import Lock, locked
from util.files.seal import file_digest, folder_digest, forget, intact, sealed_json, unsealed_json
from util.paths import cache
from util.stop import Stop

MANIFEST = "manifest.json"
DIGESTS = "digests.json"
OBJECTS = "objects"
OBJECTS_DIGEST = "objects.sha256"
_KEY = re.compile(r"[0-9a-f]{40}")

KEEP_OBJECTS = 32
"""Builds per architecture that keep their objects (50 to 150 MB each). Builds that rebuilt only a few objects lose them
first, then the least recently used."""

MIN_OWN_SHARE = 0.1
"""The share of its objects that a build made itself, from which on its objects are worth more than others'."""

ABANDONED = 86400.0
"""Seconds after which an unfinished build is not taken up again: its series or fragments were changed meanwhile."""


@dataclass(frozen=True, slots=True)
class Build:
    """A kernel build, finished or failed. A failed one is a result like any other: `ok` False, `failure` one line.

    `commands` repeat it by hand, in order; `seconds` is the wall time it took when it was made; `cached` says that
    it was made earlier. `sandbox` is what it was run in, `objects_built` how many targets it made.
    """

    key: str
    folder: Path
    ok: bool
    failure: str
    warnings: tuple[BuildWarning, ...]
    commands: tuple[tuple[str, ...], ...]
    seconds: float
    cached: bool
    sandbox: str = "bwrap"
    toolchain: str = ""
    started_from: str = ""
    objects_built: int = 0

    def output(self, name: str) -> Path:
        """The path of an output: `image`, `vmlinux`, `System.map`, `config`, `log`."""
        return self.folder / name


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of manifest.json. `sizes` are bytes by output name, `loud` the targets that printed warnings."""

    key: str
    arch: str
    tree: str
    label: str
    ok: bool
    failure: str
    warnings: tuple[BuildWarning, ...]
    loud: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    seconds: float
    sandbox: str
    toolchain: str
    started_from: str
    taint: str
    objects_built: int
    objects_total: int
    sizes: dict[str, int]
    recipe: int
    asked: str
    """A digest of architecture and kconfig requests: equal ones ask for the same configuration of the same tree."""
    wanted: dict[str, str] = field(default_factory=dict)
    """The kconfig requests by option; none where an older rig made the build."""
    told: dict[str, tuple[BuildWarning, ...]] = field(default_factory=dict)
    """The warnings by the target that printed them; none where an older rig made the build."""

    @property
    def mute(self) -> tuple[str, ...]:
        """The targets that have to be made again if their warnings are to be known."""
        return tuple(target for target in self.loud if target not in self.told)

    def build(self, folder: Path, cached: bool) -> Build:
        return Build(
            self.key,
            folder,
            self.ok,
            self.failure,
            self.warnings,
            self.commands,
            self.seconds,
            cached,
            self.sandbox,
            self.toolchain,
            self.started_from,
            self.objects_built,
        )


class BuildStore:
    """The builds under one folder of the cache, safe for several rigs at once."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache("kernels")
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)  # a build may leave anything here, also programs with odd permissions
        for name in ("builds", "requests", "work", "locks"):
            (self.root / name).mkdir(parents=True, exist_ok=True)

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
        manifest = _read_manifest(folder)
        problem = _damage(folder, manifest) if manifest else "manifest.json" if folder.is_dir() else ""
        if problem:
            text = f"{folder / problem} is damaged: its digest does not agree; the build is made again"
            emit(Event("builds", Phase.NOTE, text))
            forget(folder)
            self._discard(folder)
            return None
        if manifest and not (folder / DIGESTS).exists():  # of an older rig: as it stands now
            write_atomic(folder / DIGESTS, _digests(folder, manifest))
        with contextlib.suppress(OSError):
            os.utime(folder)
        return manifest

    def all(self) -> list[Manifest]:
        """Every finished build, the last used first."""
        folders = sorted((self.root / "builds").iterdir(), key=_last_use, reverse=True)
        return [manifest for folder in folders if (manifest := _read_manifest(folder)) is not None]

    def has_objects(self, key: str) -> bool:
        return (self.folder(key) / OBJECTS).is_dir()

    def sound_objects(self, key: str, emit: Listener = silent) -> bool:
        """Whether a build has its objects, and they are what was written (half a second for 120 MB).

        Damaged ones are thrown away, with a word; those of an older rig, without a digest, are taken as they stand.
        """
        objects, digest = self.folder(key) / OBJECTS, self.folder(key) / OBJECTS_DIGEST
        try:
            found = folder_digest(objects) if objects.is_dir() else ""
            if found and not digest.exists():
                write_atomic(digest, f"{found}\n")
            if not found or digest.read_text(encoding="ascii").strip() == found:
                return bool(found)
        except FileNotFoundError:
            return False  # another rig has just deleted them
        except (OSError, UnicodeDecodeError):
            pass  # a file that cannot be read is as bad as one with another content
        text = f"{objects} is damaged: its digest does not agree; the build does not start from it"
        emit(Event("builds", Phase.NOTE, text))
        self._discard_objects(key)
        return False

    def _discard_objects(self, key: str) -> None:
        self._discard(self.folder(key) / OBJECTS)
        (self.folder(key) / OBJECTS_DIGEST).unlink(missing_ok=True)

    def touch_objects(self, key: str) -> None:
        with contextlib.suppress(OSError):
            os.utime(self.folder(key) / OBJECTS)

    def adopt(self, made: Path, manifest: Manifest) -> None:
        """Moves a finished build folder into the cache. If another run has stored the same build already, that one
        stays."""
        (made / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1))
        (made / DIGESTS).write_text(_digests(made, manifest))
        _seal_objects(made)
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
        self._drop_old_objects(manifest.arch)
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
        manifest = _read_manifest(folder)
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
                    if _damage(copy, manifest) or not (copy / DIGESTS).is_file():
                        return False
                    move_folder(copy, self.folder(manifest.key))
                finally:
                    shutil.rmtree(copy, ignore_errors=True)
        for request in requests:
            if re.fullmatch(r"[0-9a-f]{16,64}", request):
                self.answer(request, manifest.key)
        return True

    def _drop_old_objects(self, arch: str) -> None:
        kept = []
        for manifest in self.all():
            path = self.folder(manifest.key) / OBJECTS
            if manifest.arch == arch and path.is_dir():
                dear = manifest.objects_built > MIN_OWN_SHARE * manifest.objects_total
                kept.append((dear, path.stat().st_mtime, manifest.key))
        newest = max((time for _, time, _ in kept), default=0.0)
        # The newest stays whatever it cost: the next revision of its series starts from it.
        kept.sort(key=lambda item: (item[1] == newest, *item[:2]), reverse=True)
        for _, _, key in kept[KEEP_OBJECTS:]:
            self._discard_objects(key)

    def _discard(self, path: Path) -> None:
        """Renames a folder first, so that no reader finds it, then deletes it."""
        hidden = self.root / "work" / f"discard-{os.getpid()}-{time.monotonic_ns()}"
        with contextlib.suppress(FileNotFoundError):
            move_folder(path, hidden)
            remove_tree(hidden)

    # for `clean` -------------------------------------------------------------------------------------------------

    def usage(self) -> list[tuple[str, int, float]]:
        """(name, bytes on disk, time of last use) of each build and of each unfinished one."""
        rows = []
        for kind in ("builds", "work"):
            for folder in sorted((self.root / kind).iterdir()):
                manifest = _read_manifest(folder)
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
                    self._discard(folder)
        return freed


def _read_manifest(folder: Path) -> Manifest | None:
    try:
        data: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        data["warnings"] = tuple(BuildWarning(**item) for item in data["warnings"])
        data["commands"] = tuple(tuple(command) for command in data["commands"])
        data["loud"] = tuple(data["loud"])
        data["told"] = read_told(data.get("told", {}))
        return Manifest(**data)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _digests(folder: Path, manifest: Manifest) -> str:
    """The content of digests.json: SHA-256 of the manifest and of every output."""
    return sealed_json({name: file_digest(folder / name) for name in (MANIFEST, *manifest.sizes)})


def _seal_objects(made: Path) -> None:
    """Writes the digest of a build's objects; those that a series made unreadable are not kept."""
    objects = made / OBJECTS
    if objects.is_dir():
        try:
            (made / OBJECTS_DIGEST).write_text(f"{folder_digest(objects)}\n")
        except PermissionError:
            remove_tree(objects)


def _damage(folder: Path, manifest: Manifest) -> str:
    """The name of a file that is not what was written; nothing where all are."""
    for name, size in manifest.sizes.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            return name
    try:
        digests = unsealed_json((folder / DIGESTS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError):
        return DIGESTS
    names = (MANIFEST, *manifest.sizes)
    return next((name for name in names if not intact(folder / name, str(digests.get(name)))), "")


def read_told(data: dict[str, list[dict[str, Any]]]) -> dict[str, tuple[BuildWarning, ...]]:
    """Warnings by target, as JSON holds them. Raises TypeError."""
    return {target: tuple(BuildWarning(**item) for item in items) for target, items in data.items()}


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


def remove_tree(path: Path) -> None:
    """Deletes a folder that a build could write to: it may hold folders without write or search permission."""
    for root, dirs, _files in os.walk(path):
        for name in (*dirs, "."):
            folder = Path(root) / name
            if not folder.is_symlink() and folder.stat().st_mode & stat.S_IRWXU != stat.S_IRWXU:
                folder.chmod(stat.S_IRWXU)
    shutil.rmtree(path, ignore_errors=False)
