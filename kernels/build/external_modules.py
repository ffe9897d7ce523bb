# SPDX-License-Identifier: GPL-2.0-or-later
"""Loadable modules that are no part of the kernel proper, built against a finished build of it as kbuild builds
everybody's (Documentation/kbuild/modules.rst): with its configuration, its generated headers and its Module.symvers.

Sources and results stand in a folder beside the build, whose own output folder is read-only meanwhile.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from configs.model import Arch
from kernels.build.diagnostics import first_error, machine_fault
from kernels.build.make.recipe import KernelRequest, environment, make_command
from kernels.build.store.manifest import Build
from kernels.sandbox.room import BESIDE, OUT, SRC, Room
from kernels.source.store import Store
from kernels.source.worktree import worktree
from util.children.jobserver import Jobserver
from util.errors import MachineError
from util.events import Event, Listener, Phase
from util.files.cached import cached_folder
from util.paths import cache
from util.stop import Stop
from util.text import counted

_GENERATION = 1
"""Goes into the key; changes when the way of building does."""
EXPORTED = "Module.symvers"
"""What the kernel exports to modules, which `make modules` writes into the output folder."""

_READ_ONLY = "Read-only file system"


class ExternalModuleError(Exception):
    """The modules do not build on this kernel; one line, the compiler's where it has said something."""


class NoObjectsError(Exception):
    """The kernel was built in a sandbox in which builds keep nothing that modules could be built against; one line."""


@dataclass(frozen=True, slots=True)
class ModuleSources:
    """`files` are contents by path below one folder, sorted; `folder` is the one among its folders whose Makefile names
    the modules. `label` names them in events."""

    label: str
    files: tuple[tuple[str, bytes], ...]
    folder: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr((self.files, self.folder)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ModuleKernel:
    """The kernel that modules are built against: what it was made from, its build, and what gives that build with its
    objects; that is asked for only where modules have to be built, since it may have to make the kernel again."""

    request: KernelRequest
    build: Build
    with_objects: Callable[[], Build]


def build_modules(
    sources: ModuleSources, kernel: ModuleKernel, store: Store, jobserver: Jobserver, emit: Listener, stop: Stop
) -> Path:
    """The folder of the finished modules, at the places below it that they have below the sources' folder; made now or
    found in the cache.

    Raises ExternalModuleError, NoObjectsError, Stopped, MachineError (disk, memory, objects deleted meanwhile).
    """
    key = hashlib.sha256(repr((_GENERATION, kernel.build.key, sources.digest)).encode()).hexdigest()[:32]
    step = f"modules {sources.label} {kernel.request.label}"

    def make(folder: Path) -> None:
        objects = kernel.with_objects().folder / "objects"
        if not objects.is_dir():
            raise NoObjectsError("its modules need the objects of the kernel, which only builds in bubblewrap keep")
        with jobserver.token(stop), worktree(store, kernel.request.commit, emit, stop) as source:
            _Making(sources, kernel.request.arch, objects, source, jobserver, emit, stop, step).into(folder)

    return cached_folder(cache("modules", "external"), key, stop, make, emit, step)


@dataclass(frozen=True, slots=True)
class _Making:
    """One make. `objects` is the output folder of the kernel's build, `source` a checkout of its tree."""

    sources: ModuleSources
    arch: Arch
    objects: Path
    source: Path
    jobserver: Jobserver
    emit: Listener
    stop: Stop
    step: str

    def into(self, folder: Path) -> None:
        """Puts what make leaves into `folder`."""
        with tempfile.TemporaryDirectory(prefix="rig-modules-") as name:
            beside = Path(name) / "beside"
            for place, content in self.sources.files:
                file = beside / place
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            self._make(beside, Path(name) / "log")
            made = [path for path in sorted((beside / self.sources.folder).rglob("*.ko")) if _is_file(path)]
            if not made:
                raise ExternalModuleError(f"make leaves no module in {self.sources.folder}")
            for path in made:
                target = folder / path.relative_to(beside / self.sources.folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        self.emit(Event(self.step, Phase.DONE, counted(len(made), "module")))

    def _make(self, beside: Path, log: Path) -> None:
        objects = self.objects
        if not (objects / EXPORTED).is_file():
            raise MachineError(f"{self.step}: the kernel was built without modules: {objects} has no {EXPORTED}")
        room = Room("bwrap", self.source, objects, beside=beside)
        # Debug information would make them several times as large, and nothing in a guest reads it.
        goals = (f"M={BESIDE}/{self.sources.folder}", "KCFLAGS=-g0", "KAFLAGS=-g0", "-k", "modules")
        argv = make_command(self.arch, room, *goals)
        settings = environment(self.arch)
        self.emit(Event(self.step, Phase.START, "builds", command=room.command(argv, settings)))
        log.touch()
        with self.jobserver.make() as tokens:
            status = room.run(argv, {**settings, "MAKEFLAGS": tokens.makeflags}, log, self.stop, fds=tokens.fds)
        self.stop.check()
        if status == 0:
            return
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        # The kernel's own folders are read-only, so that a Makefile which writes there is to blame for it.
        reason = machine_fault(line for line in lines if not line.endswith(_READ_ONLY))
        reason = reason or ("" if objects.is_dir() else f"{objects} was deleted meanwhile")
        if reason:
            raise MachineError(f"{self.step}: {reason}")
        prefixes = (f"{BESIDE}/", f"{SRC}/", f"{OUT}/")
        why = first_error(lines, prefixes) or f"make ended with status {status}"
        self.emit(Event(self.step, Phase.FAILED, why))
        raise ExternalModuleError(why)


def _is_file(path: Path) -> bool:
    """Whether a build left a regular file: it could also leave a link to anywhere."""
    return stat.S_ISREG(os.lstat(path).st_mode)
