# SPDX-License-Identifier: GPL-2.0-or-later
"""A source spec becomes a commit in the store.

| spec | meaning |
|---|---|
| `debian:linux-source-5.10[=VERSION]` | a Debian package, the newest version of its suite or that one |
| `tarball:FILE`, `tarball:URL#sha256=HEX`, `FILE.tar.xz` | an archive (xz, gzip, bzip2, zstd or plain) |
| `git:PATH@REV`, `git:URL@REV` | one revision of a git repository |
| `FOLDER` | a kernel tree as it stands there, with what is not committed |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kernels.source.kinds.debian import SourcePackage, parse
from kernels.source.store import DamagedStoreError, Store, require_kernel
from util.errors import MachineError, UserError
from util.events import Event, Listener, Phase
from util.stop import Stop

_ARCHIVES = (".tar", ".tar.xz", ".tar.gz", ".tgz", ".tar.bz2", ".tar.zst")


@dataclass(frozen=True, slots=True)
class Source:
    """A base tree that is whole in the store.

    `spec` is what was asked for, `title` one line for a report, `commit` and `tree` object ids in the store (equal
    trees have equal commits), `version` the kernel's own, for example `5.10.262`.
    """

    spec: str
    title: str
    commit: str
    tree: str
    version: str


def resolve_source(
    spec: str,
    store: Store,
    emit: Listener,
    stop: Stop,
    *,
    refresh: bool = False,
    leave_out: Sequence[Path] = (),
) -> Source:
    """Import what `spec` names, unless the store has it.

    `refresh` asks the outside world again for what a name stands for now; `leave_out` are files and folders inside a
    FOLDER that are not part of it (the rig's own output). Raises UserError, MachineError, Stopped.
    """
    try:
        try:
            return _resolve(spec, store, emit, stop, refresh, leave_out)
        except DamagedStoreError as damage:
            emit(Event("sources", Phase.NOTE, f"{str(damage).rpartition(';')[0]}; it is made again"))
            store.renew()
            return _resolve(spec, store, emit, stop, refresh, leave_out)
    except OSError as error:
        raise MachineError(f"{spec}: {error.strerror or error}: {error.filename or store.root}") from None


def _resolve(spec: str, store: Store, emit: Listener, stop: Stop, refresh: bool, leave_out: Sequence[Path]) -> Source:
    kind, _, rest = spec.partition(":")
    if kind == "debian":
        package, pin = parse(rest)
        commit, version = SourcePackage(package, store, emit, stop).resolve(pin, refresh)
        return _source(spec, f"{package} {version}", commit, store)
    if kind == "tarball" or (spec.endswith(_ARCHIVES) and not Path(spec).is_dir() and kind != "git"):
        from kernels.source.kinds.tarball import resolve_archive

        title, commit = resolve_archive(rest if kind == "tarball" else spec, store, emit, stop)
        return _source(spec, title, commit, store)
    if kind == "git":
        from kernels.source.kinds.git_revision import resolve_git

        title, commit = resolve_git(rest, store, emit, stop, refresh)
        return _source(spec, title, commit, store)
    folder = Path(spec).expanduser()
    if not folder.is_dir():
        raise UserError(
            f"{spec}: no such folder; a source is debian:linux-source-X.Y, tarball:FILE, git:PATH@REV or a FOLDER"
        )
    from kernels.source.kinds.folder import resolve_folder

    title, commit = resolve_folder(folder, store, emit, stop, leave_out)
    return _source(spec, title, commit, store)


def _source(spec: str, title: str, commit: str, store: Store) -> Source:
    try:
        tree = store.tree_of(commit)
    except DamagedStoreError:
        raise
    except MachineError as error:  # a reference of the store names it
        raise store.damaged(f"commit {commit[:12]} is not there ({error})") from None
    version = require_kernel(store, tree, spec)
    store.touch(tree)
    return Source(spec, title, commit, tree, version)
