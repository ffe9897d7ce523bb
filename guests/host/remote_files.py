# SPDX-License-Identifier: GPL-2.0-or-later
"""Files on another machine, named by their content: a file that is there is not sent again.

<cache>/kernel-patch-rig/files/<sha256>        whole
<cache>/kernel-patch-rig/files/<sha256>.part   being sent; the next attempt goes on from where it ends
<cache>/kernel-patch-rig/guests/<random>/      of a guest that runs (guests.host.bridge)
"""

import hashlib
import stat
import threading
import time
from collections.abc import Callable

import paramiko

from util.errors import MachineError
from util.stop import Stop

KEEP = 2 << 30
"""Bytes that may stay there; the least recently used files are removed first."""
ABANDONED = 86400.0
"""Seconds after which a guest's folder is taken to be abandoned."""
_CHUNK = 1 << 20


class RemoteFiles:
    """`root` is the folder of all of it, made if absent; `digest_of` asks the machine for a file's SHA-256."""

    def __init__(self, sftp: paramiko.SFTPClient, root: str, digest_of: Callable[[str], str]) -> None:
        self._sftp = sftp
        self._digest_of = digest_of
        self._files, self.guests = f"{root}/files", f"{root}/guests"
        self._lock = threading.Lock()  # one file at a time, or two tasks would send the same one
        self._known: set[str] = set()

    def put(self, data: bytes, stop: Stop) -> str:
        """The path there of a file with this content. Raises MachineError, Stopped."""
        name = hashlib.sha256(data).hexdigest()
        path = f"{self._files}/{name}"
        with self._lock:
            if name not in self._known:
                try:
                    self._send(data, path, name, stop)
                except (OSError, EOFError, paramiko.SSHException) as error:
                    raise MachineError(f"{path} cannot be sent: {error or 'the connection was lost'}") from None
                self._known.add(name)
        return path

    def _send(self, data: bytes, path: str, name: str, stop: Stop) -> None:
        if self._size(path) == len(data):
            self._sftp.utime(path, None)  # `trim` goes by age
            return
        part = f"{path}.part"
        for _attempt in range(2):
            self._append(data, part, stop)
            if self._digest_of(part) == name:
                self._sftp.posix_rename(part, path)
                return
            self._sftp.remove(part)  # what an earlier attempt left was not the beginning of this
        raise MachineError(f"{path} does not arrive as it was sent")

    def _append(self, data: bytes, part: str, stop: Stop) -> None:
        start = min(self._size(part) or 0, len(data))
        with self._sftp.open(part, "r+b" if start else "wb") as file:
            file.set_pipelined(True)
            file.seek(start)
            for offset in range(start, len(data), _CHUNK):
                stop.check()
                file.write(data[offset : offset + _CHUNK])

    def _size(self, path: str) -> int | None:
        try:
            return self._sftp.stat(path).st_size
        except FileNotFoundError:
            return None

    def trim(self, keep: int = KEEP) -> None:
        """Removes the files that were not used for longest until the rest is no larger than `keep`, and what is left
        of guests whose machine went down. Raises MachineError."""
        try:
            found = sorted(self._sftp.listdir_attr(self._files), key=lambda item: item.st_mtime or 0, reverse=True)
            for item in found:
                keep -= item.st_size or 0
                if keep < 0:
                    self._sftp.remove(f"{self._files}/{item.filename}")
            for item in self._sftp.listdir_attr(self.guests):
                if stat.S_ISDIR(item.st_mode or 0) and (item.st_mtime or 0) < time.time() - ABANDONED:
                    self._remove_guest(f"{self.guests}/{item.filename}")
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise MachineError(f"{self._files} cannot be trimmed: {error or 'the connection was lost'}") from None

    def _remove_guest(self, folder: str) -> None:
        for name in self._sftp.listdir(folder):
            self._sftp.remove(f"{folder}/{name}")
        self._sftp.rmdir(folder)
