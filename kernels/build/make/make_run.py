# SPDX-License-Identifier: GPL-2.0-or-later
"""One attempt at a build in a prepared work folder: configuration, make, outputs."""

import contextlib
import os
import shlex
import signal
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kernels.build.diagnostics import BuildWarning, find_warnings, first_error, machine_fault
from kernels.build.make.expected import Tree, expected_from, expected_from_nothing
from kernels.build.make.job import BuildJob
from kernels.build.make.progress import Progress
from kernels.build.make.recipe import (
    RECIPE,
    asked,
    content_key,
    environment,
    make_command,
    wanted,
)
from kernels.build.modules import INSTALLED, MODULES, pack_modules
from kernels.build.reuse import StartingPoint, inside, prune
from kernels.build.store.manifest import Build, Manifest
from kernels.build.work_folder import TOLD, WorkFolder, WorkState
from kernels.kconfig.fragments import check_config, merge, parse_config, request_text, wants_modules
from kernels.kconfig.tree import srcarch_of
from kernels.sandbox.room import Room, fixed_paths
from util.errors import MachineError, UserError
from util.events import Event, Phase
from util.files.atomic import move_folder, remove_tree
from util.text import counted


class _BuildFailed(Exception):  # noqa: N818 - a value on its way, not an error of ours
    """The kernel's own fault ended the build; caught in this file and made a value."""


@dataclass(slots=True)
class MakeRun:
    """One attempt at a build, in a prepared work folder."""

    job: BuildJob
    work: WorkFolder
    state: WorkState
    source: Path
    before: str = ""
    """The configuration that the objects came with, where this build's own may be another."""

    @property
    def room(self) -> Room:
        return Room(self.job.sandbox, self.source, self.work.out, self.work.mounts(self.state))

    def run(self) -> Build | None:
        """The build; None where it failed and the objects it started from may be to blame."""
        begun = time.monotonic()
        commands: tuple[tuple[str, ...], ...] = ()
        key, failure, done = self.job.key, "", 0
        try:
            commands = self._configure_commands()
            config = self._configure()
            key = content_key(self.job.request, self.job.toolchain, self.job.sandbox, config)
            if self.job.serves(known := self.job.builds.load(key, self.job.emit)):
                return self._same_as(known)
            commands = self._repeat(key)
            self.job.emit(Event(self.job.step, Phase.START, self._from(), command=commands[-1]))
            done = self._build()
        except UserError:
            self.work.discard()  # the next request will be another
            raise
        except _BuildFailed as fault:
            if self.state.risky:
                return None
            failure = str(fault)
        return self._finish(key, failure, commands, time.monotonic() - begun, done)

    def _from(self) -> str:
        if self.state.resumed:
            return "goes on where it was interrupted"
        return f"from the objects of {self.state.started_from[:12]}" if self.state.started_from else "from scratch"

    # configuration -----------------------------------------------------------------------------------------------

    def _configure(self) -> str:
        """Makes `.config` and returns its text. Raises UserError where a request was lost."""
        seed = self._seed()
        path = self.work.out / ".config"
        before = _read(path) if self.work.untouched(".config", self.state) else ""
        if seed and before and self._same_config(seed):
            return before
        self.before = before
        self._run(self._make("tinyconfig"))
        requests = merge(self.job.request.fragments)
        _write(path, _read(path) + request_text(requests))
        self._run(self._make("olddefconfig"))
        config = _read(path)
        check_config(requests, parse_config(config), self.source, self.job.request.arch.kernel_arch)
        if config == before:
            os.utime(path, ns=(self.state.moment, self.state.moment))  # so that make sees no change
        return config

    def _seed(self) -> Manifest | None:
        return self.job.builds.load(self.state.started_from) if self.state.started_from else None

    def _same_config(self, seed: Manifest) -> bool:
        """Whether the configuration that the objects came with is ours, and said nothing that our log would lack."""
        if seed.asked != asked(self.job.request) or "" in seed.loud:
            return False
        tree = self.job.request.tree
        changes = [] if seed.tree == tree else self.job.store.changed_paths(seed.tree, tree)
        return StartingPoint(seed, changes).same_config_inputs

    def _configure_commands(self) -> tuple[tuple[str, ...], ...]:
        return tuple(
            self.room.command(self._make(target), self._environment) for target in ("tinyconfig", "olddefconfig")
        )

    # make --------------------------------------------------------------------------------------------------------

    @property
    def _environment(self) -> dict[str, str]:
        return environment(self.job.request.arch)

    def _make(self, *targets: str) -> tuple[str, ...]:
        return make_command(self.job.request.arch, self.room, *targets)

    def _repeat(self, key: str) -> tuple[tuple[str, ...], ...]:
        """The commands that make this build again by hand, clean, in a folder beside its outputs."""
        folder = self.job.builds.folder(key)
        repeat = folder / "repeat"
        room = Room(self.job.sandbox, self.source, repeat)
        make = make_command(self.job.request.arch, room, f"-j{self.job.jobserver.jobs}", *self._targets())
        return (
            ("mkdir", "-p", str(repeat)),
            ("cp", str(folder / "config"), str(repeat / ".config")),
            room.command(make, self._environment),
        )

    def _targets(self) -> tuple[str, ...]:
        return (*self.job.request.arch.targets, *(("modules",) if self._modules else ()))

    @property
    def _modules(self) -> bool:
        return wants_modules(self.job.request.fragments)

    def _install_modules(self) -> None:
        """Packs what `make modules_install` installs, `lib/modules/<release>`, into one file among the outputs."""
        place = self.work.out / INSTALLED
        if place.exists():
            remove_tree(place)
        # The sandbox's PATH may hold no sbin. What is stripped is DWARF: frames are named by the symbols that stay.
        options = (f"INSTALL_MOD_PATH={self.room.out}/{INSTALLED}", "INSTALL_MOD_STRIP=1", "DEPMOD=/sbin/depmod")
        self._run(self._make(*options, "modules_install"))
        pack_modules(place, self.work.out / MODULES)
        remove_tree(place)

    def _expected(self) -> int:
        config = parse_config(_read(self.work.out / ".config"))
        before = parse_config(self.before) if self.before else config
        tree = Tree(self.source, srcarch_of(self.source, self.job.request.arch.kernel_arch), self.work.out)
        if seed := self._seed():
            return expected_from(self.job, tree, seed, before, config)
        return expected_from_nothing(self.job, tree, config, resumed=self.state.resumed)

    def _build(self) -> int:
        """Runs make to the end. Returns the number of targets made."""
        progress = Progress(self.job.emit, self.job.step, self._expected())
        self._run(self._make(*self._targets()), progress)
        if self._modules:
            self._install_modules()
        for name, path in self.job.request.arch.outputs.items():
            if not _is_output(self.work.out, path):
                raise _BuildFailed(f"make reported success but left no {path} ({name})")
        return progress.done

    def _run(self, argv: tuple[str, ...], progress: Progress | None = None) -> None:
        """Runs one make in the room, as part of the jobserver. Raises _BuildFailed where the kernel fails."""
        with self.job.jobserver.make() as tokens:
            environment = {**self._environment, "MAKEFLAGS": tokens.makeflags}
            with self.work.log.open("a") as log:
                log.write(f"$ {shlex.join(self.room.command(argv, environment))}\n")
            mark = self.work.log.stat().st_size
            status = self.room.run(
                argv,
                environment,
                self.work.log,
                self.job.stop,
                progress.line if progress else lambda _line: None,
                (*tokens.fds, self.work.alive_fd),
            )
        if status == 0:
            return
        self.job.stop.check()
        if signalled := _signal_of(status):  # from outside: not the kernel's fault, and nothing is lost
            raise MachineError(f"{self.job.step}: {argv[0]} was ended by {signalled.name}; the next run goes on here")
        with self.work.log.open("rb") as log:
            log.seek(mark)
            lines = log.read().decode("utf-8", "replace").splitlines()
        if reason := machine_fault(lines):
            self.work.discard()
            raise MachineError(f"{self.job.step}: {reason}")
        raise _BuildFailed(first_error(lines, self._prefixes()) or f"{argv[0]} {argv[-1]} ended with status {status}")

    def _prefixes(self) -> tuple[str, ...]:
        return (f"{self.room.src}/", f"{self.room.out}/")

    # the end -----------------------------------------------------------------------------------------------------

    def _same_as(self, known: Manifest) -> Build:
        self.work.discard()
        self.job.builds.answer(self.job.key, known.key)
        return self.job.cached(known)

    def _finish(
        self, key: str, failure: str, commands: tuple[tuple[str, ...], ...], seconds: float, done: int
    ) -> Build:
        arch, folder, out = self.job.request.arch, self.work.folder, self.work.out
        lines = self.work.log.read_text(encoding="utf-8", errors="replace").splitlines()
        found = find_warnings(lines, self._prefixes())
        found = {**self._kept_warnings(found), **found}
        outputs = (
            {"config": ".config"} if failure else {"config": ".config", "System.map": "System.map", **arch.outputs}
        )
        if self._modules and not failure:
            outputs[MODULES] = MODULES
        made = []
        for name, path in outputs.items():
            if _is_output(out, path):
                os.link(out / path, folder / name)
                made.append(name)
        sizes = {name: (folder / name).stat().st_size for name in (*made, "log")}
        seed = self._seed()
        whole = not self.state.started_from and not self.state.resumed
        manifest = Manifest(
            key=key,
            arch=arch.name,
            tree=self.job.request.tree,
            label=self.job.request.label,
            ok=not failure,
            failure=failure,
            warnings=tuple(sorted({warning for warnings in found.values() for warning in warnings})),
            loud=tuple(sorted(found)),
            commands=commands,
            seconds=round(seconds, 3),
            sandbox=self.job.sandbox,
            toolchain=self.job.toolchain,
            started_from=self.state.started_from,
            taint=self.job.request.taint,
            objects_built=done,
            objects_total=done if whole else seed.objects_total if seed else 0,
            sizes=sizes,
            recipe=RECIPE,
            asked=asked(self.job.request),
            wanted=wanted(self.job.request),
            told={target: tuple(items) for target, items in found.items()},
        )
        self._tidy(manifest.ok)
        self.job.builds.adopt(folder, manifest)
        self.job.builds.answer(self.job.key, key)
        self._announce(manifest)
        return manifest.build(self.job.builds.folder(key), cached=False)

    def _kept_warnings(self, found: Mapping[str, object]) -> dict[str, tuple[BuildWarning, ...]]:
        """Those of targets that were not made again; the log says so."""
        kept = {target: items for target, items in self.work.kept_warnings(self.state).items() if target not in found}
        with self.work.log.open("a", encoding="utf-8") as log:
            for target, items in kept.items():
                log.write(f"# {target} was not made again; when it was made, it printed\n")
                for item in items:
                    option = f" [{item.option}]" if item.option else ""
                    log.write(f"# {item.file}:{item.line}: warning: {item.text}{option}\n")
        return kept

    def _tidy(self, ok: bool) -> None:
        """Leaves in the folder what a finished build holds."""
        if self.work.view.exists():
            remove_tree(self.work.view)
        (self.work.folder / "state.json").unlink()
        (self.work.folder / TOLD).unlink(missing_ok=True)
        if ok and fixed_paths(self.job.sandbox):
            prune(self.work.out)
            move_folder(self.work.out, self.work.folder / "objects")
        else:
            remove_tree(self.work.out)

    def _announce(self, manifest: Manifest) -> None:
        if manifest.ok:
            objects, warnings = counted(manifest.objects_built, "object"), counted(len(manifest.warnings), "warning")
            text = f"{objects} in {manifest.seconds:.0f} s, {warnings}"
            self.job.emit(Event(self.job.step, Phase.DONE, text, command=manifest.commands[-1]))
        else:
            self.job.emit(Event(self.job.step, Phase.FAILED, manifest.failure, command=manifest.commands[-1]))


def _is_output(out: Path, name: str) -> bool:
    """Whether a build left a regular file of this name: it could also leave a link to anywhere."""
    path = inside(out, name)
    try:
        return path is not None and stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _signal_of(status: int) -> signal.Signals | None:
    """The signal that ended a command, from its status as Popen gives it or as a sandbox passes it on."""
    with contextlib.suppress(ValueError):
        return signal.Signals(-status if status < 0 else status - 128)
    return None


def _read(path: Path) -> str:
    """The text of a file that a build wrote, if it is one. Raises _BuildFailed where it is missing or no regular
    file."""
    if not _is_output(path.parent, path.name):
        raise _BuildFailed(f"the build left no {path.name}")
    return path.read_text(encoding="utf-8", errors="replace")


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)  # never through a link that a build left
    path.write_text(text, encoding="utf-8")
