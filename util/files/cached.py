# SPDX-License-Identifier: GPL-2.0-or-later
"""Content-addressed files and folders in the cache: each is complete and as it was written, or absent."""

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from util.events import Event, Listener, Phase, silent
from util.files.atomic import move_folder
from util.files.lock import locked
from util.files.seal import folder_intact, forget, seal_folder
from util.paths import ROOT
from util.stop import Stop

_UNFINISHED = ".part"
DAMAGED = "{} is damaged: it has no digest, or another one; it is made again"


def cached_folder(
    parent: Path, key: str, stop: Stop, make: Callable[[Path], None], emit: Listener = silent, step: str = ""
) -> Path:
    """`parent/key`, made by `make(folder)` in a folder of another name and renamed when `make` returned.

    Two threads or runs that want the same one make it once; with a `step` the one that waits says so. What a killed run
    left unfinished is cleared on the way, and a folder that does not agree with its digest is thrown away and made
    again, with a word. Raises whatever `make` raises, Stopped too; nothing is kept then.
    """
    folder = parent / key
    if folder.is_dir() and folder_intact(folder):
        _used(folder)
        return folder
    with locked(parent / f"{key}.lock", stop, emit=emit, step=step):
        if folder.is_dir():
            if folder_intact(folder):
                return folder
            emit(Event(step or "cache", Phase.NOTE, DAMAGED.format(folder)))
            _take_away(folder)
        unfinished = parent / f"{key}{_UNFINISHED}"  # ours alone while the lock is held
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        try:
            make(unfinished)
            seal_folder(unfinished)
            move_folder(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _take_away(folder: Path) -> None:
    forget(folder)
    hidden = folder.with_name(f"{folder.name}{_UNFINISHED}")
    shutil.rmtree(hidden, ignore_errors=True)
    move_folder(folder, hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def cached_file(path: Path, data: bytes, stop: Stop, emit: Listener = silent, step: str = "cache") -> Path:
    """`path`, written with `data` if it does not hold that already; its name says what is in it. Raises Stopped."""
    if path.exists():
        if path.read_bytes() == data:
            _used(path)
            return path
        emit(Event(step, Phase.NOTE, DAMAGED.format(path)))
    with locked(path.with_suffix(".lock"), stop):
        unfinished = path.with_suffix(_UNFINISHED)  # ours alone while the lock is held
        unfinished.write_bytes(data)
        unfinished.rename(path)
    return path


def _used(path: Path) -> None:
    with suppress(OSError):
        os.utime(path)  # `clean` goes by age


@cache
def code_digest(*names: str) -> str:
    """Digest of the rig's files and folders of these names, relative to its root. Raises FileNotFoundError for a name
    that is not there: a file that was moved must not silently leave the key of cached results."""
    digest = hashlib.sha256()
    for name in names:
        start = ROOT / name
        if not start.exists():
            raise FileNotFoundError(f"{name}: no such file or folder of the rig, so no result can depend on it")
        for path in sorted(start.rglob("*")) if start.is_dir() else [start]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(repr((str(path.relative_to(ROOT)), path.read_bytes())).encode())
    return digest.hexdigest()
