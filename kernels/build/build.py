# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds one kernel, or finds that it was built before.

    request -> (key known?) -> work folder -> configuration -> make -> outputs -> cache

What the kernel does wrong comes back as a `Build` with `ok` False; only the user's and the machine's mistakes raise.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kernels.build.make import compiler
from kernels.build.make.job import BuildJob
from kernels.build.make.make_run import MakeRun
from kernels.build.make.recipe import RECIPE, KernelRequest, environment, make_command, request_key, wanted
from kernels.build.reuse import StartingPoint, nearest
from kernels.build.store.build_store import BuildStore
from kernels.build.store.manifest import Build
from kernels.build.work_folder import WorkFolder
from kernels.kconfig.fragments import merge, request_text, wants_modules
from kernels.sandbox.room import Room, fixed_paths
from kernels.sandbox.sandbox import sandbox_kind
from kernels.source.store import Store
from kernels.source.worktree import worktree
from util.children.jobserver import Jobserver
from util.errors import MachineError
from util.events import Event, Listener, Phase
from util.paths import called_as
from util.stop import Stop

__all__ = ["Build", "BuildStore", "KernelRequest", "build_kernel", "build_key", "commands_by_hand"]


def build_key(request: KernelRequest) -> str:
    """The name of this request with this machine's toolchain: equal keys yield equal kernels. Raises MachineError."""
    return request_key(request, compiler.identity(request.arch), sandbox_kind())


def commands_by_hand(
    request: KernelRequest, source: Path, output: Path, jobs: int, sandbox: str
) -> tuple[tuple[str, ...], ...]:
    """What makes the kernel of `request` from the checkout `source` in the new folder `output`, command by command."""
    room = Room(sandbox, source, output)
    arch = request.arch
    lines = request_text(merge(request.fragments)).splitlines()
    modules = ("modules",) if wants_modules(request.fragments) else ()
    append = tuple(part for line in lines for part in ("-e", f"$a{line}"))
    return (
        ("mkdir", "-p", str(output)),
        room.command(make_command(arch, room, "tinyconfig"), environment(arch)),
        ("sed", "-i", *append, str(output / ".config")),
        room.command(make_command(arch, room, "olddefconfig"), environment(arch)),
        room.command(make_command(arch, room, f"-j{jobs}", *arch.targets, *modules), environment(arch)),
    )


def build_kernel(
    request: KernelRequest,
    store: Store,
    jobserver: Jobserver,
    emit: Listener,
    stop: Stop,
    wish: Build | None = None,
    builds: BuildStore | None = None,
    objects: bool = False,
) -> Build:
    """The finished build of `request`, from the cache or made now. Holds one token of `jobserver` while it works.

    With `objects` one whose objects were deleted since is made again, for their sake; builds whose paths are not fixed
    never keep any. Starts from the objects of the cached build with the least to rebuild; among equal ones it prefers
    `wish`. Raises UserError where a requested symbol did not survive, MachineError where the machine could not build
    (tools missing, sandbox, memory, disk), Stopped when stopped; the next call then goes on where this one ended.
    """
    builds = builds or BuildStore()
    job = BuildJob(
        request, store, jobserver, emit, stop, builds, sandbox_kind(), compiler.identity(request.arch), objects
    )
    if job.serves(found := builds.requested(job.key, emit)):
        return job.cached(found)
    with builds.locked(job.key, stop):
        if job.serves(found := builds.requested(job.key, emit)):
            return job.cached(found)
        with jobserver.token(stop), worktree(store, request.commit, emit, stop) as source, _disk_space(job.step):
            return _make(job, source, wish)


@contextmanager
def _disk_space(step: str) -> Iterator[None]:
    """A full disk, wherever it shows, as the machine's fault."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            text = f"{step}: no space left on the disk of {error.filename}; see `{called_as()} clean`"
            raise MachineError(text) from None
        raise


def _make(job: BuildJob, source: Path, wish: Build | None) -> Build:
    work = WorkFolder(job.builds, job.key)
    work.hold(job.stop)
    try:
        state = work.resume() or work.start(source, _sound_start(job, wish))
        build = MakeRun(job, work, state, source).run()
        if not build:
            job.emit(Event(job.step, Phase.NOTE, "failed on reused objects; once more from a clean folder"))
            build = MakeRun(job, work, work.start(source, None), source).run()
        assert build
        return build
    finally:
        work.release()


def _sound_start(job: BuildJob, wish: Build | None) -> StartingPoint | None:
    """The finished build to start from, its objects looked at; damaged ones are gone, and the next one is asked."""
    while (start := _start(job, wish)) and not job.builds.objects.sound(start.manifest.key, job.emit):
        job.stop.check()
    return start


def _start(job: BuildJob, wish: Build | None) -> StartingPoint | None:
    """The finished build to start from, if any serves."""
    if not fixed_paths(job.sandbox):
        return None  # other paths, other command lines: make would rebuild everything
    alike = [
        manifest
        for manifest in job.builds.all()
        if (manifest.arch, manifest.toolchain, manifest.recipe, manifest.sandbox)
        == (job.request.arch.name, job.toolchain, RECIPE, job.sandbox)
        and manifest.taint in ("", job.request.taint)
    ]
    alike.sort(key=lambda manifest: wish is None or manifest.key != wish.key)  # among equals, the wish
    return nearest(job.store, job.builds, job.request.tree, wanted(job.request), alike)
