# SPDX-License-Identifier: GPL-2.0-or-later
"""Streams a tar archive into the store through `git fast-import`: no unpacked tree ever stands on the disk."""

import os
import signal
import subprocess
import tarfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, cast

from kernels.source.git import git_argv, own_environment
from kernels.source.store import Store
from util.children.program import end, start
from util.errors import MachineError, UserError
from util.events import Event, Listener, Phase
from util.stop import Stop

REPORT_EVERY = 2000
"""Files between two progress events."""

# The first bytes of a compressed file and what unpacks it to standard output.
_MAGIC = {
    b"\xfd7zXZ\x00": ("xz", "-dc"),
    b"\x1f\x8b": ("gzip", "-dc"),
    b"BZh": ("bzip2", "-dc"),
    b"\x28\xb5\x2f\xfd": ("zstd", "-dcq"),
}


def unpacker(path: Path) -> tuple[str, ...]:
    """The command that turns this file into a plain tar on standard output, by the file's first bytes."""
    with path.open("rb") as file:
        head = file.read(512)
    for magic, command in _MAGIC.items():
        if head.startswith(magic):
            return (*command, "--", str(path))
    if head[257:262] == b"ustar":
        return ("cat", "--", str(path))
    raise UserError(f"{path}: is neither a tar archive nor one packed with xz, gzip, bzip2 or zstd")


@contextmanager
def pipeline(commands: Sequence[Sequence[str]], spec: str) -> Iterator[IO[bytes]]:
    """The standard output of the last command of a pipe. Raises UserError if any of them fails: the file is damaged.

    The words of the first command that fails count: what follows it only sees a stream that ends too early.
    """
    processes: list[subprocess.Popen[bytes]] = []
    previous: int | IO[bytes] | None = subprocess.DEVNULL
    try:
        for command in commands:
            process = start(command, stdin=previous, env={**os.environ, "LC_ALL": "C"})
            if processes and processes[-1].stdout:
                processes[-1].stdout.close()  # the next one has it; SIGPIPE must reach the first
            processes.append(process)
            previous = process.stdout
        stream = processes[-1].stdout
        assert stream is not None
        try:
            yield stream
        except UserError:
            if stream.read(1) == b"":  # it ended too early, so the pipe may know better why
                _complain(processes, commands, spec)
            raise
        while stream.read(1 << 20):
            pass  # padding after the archive's end
        _complain(processes, commands, spec)
    finally:
        for process in processes:
            end(process)


def _complain(processes: Sequence["subprocess.Popen[bytes]"], commands: Sequence[Sequence[str]], spec: str) -> None:
    for process, command in zip(processes, commands, strict=True):
        said = process.stderr.read().decode("utf-8", "replace").splitlines() if process.stderr else []
        if process.wait() not in (0, -signal.SIGPIPE):
            raise UserError(f"{spec}: cannot be unpacked: {said[0] if said else command[0] + ' failed'}")


class _Tail:
    """Passes a stream through and keeps its last bytes. Python's tarfile accepts an archive that is cut off between two
    members; a complete one ends with a block of zeros."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream, self.last = stream, b""

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.last = (self.last + data[-tarfile.BLOCKSIZE :])[-tarfile.BLOCKSIZE :]
        return data

    def is_whole(self) -> bool:
        while self.read(1 << 20):
            pass
        return self.last == bytes(tarfile.BLOCKSIZE)


class _Entries:
    """Collects `path -> (mode, mark)`; the common top folder is only known once every name has been seen."""

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self.files: dict[bytes, tuple[str, int]] = {}

    def path(self, name: str) -> bytes:
        """The member's path. Raises UserError for one that could leave the tree."""
        parts = [part for part in os.fsencode(name).split(b"/") if part not in (b"", b".")]
        if name.startswith("/") or b".." in parts or any(part.lower() == b".git" for part in parts) or not parts:
            raise UserError(f"{self.spec}: the archive holds the unsafe path {name!r}")
        return b"/".join(parts)

    def stripped(self) -> dict[bytes, tuple[str, int]]:
        tops = {path.split(b"/", 1)[0] for path in self.files}
        if len(tops) == 1 and all(b"/" in path for path in self.files):
            cut = len(tops.pop()) + 1
            return {path[cut:]: value for path, value in self.files.items()}
        return self.files


def import_tar(stream: IO[bytes], store: Store, spec: str, step: str, emit: Listener, stop: Stop, keep: int) -> str:
    """The id of the tree that the archive holds, without its top folder; modes are reduced to git's.

    The caller holds the import lock, `keep` is its descriptor. The objects are in the store afterwards, but nothing
    refers to them yet: that is `Store.adopt`'s part, after the caller has looked at the tree.
    """
    ref = f"refs/rig/incoming/{uuid.uuid4().hex}"
    argv = git_argv(store.git_dir, "fast-import", "--quiet", "--done", "--depth=0", "--date-format=raw")
    importer = start(argv, stdin=subprocess.PIPE, env=own_environment(), keep=(keep,))
    assert importer.stdin is not None
    try:
        with suppress(BrokenPipeError):  # git's own message, below, is more precise
            entries = _send_blobs(stream, importer.stdin, spec, step, emit, stop)
            _send_commit(importer.stdin, ref, entries.stripped())
            importer.stdin.close()
        importer.stdin = None
        _out, said = importer.communicate()
        if importer.returncode != 0:
            text = said.decode("utf-8", "replace").strip().splitlines()
            raise MachineError(f"git fast-import failed: {text[0] if text else importer.returncode}")
        tree = store.tree_of(ref)
        store.git("update-ref", "-d", ref)
        return tree
    finally:
        end(importer)


def _send_blobs(stream: IO[bytes], importer: IO[bytes], spec: str, step: str, emit: Listener, stop: Stop) -> _Entries:
    entries = _Entries(spec)
    mark = 0
    marks: dict[str, tuple[str, int]] = {}
    tail = _Tail(stream)
    try:
        with tarfile.open(
            fileobj=cast("IO[bytes]", tail), mode="r|", errors="surrogateescape", bufsize=1 << 18
        ) as archive:
            for member in archive:
                stop.check()
                if member.isdir():
                    continue
                path = entries.path(member.name)
                if member.islnk():
                    if member.linkname not in marks:
                        raise UserError(f"{spec}: hard link {member.name!r} to what the archive does not hold")
                    entries.files[path] = marks[member.name] = marks[member.linkname]
                    continue
                mark += 1
                mode, data = _content(archive, member, spec)
                importer.write(b"blob\nmark :%d\ndata %d\n" % (mark, len(data)) + data + b"\n")
                entries.files[path] = marks[member.name] = (mode, mark)
                archive.members = []  # type: ignore[attr-defined]  # else it remembers all 75,000
                if mark % REPORT_EVERY == 0:
                    emit(Event(step, Phase.PROGRESS, "imports", mark, 0, "files"))
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{spec}: is not a whole tar archive: {error}") from None
    if not tail.is_whole():
        raise UserError(f"{spec}: is not a whole tar archive: it breaks off")
    if not entries.files:
        raise UserError(f"{spec}: the archive is empty")
    emit(Event(step, Phase.PROGRESS, "imports", mark, mark, "files"))
    return entries


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, spec: str) -> tuple[str, bytes]:
    if member.issym():
        return "120000", os.fsencode(member.linkname)
    file = archive.extractfile(member) if member.isreg() else None
    if file is None:
        raise UserError(f"{spec}: {member.name!r} is neither a file, a folder nor a link")
    return ("100755" if member.mode & 0o100 else "100644"), file.read()


def _send_commit(importer: IO[bytes], ref: str, files: dict[bytes, tuple[str, int]]) -> None:
    importer.write(b"commit %s\ncommitter rig <rig@localhost> 0 +0000\ndata 0\n" % ref.encode())
    for path, (mode, mark) in files.items():
        importer.write(b"M %s :%d %s\n" % (mode.encode(), mark, _quoted(path)))
    importer.write(b"\ndone\n")


def _quoted(path: bytes) -> bytes:
    plain = all(32 <= byte < 127 and byte not in b'"\\' for byte in path)
    return path if plain else b'"' + b"".join(b"\\%03o" % byte for byte in path) + b'"'
