# SPDX-License-Identifier: GPL-2.0-or-later
"""Content-addressed files of another machine, on a folder of this one that speaks enough SFTP."""

import hashlib
import os
from pathlib import Path
from random import Random
from typing import Any, cast

import paramiko
import pytest

from guests.host.remote_files import RemoteFiles
from util.errors import MachineError
from util.stop import Stop, Stopped

DATA = Random(1).randbytes(3 << 20)
NAME = hashlib.sha256(DATA).hexdigest()


class _File:
    def __init__(self, path: str, mode: str, log: list[int]) -> None:
        self._file, self._log = Path(path).open(mode), log  # noqa: SIM115

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def set_pipelined(self, _yes: bool) -> None: ...

    def seek(self, offset: int) -> None:
        self._file.seek(offset)

    def write(self, data: bytes) -> None:
        self._log.append(len(data))
        self._file.write(data)


class FolderSftp:
    """`sent` are the sizes of all writes."""

    def __init__(self) -> None:
        self.sent: list[int] = []

    def open(self, path: str, mode: str) -> _File:
        return _File(path, mode, self.sent)

    def stat(self, path: str) -> paramiko.SFTPAttributes:
        return paramiko.SFTPAttributes.from_stat(Path(path).stat())

    def listdir_attr(self, path: str) -> list[paramiko.SFTPAttributes]:
        return [paramiko.SFTPAttributes.from_stat(item.stat(), item.name) for item in Path(path).iterdir()]

    def __getattr__(self, name: str) -> Any:
        return {"utime": os.utime, "posix_rename": os.rename, "remove": os.remove, "listdir": os.listdir,
                "rmdir": os.rmdir}[name]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    (tmp_path / "guests").mkdir()
    return tmp_path


def store(root: Path) -> tuple[RemoteFiles, FolderSftp]:
    sftp = FolderSftp()
    digest = lambda path: hashlib.sha256(Path(path).read_bytes()).hexdigest()  # noqa: E731
    return RemoteFiles(cast(paramiko.SFTPClient, sftp), str(root), digest), sftp


def test_a_file_is_sent_once(root: Path) -> None:
    files, sftp = store(root)
    path = files.put(DATA, Stop())
    assert (Path(path).name, Path(path).read_bytes()) == (NAME, DATA)
    assert sum(sftp.sent) == len(DATA)
    assert files.put(DATA, Stop()) == path
    assert sum(sftp.sent) == len(DATA)
    later, another = store(root)
    assert later.put(DATA, Stop()) == path
    assert another.sent == []


def test_what_was_cut_off_goes_on_from_there(root: Path) -> None:
    (root / "files" / f"{NAME}.part").write_bytes(DATA[: 2 << 20])
    files, sftp = store(root)
    assert Path(files.put(DATA, Stop())).read_bytes() == DATA
    assert sum(sftp.sent) == 1 << 20
    assert [item.name for item in (root / "files").iterdir()] == [NAME]


@pytest.mark.parametrize("left", [b"something else", DATA + b"and more", b""])
def test_what_is_no_beginning_of_it_is_sent_anew(root: Path, left: bytes) -> None:
    (root / "files" / f"{NAME}.part").write_bytes(left)
    files, _sftp = store(root)
    assert Path(files.put(DATA, Stop())).read_bytes() == DATA


def test_a_machine_that_spoils_files_is_told_so(root: Path) -> None:
    sftp = FolderSftp()
    files = RemoteFiles(cast(paramiko.SFTPClient, sftp), str(root), lambda _path: "0" * 64)
    with pytest.raises(MachineError, match="does not arrive as it was sent"):
        files.put(DATA, Stop())


def test_a_full_disk_is_the_machines_fault(root: Path) -> None:
    (root / "files").rmdir()
    files, _sftp = store(root)
    with pytest.raises(MachineError, match="cannot be sent"):
        files.put(DATA, Stop())


def test_a_stop_is_seen_and_what_was_sent_stays(root: Path) -> None:
    files, _sftp = store(root)
    stop = Stop()
    stop.set()
    with pytest.raises(Stopped):
        files.put(DATA, stop)
    assert [item.name for item in (root / "files").iterdir()] == [f"{NAME}.part"]


def test_what_was_not_used_for_longest_goes(root: Path) -> None:
    for number in range(4):
        path = root / "files" / str(number)
        path.write_bytes(b"x" * 1000)
        os.utime(path, (number, number))
    for name, age in (("dead", 0), ("alive", None)):
        folder = root / "guests" / name
        folder.mkdir()
        (folder / "initrd").touch()
        os.utime(folder, None if age is None else (age, age))
    files, _sftp = store(root)
    files.trim(keep=2500)
    assert sorted(item.name for item in (root / "files").iterdir()) == ["2", "3"]
    assert [item.name for item in (root / "guests").iterdir()] == ["alive"]
