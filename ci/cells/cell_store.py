# SPDX-License-Identifier: GPL-2.0-or-later
"""The cache of cell results: content key -> result and console log. A damaged entry is an absent one."""

import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ci.model.results import FORMAT
from ci.model.stages import CellResult
from configs.result import Status
from util.events import Event, Listener, Phase, silent
from util.files.atomic import TEMPORARY, write_atomic
from util.files.disk import present
from util.files.seal import forget, intact, sealed_json, unsealed_json
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

    def get(self, key: str, emit: Listener = silent) -> Stored | None:
        """The entry, marked `cached`; its age starts anew. None if it is absent, or damaged, which `emit` hears."""
        path = self._path(key)
        log = path.with_suffix(".log")
        try:
            content = path.read_bytes()
        except OSError:
            return None
        try:
            result, log_digest = _opened(content)
            if log_digest is not None and not intact(log, log_digest):
                raise ValueError(log.name)
        except (ValueError, KeyError, TypeError, RecursionError):
            emit(Event("cells", Phase.NOTE, f"{path} is damaged: its digest does not agree; the guest runs again"))
            path.unlink(missing_ok=True)
            return None
        if result is None:
            return None
        for used in (path, log):
            with suppress(OSError):
                os.utime(used)
        return Stored(result.model_copy(update={"cached": True}), log if log_digest is not None else None)

    def put(self, key: str, result: CellResult, console: Path | None = None) -> bool:
        """Keeps the result and a copy of the console log. False, and nothing kept, where the result is not an answer (a
        MISS): it must be run again. Raises MachineError where the file cannot be written."""
        if not storable(result):
            return False
        path = self._path(key)
        body = result.model_dump_json()
        envelope: dict[str, object] = {"format": FORMAT, "log": "", "result": body}
        if console is not None:
            said = console.read_bytes()
            envelope["log"] = hashlib.sha256(said).hexdigest()
            forget(path.with_suffix(".log"))
            write_atomic(path.with_suffix(".log"), said)
        write_atomic(path, sealed_json(envelope))  # written last: its presence says that the log is complete
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
        return present(sorted(self.root.glob("*/*")))


def storable(result: CellResult) -> bool:
    """True for a result that would come out the same on a quiet machine: a guest ran, and nothing is a MISS."""
    if result.not_run or not result.tests:
        return False
    return all(test.status is not Status.MISS for test in result.tests)


def _opened(content: bytes) -> tuple[CellResult | None, str | None]:
    """The result and the digest of its log, None where there is none; no result where another format wrote it.
    Raises ValueError, KeyError or TypeError for what is damaged."""
    envelope = unsealed_json(content.decode("utf-8"))
    if envelope["format"] != FORMAT or not isinstance(envelope["log"], str):
        return None, None
    return CellResult.model_validate_json(envelope["result"]), envelope["log"] or None
