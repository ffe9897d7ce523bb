# SPDX-License-Identifier: GPL-2.0-or-later
"""An output folder in which only single objects are made, and what they need: headers, generated files, tools.

It is kept in the cache from tree to tree and from run to run: the first tree costs half a minute on two cores, the next
one some seconds. What differs between two trees is mounted over the checkout with a new time, so that make sees it
(`kernels.build.reuse` says why that is sound).

    <key>/out         the output folder
    <key>/view        copies of changed source files
    <key>/tree        the tree that `out` was made from; away while make works, and then the folder starts anew
    <key>/answers/    what was said, by the tree and the paths that were asked for
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from kernels.build.diagnostics import BuildWarning, first_error, machine_fault
from kernels.build.make.recipe import environment
from kernels.build.reuse import forget, inside, relevant, surgery
from kernels.checks.check import CannotCheckError
from kernels.checks.objects.said import PREFIXES, FileMessages, object_of, read_log, too_old
from kernels.checks.objects.setting import ALLMOD, ObjectRequest
from kernels.sandbox.room import Room, fixed_paths
from kernels.sandbox.sandbox import sandbox_kind
from kernels.source.store import Changes, Store
from kernels.source.worktree import worktree
from util.children.jobserver import Jobserver
from util.errors import MachineError
from util.events import Event, Listener, Phase
from util.files.atomic import write_atomic
from util.files.cached import code_digest
from util.files.lock import Lock, locked
from util.files.seal import sealed_json, unsealed_json
from util.paths import cache
from util.stop import Stop
from util.text import counted

CODE = (
    *(f"kernels/checks/objects/{name}.py" for name in ("folder", "said", "setting")),
    "kernels/build/diagnostics.py",
)
"""Files of the rig whose text is part of every answer's name."""


@dataclass(frozen=True, slots=True)
class ObjectFolder:
    """One such folder. Raises CannotCheckError from `said` where the kernel's own build refuses the setting."""

    request: ObjectRequest
    store: Store
    jobserver: Jobserver
    emit: Listener
    stop: Stop

    def said(self, commit: str, tree: str, paths: Sequence[str]) -> dict[str, FileMessages]:
        """What is said of these C files of a tree, from the cache or found out now.

        Raises CannotCheckError, MachineError, Stopped.
        """
        if not fixed_paths(sandbox_kind()):
            raise CannotCheckError("only the sandbox bubblewrap has paths that stay, by which objects can be kept")
        root = cache("checks", "objects")
        key = self.request.key
        folder = root / key
        parts = json.dumps([tree, sorted(paths), code_digest(*CODE)])
        answer = folder / "answers" / hashlib.sha256(parts.encode()).hexdigest()
        with locked(root / f"{key}.lock", self.stop, emit=self.emit, step=self._step) as lock:
            folder.mkdir(exist_ok=True)
            os.utime(folder)  # `clean` goes by age
            if (known := _read_answer(answer)) is not None:
                return known
            with self.jobserver.token(self.stop), worktree(self.store, commit, self.emit, self.stop) as source:
                found = _Making(self, folder, source, tree, lock).made(paths)
            answer.parent.mkdir(exist_ok=True)
            write_atomic(answer, sealed_json({path: asdict(said) for path, said in found.items()}))
            return found

    @property
    def _step(self) -> str:
        return f"objects {self.request.label}"


@dataclass(frozen=True, slots=True)
class _Making:
    """One make in the folder, which is locked."""

    owner: ObjectFolder
    folder: Path
    source: Path
    tree: str
    lock: Lock

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def made(self, paths: Sequence[str]) -> dict[str, FileMessages]:
        owner, step = self.owner, f"objects {self.owner.request.label}"
        views, same_config = self._begin()
        room = Room("bwrap", self.source, self.out, views)
        (self.folder / "log").write_bytes(b"")
        targets = [object_of(path) for path in paths]
        command = room.command(owner.request.make(room, *targets), environment(owner.request.arch))
        owner.emit(Event(step, Phase.START, f"{len(paths)} of {self.tree[:12]}", command=command))
        if not same_config:
            self._configure(room)
        for target in targets:
            forget(self.out, target)  # what is not made again says nothing
        _status, lines = self._make(room, *targets)
        made = [target for target in targets if (path := inside(self.out, target)) and path.is_file()]
        if len(made) < len(targets) and (why := machine_fault(lines)):
            raise MachineError(f"{step}: {why}")
        prepared = len(made) == len(targets) or self._make(room, "prepare")[0] == 0
        write_atomic(self.folder / "tree", self.tree)
        owner.emit(Event(step, Phase.DONE, counted(len(made), "object")))
        return read_log(lines, paths, made, prepared)

    def _begin(self) -> tuple[tuple[tuple[Path, str], ...], bool]:
        """What is to be mounted over the source, and whether the configuration is still the right one."""
        mark, view = self.folder / "tree", self.folder / "view"
        before = mark.read_text(encoding="ascii").strip() if mark.is_file() else ""
        mark.unlink(missing_ok=True)
        shutil.rmtree(view, ignore_errors=True)
        changes = self._changes(before)
        if changes is None:
            shutil.rmtree(self.out, ignore_errors=True)
            self.out.mkdir()
            return (), False
        surgery(self.out, changes, ())
        view.mkdir()
        now, mounts = time.time_ns(), []
        for index, path in enumerate(path for status, path in changes if status != "D"):
            copy = view / str(index)
            shutil.copyfile(self.source / path, copy)
            copy.chmod((self.source / path).stat().st_mode & 0o777)
            os.utime(copy, ns=(now, now))
            mounts.append((copy, path))
        same = all(status == "M" and not path.rpartition("/")[2].startswith("Kconfig") for status, path in changes)
        return tuple(mounts), same

    def _changes(self, before: str) -> Changes | None:
        """What is new against the tree that the folder was made from; None where it has to start anew."""
        if not before or not (self.out / ".config").is_file():
            return None
        with suppress(MachineError):  # that tree may be gone from the store
            changes = [] if before == self.tree else self.owner.store.changed_paths(before, self.tree)
            found = relevant(changes)
            files = [self.source / path for status, path in found or () if status != "D"]
            return None if any(path.is_symlink() or not path.is_file() for path in files) else found
        return None

    def _configure(self, room: Room) -> None:
        request = self.owner.request
        first = ALLMOD if request.setting.allmod else "tinyconfig"
        self._must(room, first)
        if not request.setting.allmod:
            config = inside(self.out, ".config")
            if config is None or config.is_symlink() or not config.is_file():
                raise CannotCheckError(f"{request.label}: make {first} left no .config")
            config.write_text(config.read_text(encoding="utf-8", errors="replace") + request.config, encoding="utf-8")
            self._must(room, "olddefconfig")

    def _must(self, room: Room, target: str) -> None:
        status, lines = self._make(room, target)
        if status:
            why = too_old(lines) or first_error(lines, PREFIXES) or f"make {target} ended with status {status}"
            raise CannotCheckError(f"{self.owner.request.setting}: {why}")

    def _make(self, room: Room, *targets: str) -> tuple[int, list[str]]:
        """(status, lines) of one make, as part of the jobserver."""
        owner, lines = self.owner, list[str]()
        with owner.jobserver.make() as tokens:
            settings = {**environment(owner.request.arch), "MAKEFLAGS": tokens.makeflags}
            command = owner.request.make(room, *targets)
            fds = (*tokens.fds, self.lock.fd)
            status = room.run(command, settings, self.folder / "log", owner.stop, lines.append, fds)
        owner.stop.check()
        return status, lines


def _read_answer(path: Path) -> dict[str, FileMessages] | None:
    try:
        found = unsealed_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return {name: _read_said(fields) for name, fields in found.items()} if isinstance(found, dict) else None


def _read_said(fields: dict[str, object]) -> FileMessages:
    said = FileMessages(**fields)  # type: ignore[arg-type]
    warnings, sparse = (
        tuple(BuildWarning(**item) for item in items)  # type: ignore[arg-type]
        for items in (said.warnings, said.sparse)
    )
    return replace(said, warnings=warnings, sparse=sparse)
