# SPDX-License-Identifier: GPL-2.0-or-later
"""The cache of cell results: content key -> result and console log. A damaged entry is an absent one."""

import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ci.model.results import FORMAT, CellResult
from configs.result import Status
from util.atomic import TEMPORARY, write_atomic
from util.paths import cache

_KEY = re.compile(r"[0-9a-f]{16,128}")
_ABANDONED = 3600.0
"""Seconds after which a temporary file has no writer any more."""


@dataclass(frozen=True, slots=True)
class Stored:
    result: CellResult
    console: Path | None


@dataclass(frozen=True, slots=True)
class Usage:
    """`size` in bytes, `oldest` the age in seconds of the entry that was not used for longest."""

    entries: int
    size: int
    oldest: float


class CellStore:
    """`root` is `cells` of the cache unless given. Any number of runs may share it."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = cache("cells") if root is None else root

    def get(self, key: str) -> Stored | None:
        """The entry, marked `cached`; its age starts anew. None if it is absent or damaged."""
        path = self._path(key)
        try:
            envelope = json.loads(path.read_bytes())
            body = envelope["result"]
            if envelope["format"] != FORMAT or envelope["sha256"] != _digest(body):
                return None
            result = CellResult.model_validate_json(body)
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            return None
        log = path.with_suffix(".log")
        if envelope.get("log") and not log.is_file():
            return None
        for used in (path, log):
            with suppress(OSError):
                os.utime(used)
        return Stored(result.model_copy(update={"cached": True}), log if envelope.get("log") else None)

    def put(self, key: str, result: CellResult, console: Path | None = None) -> bool:
        """Keeps the result and a copy of the console log. False, and nothing kept, where the result is not an answer (a
        MISS): it must be run again. Raises MachineError where the file cannot be written."""
        if not storable(result):
            return False
        path = self._path(key)
        body = result.model_dump_json()
        envelope = {"format": FORMAT, "sha256": _digest(body), "log": console is not None, "result": body}
        if console is not None:
            write_atomic(path.with_suffix(".log"), console.read_bytes())
        write_atomic(path, json.dumps(envelope))  # written last: its presence says that the log is complete
        return True

    def usage(self, now: float | None = None) -> Usage:
        clock = time.time() if now is None else now
        files = list(self._files())
        entries = [stat for path, stat in files if path.suffix == ".json"]
        oldest = max((clock - stat.st_mtime for stat in entries), default=0.0)
        return Usage(len(entries), sum(stat.st_size for _, stat in files), max(0.0, oldest))

    def remove_older(self, seconds: float, now: float | None = None) -> int:
        """Removes what was not used for so long, and what killed writers left. Returns the bytes freed."""
        clock = time.time() if now is None else now
        freed = 0
        for path, stat in self._files():
            limit = _ABANDONED if path.name.startswith(TEMPORARY) else seconds
            if clock - stat.st_mtime >= limit:
                with suppress(OSError):
                    path.unlink()
                    freed += stat.st_size
        return freed

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a content key: {key!r}")
        return self.root / key[:2] / f"{key}.json"

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in sorted(self.root.glob("*/*")):
            with suppress(OSError):
                yield path, path.stat()


def storable(result: CellResult) -> bool:
    """True for a result that would come out the same on a quiet machine: a guest ran, and nothing is a MISS."""
    if result.not_run or not result.tests:
        return False
    return all(test.status is not Status.MISS for test in result.tests)


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
