# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of mutants from earlier runs, by content: a killed rig loses at most the guest that was running.

    mutants/<key>.json      what the compiler made of one changed file: a digest or an error
    mutants/<key>.json      what each cell said to one object: nothing noticed, or which test did

A damaged file is an absent one.
"""

import hashlib
import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from ci.model.stages import CellResult
from kernels.mutants.screen import Compiled
from util.files.atomic import write_atomic
from util.files.seal import sealed_json, unsealed_json
from util.paths import cache

_FORMAT = 1
"""Rises with every change after which an old answer is no answer."""


@dataclass(frozen=True, slots=True)
class CellAnswer:
    """What the guest of one cell said to a mutant: `killer` is the name of the test that noticed, empty where none
    did."""

    killer: str = ""
    message: str = ""


class MutantStore:
    """`root` is `mutants` of the cache unless given. Any number of runs may share it."""

    def __init__(self, root: Path | None = None, fresh: bool = False) -> None:
        """With `fresh` nothing that an earlier run wrote is read."""
        self._root = cache("mutants") if root is None else root
        self._fresh = fresh
        self._lock = threading.Lock()
        self._mine: set[Path] = set()

    def compiled(self, build: str, digest: str) -> Compiled | None:
        """`build` is the key of the build, `digest` names the changed file."""
        found = self._read(_key("compiled", build, digest)).get("compiled")
        try:
            return Compiled(**found) if isinstance(found, dict) else None
        except TypeError:
            return None

    def keep_compiled(self, build: str, digest: str, compiled: Compiled) -> None:
        self._write(_key("compiled", build, digest), {"compiled": asdict(compiled)})

    def answers(self, build: str, target: str, digest: str) -> dict[str, CellAnswer]:
        """By the key of the cell. `target` is the object that was changed, `digest` names its code."""
        found = self._read(_key("answers", build, target, digest))
        try:
            return {cell: CellAnswer(**item) for cell, item in found.items() if isinstance(item, dict)}
        except TypeError:
            return {}

    def keep_answer(self, build: str, target: str, digest: str, cell: str, answer: CellAnswer) -> None:
        key = _key("answers", build, target, digest)
        with self._lock:
            self._write(key, {**self._read(key), cell: asdict(answer)})

    def unfaulty(self, cell: str, attempt: int) -> CellResult | None:
        """What the guest of a cell came to without a fault; `cell` names all that this depends on."""
        found = self._read(_key("unfaulty", cell, str(attempt))).get("result")
        try:
            return CellResult.model_validate_json(found) if isinstance(found, str) else None
        except ValueError:
            return None

    def keep_unfaulty(self, cell: str, attempt: int, run: CellResult) -> None:
        self._write(_key("unfaulty", cell, str(attempt)), {"result": run.model_dump_json()})

    def _path(self, key: str) -> Path:
        return self._root / key[:2] / f"{key}.json"

    def _read(self, key: str) -> dict[str, object]:
        path = self._path(key)
        if self._fresh and path not in self._mine:
            return {}
        try:
            return unsealed_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    def _write(self, key: str, data: dict[str, object]) -> None:
        path = self._path(key)
        self._mine.add(path)
        write_atomic(path, sealed_json(data))


def _key(*parts: str) -> str:
    return hashlib.sha256(json.dumps([_FORMAT, *parts]).encode()).hexdigest()
