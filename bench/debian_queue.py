# SPDX-License-Identifier: GPL-2.0-or-later
"""Every static check over real patches of Debian's 6.12 kernel: a check that finds something in what a distribution
ships must be right about it. The patches are fetched by apt and not kept in the project.

Debian's source tree has its whole queue applied. A patch is taken off it again, which gives the tree before it.
"""

import os
import re
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from pathlib import Path

import click

from bench.subject import subject
from configs.debian import load_debian
from configs.loader import load_arch, load_profile
from kernels.checks.check import BESIDE, CannotCheckError, Finding, Level, PatchInTree, StaticCheckResult
from kernels.checks.objects.compare import Spot, compared
from kernels.checks.objects.folder import ObjectFolder
from kernels.checks.objects.said import FileMessages
from kernels.checks.objects.setting import SETTINGS, ObjectRequest, Setting
from kernels.checks.registry import run_checks
from kernels.kconfig.fragments import load_fragment
from kernels.patches.series import read_series
from kernels.source.git import require
from kernels.source.resolve import Source, resolve_source
from kernels.source.store import Store
from util.apt import compare, follow, host_suites, sandbox
from util.children.jobserver import Jobserver
from util.errors import MachineError, UserError
from util.events import silent
from util.files.cached import cached_folder
from util.paths import cache
from util.stop import Stop

SOURCE, PACKAGE = "debian:linux-source-6.12", "linux-6.12"
WANTED = 10
RIGHT = ("unsigned",)
"""Findings that are right: Debian does not sign what it does not mean to send."""
RIGHT_ABOUT = {("sparse", "drivers/firmware/efi/libstub/fdt.c")}
"""(kind, file) of further ones, each explained in docs/checks.md: a `__be32` is stored in a `u32` there."""
KINDS = ("bugfix/", "features/")
"""Folders of the queue that hold changes of the kernel, not of its packaging."""


@dataclass(frozen=True, slots=True)
class Queued:
    """One patch of the queue, with the trees around it."""

    name: str
    data: bytes
    before: str
    after: str


def debian_queue() -> Iterator[tuple[bool, str]]:
    """For each patch whether no check found anything but notes, and what was found."""
    stop, store = Stop(), Store()
    source = resolve_source(SOURCE, store, silent, stop)
    items = [item for queued in _last(_queue(source, stop), source, store) if (item := _as_patch(queued, store, stop))]
    start = time.monotonic()
    with Jobserver(os.cpu_count() or 1) as jobserver:
        checked = [*run_checks(items), *_compiled(items, store, jobserver)]
    for item in items:
        own = [found for found in checked if found.patch is item.patch]
        lines = [f"    {found.check.name}: {finding}" for found in own for finding in found.findings]
        lines += [f"    {found.check.name}: no answer: {found.skipped}" for found in own if found.skipped]
        loud = [finding for found in own for finding in found.findings if _counts(finding)]
        ran = ", ".join(found.check.name for found in own if found.applied and not found.skipped)
        yield not loud, "\n".join((f"{item.patch.subject} ({ran})", *lines))
    yield len(items) >= WANTED, f"{len(items)} patches of {source.version}, {time.monotonic() - start:.0f} s"


def _counts(finding: Finding) -> bool:
    right = finding.kind in RIGHT or (finding.kind, finding.path) in RIGHT_ABOUT
    return finding.level is not Level.NOTE and not right


def _queue(source: Source, stop: Stop) -> list[tuple[str, bytes]]:
    """(name, content) of every patch of the queue, in order. Of the newest version that the mirror still has: the pool
    of security updates keeps few."""

    def fetch(folder: Path) -> None:
        apt = host_suites(cache("checks", "apt"), "deb-src", load_debian().signed_by(), silent, "queue", stop)
        shown = apt.call("apt-cache", "showsrc", "--only-source", PACKAGE, stop=stop).stdout.decode("utf-8", "replace")
        versions = set(re.findall(r"^Version: (\S+)$", shown, re.MULTILINE))
        argv = ["apt-get", "-q", "-o", "APT::Status-Fd={fd}", *sandbox(), "source", "--only-source", "--diff-only"]
        words = "it is in no suite of this host"
        for version in sorted(versions, key=cmp_to_key(compare), reverse=True):
            command = [*argv, "--download-only", f"{PACKAGE}={version}"]
            words = follow(command, {**os.environ, "LC_ALL": "C", **apt.env}, folder, _ignore, stop)
            if not words:
                return
        raise MachineError(f"apt cannot fetch the queue of {PACKAGE}: {words}")

    folder = cached_folder(cache("checks", "queues"), f"{PACKAGE}-{source.version}", stop, fetch)
    (archive,) = folder.glob("*.debian.tar.xz")
    with tarfile.open(archive) as tar:
        root = "debian/patches/"
        files = {member.name: tar.extractfile(member) for member in tar if member.isfile() and root in member.name}
        contents = {name.partition(root)[2]: file.read() for name, file in files.items() if file}
    listed = (line.split("#")[0].strip() for line in contents["series"].decode().splitlines())
    return [(name, contents[name]) for name in listed if name]


def _ignore(_percent: int) -> None:
    return


def _last(queue: Sequence[tuple[str, bytes]], source: Source, store: Store) -> list[Queued]:
    """The last patches that change C of the kernel, are of a kind that is wanted, and come off the tree; in order."""
    found: list[Queued] = []
    for name, data in reversed(queue):
        before = _without(data, source.tree, store) if name.startswith(KINDS) else None
        changes = store.changed_paths(before, source.tree) if before else []
        if before and any(path.endswith(".c") and not path.startswith(BESIDE) for _, path in changes):
            found.insert(0, Queued(name, data, before, source.tree))
        if len(found) == WANTED:
            break
    return found


def _without(data: bytes, tree: str, store: Store) -> str | None:
    """The tree before the patch; None where it does not come off."""
    with store.scratch() as scratch:
        env = {"GIT_INDEX_FILE": str(scratch / "index")}
        require(store.run("read-tree", tree, env=env))
        if store.run("apply", "--cached", "--reverse", "-", data=data, env=env).status:
            return None
        return os.fsdecode(require(store.run("write-tree", env=env))).strip()


def _as_patch(queued: Queued, store: Store, stop: Stop) -> PatchInTree | None:
    """None for what is no mail."""
    with tempfile.TemporaryDirectory(prefix="rig-queue-") as name:
        path = Path(name) / "one.patch"
        path.write_bytes(queued.data)
        try:
            (patch,) = read_series(str(path), store, None, stop).patches
        except UserError:
            return None
    return PatchInTree(patch, 1, store, queued.before, queued.after, stop)


def _compiled(items: Sequence[PatchInTree], store: Store, jobserver: Jobserver) -> list[StaticCheckResult]:
    spots: list[list[Spot]] = [[] for _ in items]
    for arch in load_profile(subject().profile).archs:
        for setting in SETTINGS.values():
            start = time.monotonic()
            for own, item in zip(spots, items, strict=True):
                own.append(_spot(item, arch, setting, store, jobserver))
            click.echo(f"{time.monotonic() - start:6.0f} s  objects of {arch}, {setting}", err=True)
    told = [[spot for spot in own if spot.before or spot.after or spot.problem] for own in spots]
    return [found for item, own in zip(items, told, strict=True) for found in compared(item.patch, own, item.added)]


def _spot(item: PatchInTree, arch: str, setting: Setting, store: Store, jobserver: Jobserver) -> Spot:
    description = load_arch(arch)
    fragments = tuple(map(load_fragment, description.fragments))
    folder = ObjectFolder(ObjectRequest(description, setting, fragments), store, jobserver, silent, item.stop)
    paths = [path for path in item.kernel_files if path.endswith(".c")]
    said: list[dict[str, FileMessages]] = []
    try:
        for tree in (item.before, item.after):
            there = [path for path in paths if store.path_id(tree, path)]
            commit = store.commit_of(tree) or store.adopt(tree)
            said.append(folder.said(commit, tree, there))
    except CannotCheckError as error:
        return Spot(arch, setting, {}, {}, str(error))
    return Spot(arch, setting, said[0], said[1])
