# SPDX-License-Identifier: GPL-2.0-or-later
"""Digests that say whether a file of the cache is still what was written: what does not agree is never used.

Each file is looked at once in a process: a cache that changes under a run is not what this is for, a disk that loses
bytes and a hand that restores the wrong file are.
"""

import hashlib
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

SEAL = ".sha256"
"""The file in a folder that holds the digest of all the others."""

_FIELD = "seal"
_seen: dict[tuple[Path, str], bool] = {}
_lock = threading.Lock()


def file_digest(path: Path) -> str:
    """SHA-256 of the content. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """SHA-256 over names, permissions, targets of links and contents of all that is below, but the seal. Raises
    OSError."""
    digest = hashlib.sha256()
    for path in sorted(_below(folder)):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            content = os.fsdecode(path.readlink())
        else:
            content = file_digest(path) if stat.S_ISREG(mode) else ""
        digest.update(repr((str(path.relative_to(folder)), mode, content)).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path != folder / SEAL]


def intact(path: Path, digest: str) -> bool:
    """Whether the file has this digest; remembered for the rest of the process where it has."""
    with _lock:
        if _seen.get((path, digest)):
            return True
    try:
        found = file_digest(path) == digest
    except OSError:
        return False
    with _lock:
        _seen[path, digest] = found
    return found


def seal_folder(folder: Path) -> None:
    """Writes the folder's digest into it."""
    (folder / SEAL).write_text(folder_digest(folder) + "\n", encoding="ascii")


def folder_intact(folder: Path) -> bool:
    """Whether the folder still agrees with its seal. One without a seal is not: nobody can say what was written."""
    with _lock:
        if _seen.get((folder, "")):
            return True
    try:
        found = (folder / SEAL).read_text(encoding="ascii").strip() == folder_digest(folder)
    except (OSError, UnicodeDecodeError):
        return False
    with _lock:
        _seen[folder, ""] = found
    return found


def forget(folder: Path) -> None:
    """The path will hold something else from now on."""
    with _lock:
        for key in [key for key in _seen if key[0] == folder or key[0].is_relative_to(folder)]:
            del _seen[key]


def sealed_json(data: dict[str, Any]) -> str:
    """The object as JSON text that holds its own digest."""
    return json.dumps({**data, _FIELD: _digest(data)}, indent=1)


def unsealed_json(text: str) -> dict[str, Any]:
    """The object again. Raises ValueError where text and digest differ, and where there is no digest."""
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("not an object")
    if data.pop(_FIELD, None) != _digest(data):
        raise ValueError("the digest does not agree")
    return data


def _digest(data: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
