# SPDX-License-Identifier: GPL-2.0-or-later
"""Deletes folders of builds: no reader finds a part of one, and permissions that a build left are no hindrance."""

import contextlib
import os
import shutil
import stat
import time
from pathlib import Path

from util.files.atomic import move_folder


def discard(path: Path, work: Path) -> None:
    """Renames a folder into `work` first, so that no reader finds it, then deletes it."""
    hidden = work / f"discard-{os.getpid()}-{time.monotonic_ns()}"
    with contextlib.suppress(FileNotFoundError):
        move_folder(path, hidden)
        remove_tree(hidden)


def remove_tree(path: Path) -> None:
    """Deletes a folder that a build could write to: it may hold folders without write or search permission."""
    for root, dirs, _files in os.walk(path):
        for name in (*dirs, "."):
            folder = Path(root) / name
            if not folder.is_symlink() and folder.stat().st_mode & stat.S_IRWXU != stat.S_IRWXU:
                folder.chmod(stat.S_IRWXU)
    shutil.rmtree(path, ignore_errors=False)
