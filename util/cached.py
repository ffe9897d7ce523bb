# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders in the cache that are named by what went into them: whole, or not there."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from util.lock import locked
from util.stop import Stop

_UNFINISHED = ".part"


def cached_folder(parent: Path, key: str, stop: Stop, make: Callable[[Path], None]) -> Path:
    """`parent/key`, made by `make(folder)` in a folder of another name and renamed when `make` returned.

    Two threads or runs that want the same one make it once. What a killed run left unfinished is cleared on the way.
    Raises whatever `make` raises, Stopped too; nothing is kept then.
    """
    folder = parent / key
    if folder.is_dir():
        os.utime(folder)
        return folder
    with locked(parent / f"{key}.lock", stop):
        if folder.is_dir():
            return folder
        unfinished = parent / f"{key}{_UNFINISHED}"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        try:
            make(unfinished)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder
