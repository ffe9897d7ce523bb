# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes cpio archives of the `newc` kind, the one that the kernel unpacks into its root file system.

The format: Documentation/driver-api/early-userspace/buffer-format.rst; what the kernel does with it: init/initramfs.c.
The same entries give the same bytes: no clock, owner or inode number of the host gets in, and device nodes are only
entries, so that neither root nor a staging folder is needed. The kernel takes several archives one after the other;
every archive here ends on a multiple of four bytes, as it demands.
"""

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from util.errors import UserError

TRAILER = "TRAILER!!!"
NAME_LIMIT = 4096
"""PATH_MAX with the final NUL: init/initramfs.c ignores an entry with a longer name without a message."""
DATA_LIMIT = 0xFFFFFFFF
"""The size field holds eight hexadecimal digits."""
DEVICE_LIMIT = 0xFFFFFFFF
_KINDS = {stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK}
_KINDS_WITH_DATA = {stat.S_IFREG, stat.S_IFLNK}


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive. `path` is relative to the root (a leading slash is taken off), `mode` includes the file
    type bits, `data` is a file's content or a symbolic link's target, `rdev` a node's (major, minor)."""

    path: str
    mode: int
    data: bytes = b""
    rdev: tuple[int, int] = (0, 0)


def file(path: str, data: bytes, mode: int = 0o644) -> Entry:
    """A regular file; `mode` holds the permission bits."""
    return Entry(path, stat.S_IFREG | mode, data)


def program(path: str, data: bytes) -> Entry:
    """A regular file that everybody may execute."""
    return file(path, data, 0o755)


def directory(path: str, mode: int = 0o755) -> Entry:
    """A directory; needed only where 0755 will not do, because parents are made."""
    return Entry(path, stat.S_IFDIR | mode)


def symlink(path: str, target: str) -> Entry:
    """A symbolic link at `path` to `target`."""
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def node(path: str, major: int, minor: int, mode: int = 0o600, *, block: bool = False) -> Entry:
    """A device node, by default a character device."""
    return Entry(path, (stat.S_IFBLK if block else stat.S_IFCHR) | mode, b"", (major, minor))


def archive(entries: Iterable[Entry]) -> bytes:
    """The archive of `entries`, sorted, with absent parents made (0755), owned by root, all times zero.

    Raises UserError for what the kernel would pass over or take wrongly: a name that leaves the root or is too long,
    two entries of one name, a parent that is no directory, data where there can be none.
    """
    return b"".join(_record(number, entry) for number, entry in enumerate(_complete(entries), start=1)) + _record(
        0, Entry(TRAILER, 0)
    )


def _complete(entries: Iterable[Entry]) -> list[Entry]:
    """The entries under their plain names, with parents, each parent before its children."""
    found: dict[PurePosixPath, Entry] = {}
    for entry in entries:
        path = _plain(entry.path)
        if path in found:
            raise UserError(f"initramfs: two entries are called `{path}`; drop one of them")
        _check(entry)
        found[path] = Entry(str(path), entry.mode, entry.data, entry.rdev)
    for path in list(found):
        for parent in list(path.parents)[:-1]:
            made = found.setdefault(parent, directory(str(parent)))
            if not stat.S_ISDIR(made.mode):
                raise UserError(f"initramfs: `{path}` stands below `{parent}`, which is not a directory; move it")
    return [found[path] for path in sorted(found, key=lambda path: path.parts)]


def _plain(name: str) -> PurePosixPath:
    path = PurePosixPath(name.lstrip("/"))
    if not path.parts or ".." in path.parts or "\0" in name:
        raise UserError(f"initramfs: `{name!r}` is no name inside the image; give a path below the root")
    if str(path) == TRAILER:
        raise UserError(f"initramfs: `{TRAILER}` ends an archive and cannot be a file's name")
    if len(str(path).encode()) + 1 > NAME_LIMIT:
        raise UserError(f"initramfs: name of {len(str(path).encode())} bytes: the kernel takes {NAME_LIMIT - 1}")
    return path


def _check(entry: Entry) -> None:
    kind = stat.S_IFMT(entry.mode)
    if kind not in _KINDS or entry.mode > 0o177777:
        raise UserError(f"initramfs: `{entry.path}`: mode {entry.mode:o} names no type of file")
    if entry.data and kind not in _KINDS_WITH_DATA:
        raise UserError(f"initramfs: `{entry.path}`: only files and symbolic links hold data")
    if kind == stat.S_IFLNK and not 0 < len(entry.data) < NAME_LIMIT:
        raise UserError(f"initramfs: `{entry.path}`: a link's target has 1 to {NAME_LIMIT - 1} bytes")
    if len(entry.data) > DATA_LIMIT:
        raise UserError(f"initramfs: `{entry.path}`: {len(entry.data)} bytes: the format ends at {DATA_LIMIT}")
    if not all(0 <= number <= DEVICE_LIMIT for number in entry.rdev):
        raise UserError(f"initramfs: `{entry.path}`: no such device number {entry.rdev}")


def _record(inode: int, entry: Entry) -> bytes:
    """Header, name and data. One link each: the kernel looks for hard links, also into an archive before this one,
    only where an entry counts two or more, so inode numbers that repeat do no harm."""
    name = entry.path.encode() + b"\0"
    fields = (inode, entry.mode, 0, 0, 1, 0, len(entry.data), 0, 0, *entry.rdev, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
