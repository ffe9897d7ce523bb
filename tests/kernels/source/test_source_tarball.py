# SPDX-License-Identifier: GPL-2.0-or-later
"""Tarballs as sources: packed in every way, from a file and from a URL, whole or not at all."""

import hashlib
import http.server
import io
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernels.source.resolve import resolve_source
from kernels.source.store import Store
from tests.faketree import Events, git, make_repo, make_tree, resolve
from util.errors import MachineError, UserError
from util.events import Event, Phase
from util.stop import Stop, Stopped


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def pack(tmp_path: Path, suffix: str = ".tar.xz", top: str = "linux-5.10.7") -> Path:
    """The fake tree in an archive, under one top folder unless `top` is empty."""
    tree = make_tree(tmp_path / "tree")
    (tree / "kernel/twin.c").hardlink_to(tree / "kernel/fork.c")
    plain = tmp_path / "plain.tar"
    with tarfile.open(plain, "w") as archive:
        archive.add(tree, top or ".")
    path = tmp_path / f"linux{suffix}"
    command = {".tar.xz": "xz", ".tar.gz": "gzip", ".tgz": "gzip", ".tar.bz2": "bzip2", ".tar.zst": "zstd"}.get(suffix)
    if command:
        path.write_bytes(subprocess.run([command, "-c", str(plain)], check=True, capture_output=True).stdout)
    else:
        plain.rename(path)
    return path


def expected(tmp_path: Path, store: Store) -> str:
    return resolve(tmp_path / "tree", store).tree


@pytest.mark.parametrize("suffix", [".tar", ".tar.xz", ".tar.gz", ".tgz", ".tar.bz2", ".tar.zst"])
def test_every_packing(store: Store, tmp_path: Path, suffix: str) -> None:
    path = pack(tmp_path, suffix)
    source = resolve(path, store)
    assert source.tree == expected(tmp_path, store)
    assert source.version == "5.10.7"
    assert source.title.startswith(f"linux{suffix} (sha256 ")
    assert resolve(f"tarball:{path}", store).commit == source.commit
    assert store.run("fsck", "--strict").status == 0


def test_an_archive_without_a_top_folder(store: Store, tmp_path: Path) -> None:
    assert resolve(pack(tmp_path, top=""), store).tree == expected(tmp_path, store)


def test_the_archive_of_git(store: Store, tmp_path: Path) -> None:
    """With a global header, and a top folder or none."""
    repo = make_repo(tmp_path / "repo")
    for number, prefix in enumerate(("", "linux-5.10/")):
        path = tmp_path / f"git{number}.tar.gz"
        git(repo, "archive", f"--prefix={prefix}", "-o", str(path), "HEAD")
        assert resolve(path, store).tree == git(repo, "rev-parse", "HEAD^{tree}").strip()


def test_the_same_content_is_imported_once(store: Store, tmp_path: Path) -> None:
    path = pack(tmp_path)
    first = resolve(path, store)
    shutil.copy(path, tmp_path / "other name.tar.xz")
    events = Events()
    assert resolve(tmp_path / "other name.tar.xz", store, events).commit == first.commit
    assert events == []


def test_a_checksum_that_is_wrong_or_none(store: Store, tmp_path: Path) -> None:
    path = pack(tmp_path)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert resolve(f"tarball:{path}#sha256={right.upper()}", store).version == "5.10.7"
    with pytest.raises(UserError, match=f"has the SHA-256 {right}, not {'0' * 64}"):
        resolve(f"tarball:{path}#sha256={'0' * 64}", store)
    for bad in ("#md5=abc", "#sha256=abc", "#"):
        if bad != "#":
            with pytest.raises(UserError, match="64 hex digits"):
                resolve(f"tarball:{path}{bad}", store)
    with pytest.raises(UserError, match="no such file"):
        resolve(f"tarball:{tmp_path}/nothing.tar", store)
    with pytest.raises(UserError, match="a URL needs its checksum"):
        resolve("tarball:https://example.org/linux.tar.xz", store)


@pytest.mark.parametrize("suffix", [".tar", ".tar.xz", ".tar.gz", ".tar.bz2", ".tar.zst"])
@pytest.mark.parametrize("part", [0.2, 0.7, 0.99])
def test_a_cut_off_archive_is_refused(store: Store, tmp_path: Path, suffix: str, part: float) -> None:
    path = pack(tmp_path, suffix)
    data = path.read_bytes()
    # A plain archive is cut between two members, where nothing but its missing end tells.
    cut = int(len(data) * part) if suffix != ".tar" else int(16 * part) * 512
    path.write_bytes(data[:cut])
    with pytest.raises(UserError, match=r"cannot be unpacked|is not a whole tar"):
        resolve(path, store)
    assert store.whole_trees() == []
    assert store.git("for-each-ref") == ""


def test_a_damaged_archive_is_refused(store: Store, tmp_path: Path) -> None:
    path = pack(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"cannot be unpacked: xz:"):
        resolve(path, store)
    assert store.whole_trees() == []


@pytest.mark.parametrize("data", [b"", b"hello world, no archive\n" * 100, b"\xfd7zXZ\x00"])
def test_what_is_no_archive(store: Store, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(UserError, match=r"is neither a tar archive|cannot be unpacked"):
        resolve(tmp_path / "x.tar", store)


def evil(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.size = kind, target, 1 if kind == tarfile.REGTYPE else 0
        archive.addfile(member, io.BytesIO(b"x"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (evil("linux/../../etc/passwd"), "unsafe path"),
        (evil("/etc/passwd"), "unsafe path"),
        (evil("linux/.git/config"), "unsafe path"),
        (evil("linux/.GIT/config"), "unsafe path"),
        (evil("linux/tty", tarfile.CHRTYPE), "neither a file, a folder nor a link"),
        (evil("linux/pipe", tarfile.FIFOTYPE), "neither a file, a folder nor a link"),
        (evil("linux/hard", tarfile.LNKTYPE, "/etc/passwd"), "hard link"),
        (evil("linux/file"), "is not a kernel tree"),
        (evil("linux", tarfile.DIRTYPE), "the archive is empty"),
    ],
)
def test_evil_archives(store: Store, tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "evil.tar").write_bytes(data)
    with pytest.raises(UserError, match=words):
        resolve(tmp_path / "evil.tar", store)
    assert store.whole_trees() == []


def test_the_stop_is_heard_in_the_middle(store: Store, tmp_path: Path) -> None:
    path = pack(tmp_path)
    stop = Stop()

    def listener(event: Event) -> None:
        if event.phase is Phase.START:
            stop.set()

    with pytest.raises(Stopped):
        resolve_source(str(path), store, listener, stop)
    assert store.whole_trees() == []
    assert resolve(path, store).tree == expected(tmp_path, store)


# Behind a URL


class Server(http.server.ThreadingHTTPServer):
    """Serves one body; `cut` bytes of it at most."""

    body = b""
    cut = 1 << 30
    asked = 0


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked += 1
        self.send_response(404 if "nothing" in self.path else 200)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body[: self.server.cut])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_url(store: Store, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server.body = pack(tmp_path).read_bytes()
    right = hashlib.sha256(server.body).hexdigest()
    spec = f"tarball:http://127.0.0.1:{server.server_port}/linux.tar.xz#sha256={right}"
    events = Events()
    source = resolve(spec, store, events)
    assert source.tree == expected(tmp_path, store)
    progress = [event for event in events if event.unit == "bytes"]
    assert (progress[-1].done, progress[-1].total) == (len(server.body), len(server.body))
    assert resolve(spec, store).commit == source.commit
    assert server.asked == 1
    assert [path.suffix for path in (store.root / "archives").iterdir()] == [".lock"]


def test_a_url_that_breaks_off_or_lies(
    store: Store, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server.body = pack(tmp_path).read_bytes()
    right = hashlib.sha256(server.body).hexdigest()
    url = f"tarball:http://127.0.0.1:{server.server_port}/linux.tar.xz#sha256="
    with pytest.raises(UserError, match=f"has the SHA-256 {right}, not"):
        resolve(url + "0" * 64, store)
    server.cut = len(server.body) // 2
    with pytest.raises(MachineError, match=r"127\.0\.0\.1"):
        resolve(url + right, store)
    with pytest.raises(MachineError, match="404"):
        resolve(url.replace("linux.tar", "nothing.tar") + right, store)
    assert {path.suffix for path in (store.root / "archives").iterdir()} == {".lock"}
    server.cut = 1 << 30
    left = store.root / "archives" / f"{right}.abc.partial"
    left.write_bytes(b"half")
    assert resolve(url + right, store).version == "5.10.7"
    assert not left.exists()


def test_a_url_that_nobody_answers(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(MachineError, match=r"127\.0\.0\.1"):
        resolve(f"tarball:http://127.0.0.1:9/linux.tar.xz#sha256={'0' * 64}", store)
