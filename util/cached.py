# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders in the cache that are named by what went into them: whole and as they were written, or not there."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from util.atomic import move_folder
from util.events import Event, Listener, Phase, silent
from util.lock import locked
from util.seal import folder_intact, forget, seal_folder
from util.stop import Stop

_UNFINISHED = ".part"


def cached_folder(
    parent: Path, key: str, stop: Stop, make: Callable[[Path], None], emit: Listener = silent, step: str = "cache"
) -> Path:
    """`parent/key`, made by `make(folder)` in a folder of another name and renamed when `make` returned.

    Two threads or runs that want the same one make it once. What a killed run left unfinished is cleared on the way,
    and a folder that does not agree with its digest is thrown away and made again, with a word.
    Raises whatever `make` raises, Stopped too; nothing is kept then.
    """
    folder = parent / key
    if folder.is_dir() and folder_intact(folder):
        os.utime(folder)
        return folder
    with locked(parent / f"{key}.lock", stop):
        if folder.is_dir():
            if folder_intact(folder):
                return folder
            emit(Event(step, Phase.NOTE, f"{folder} is damaged: its digest does not agree; it is made again"))
            _take_away(folder)
        unfinished = parent / f"{key}{_UNFINISHED}"
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
