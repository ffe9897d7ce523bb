# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes files and takes folders away atomically: a reader sees the old content or the new, never a part."""

import contextlib
import errno
import os
import shutil
import stat
import tempfile
import threading
import time
from pathlib import Path

from util.errors import MachineError

TEMPORARY = ".rig-tmp-"
"""Prefix of the temporary file that a killed writer leaves behind; it may be removed."""


def write_atomic(path: Path, data: str | bytes) -> None:
    """Replaces `path` in one step. Raises MachineError where the file cannot be written."""
    content = data.encode("utf-8", "replace") if isinstance(data, str) else data
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise MachineError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def move_folder(source: Path, target: Path) -> None:
    """Renames a folder. Where the file system will not (EXDEV), it is copied, and appears whole or not at all.

    overlayfs refuses to rename a folder that came with a lower layer (its documentation, "Renaming directories"): a
    cache that was baked into a container's image is such a one. Raises OSError for everything else.
    """
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        part = target.with_name(f"{TEMPORARY}{target.name}-{os.getpid()}")
        shutil.copytree(source, part, symlinks=True)  # with times and permissions
        try:
            part.rename(target)
        except OSError:
            shutil.rmtree(part, ignore_errors=True)
            raise
        shutil.rmtree(source)


def discard(path: Path, work: Path) -> None:
    """Renames a folder into `work` first, so that no reader finds it, then deletes it."""
    if hidden := _hide(path, work):
        remove_tree(hidden)


def discard_beside(path: Path, work: Path) -> threading.Thread | None:
    """As `discard`, but the files are deleted beside what comes next (the objects of a kernel take a second); a process
    ends only when they are gone. One that is killed leaves them in `work`."""
    hidden = _hide(path, work)
    thread = threading.Thread(target=_remove_quietly, args=(hidden,), name="discard") if hidden else None
    if thread:
        thread.start()
    return thread


def _hide(path: Path, work: Path) -> Path | None:
    hidden = work / f"discard-{os.getpid()}-{time.monotonic_ns()}"
    try:
        move_folder(path, hidden)
    except FileNotFoundError:
        return None
    return hidden


def _remove_quietly(path: Path) -> None:
    with contextlib.suppress(OSError):  # another rig may be clearing `work`
        remove_tree(path)


def remove_tree(path: Path) -> None:
    """Deletes a folder that a build could write to: it may hold folders without write or search permission."""
    for root, dirs, _files in os.walk(path):
        for name in (*dirs, "."):
            folder = Path(root) / name
            if not folder.is_symlink() and folder.stat().st_mode & stat.S_IRWXU != stat.S_IRWXU:
                folder.chmod(stat.S_IRWXU)
    shutil.rmtree(path, ignore_errors=False)
