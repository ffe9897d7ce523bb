# SPDX-License-Identifier: GPL-2.0-or-later
"""Content-addressed files and folders in the cache: each is complete, or absent."""

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from util.events import Listener, silent
from util.lock import locked
from util.paths import ROOT
from util.stop import Stop

_UNFINISHED = ".part"


def cached_folder(
    parent: Path, key: str, stop: Stop, make: Callable[[Path], None], emit: Listener = silent, step: str = ""
) -> Path:
    """`parent/key`, made by `make(folder)` in a folder of another name and renamed when `make` returned.

    Two threads or runs that want the same one make it once; with a `step` the one that waits says so. What a killed run
    left unfinished is cleared on the way. Raises whatever `make` raises, Stopped too; nothing is kept then.
    """
    folder = parent / key
    if folder.is_dir():
        _used(folder)
        return folder
    with locked(parent / f"{key}.lock", stop, emit=emit, step=step):
        if folder.is_dir():
            return folder
        unfinished = parent / f"{key}{_UNFINISHED}"  # ours alone while the lock is held
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        try:
            make(unfinished)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def cached_file(path: Path, data: bytes, stop: Stop) -> Path:
    """`path`, written with `data` if it is not there; its name says what is in it. Raises Stopped."""
    if path.exists():
        _used(path)
        return path
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
