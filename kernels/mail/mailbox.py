# SPDX-License-Identifier: GPL-2.0-or-later
"""Files with mails in them: how much of a file is read, how it is unpacked, and where one mail ends."""

import bz2
import gzip
import io
import lzma
import re
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path
from typing import IO

from util.errors import UserError

MAX_BYTES = 64 << 20
"""Of one mailbox, unpacked. The largest series on the kernel's lists are a few megabytes; this is a wall, not a
measure."""

MAX_MAILS = 5000
"""Of one mailbox: more is an archive, not a thread."""

_PACKED: dict[bytes, Callable[[IO[bytes]], IO[bytes] | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
"""By the first bytes of a file."""

_HEADER = re.compile(rb"[!-9;-~]+[ \t]*:|>From ")
_YEAR = re.compile(rb"\s*\d{2,8}(?!\d)")


def read_file(path: Path) -> bytes:
    """The content of a file, unpacked where it is gzip, bzip2 or xz. Raises UserError for one that is too big, before
    it is read, and for one that cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _too_big(path)
        with path.open("rb") as file:  # which may be a pipe of the shell's
            data = file.read(MAX_BYTES + 1)
        unpack = next((opener for magic, opener in _PACKED.items() if data.startswith(magic)), None)
        if unpack and len(data) <= MAX_BYTES:
            with unpack(io.BytesIO(data)) as stream:
                data = stream.read(MAX_BYTES + 1)
    except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile):
        raise UserError(f"{path}: is packed, and damaged") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    if len(data) > MAX_BYTES:
        raise _too_big(path)
    return data


def _too_big(where: object) -> UserError:
    return UserError(f"{where}: is larger than {MAX_BYTES >> 20} MiB, which no patch series is")


def is_maildir(folder: Path) -> bool:
    """A folder with `new` or `cur`; mail programs make `tmp` as well, archives leave empty folders out."""
    return any((folder / name).is_dir() for name in ("new", "cur"))


def maildir_files(folder: Path) -> list[Path]:
    """The mails of a maildir in the order of their names, which is that of delivery."""
    found = [file for name in ("new", "cur") if (folder / name).is_dir() for file in (folder / name).iterdir()]
    return sorted((file for file in found if file.is_file() and not file.name.startswith(".")), key=lambda f: f.name)


def split(data: bytes, where: str) -> list[bytes]:
    """The raw mails of a mailbox; one mail alone needs no separator, and what an editor or a copy has left before the
    first line (blank lines, a byte order mark) is passed over. Raises UserError if it is too big.

    A mail begins where git's mailsplit says so, if a header follows: with no blank line needed before. A sentence of a
    message that looks like a separator is no beginning, for what follows it is no header.
    """
    if len(data) > MAX_BYTES:
        raise _too_big(where)
    data = data.removeprefix(BOM_UTF8).lstrip(b"\r\n")
    lines = _lines(data)
    starts = [index for index in range(len(lines)) if _is_start(lines, index)]
    if not starts:
        return [data] if data.strip() else []
    if len(starts) > MAX_MAILS:
        raise UserError(f"{where}: holds {len(starts)} mails; a series is looked for in at most {MAX_MAILS}")
    mails = [b"".join(lines[start:end]) for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    before = b"".join(lines[: starts[0]])
    return [before, *mails] if before.strip() else mails


def _lines(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + [line for line in lines[-1:] if line]


def _is_start(lines: list[bytes], index: int) -> bool:
    return _is_separator(lines[index]) and index + 1 < len(lines) and _HEADER.match(lines[index + 1]) is not None


def _is_separator(line: bytes) -> bool:
    """`From `, something, a time of day and a year: the rule of git's mailsplit.c (is_from_line), in linear time."""
    if not line.startswith(b"From "):
        return False
    colon = line.rfind(b":")
    digits = line[colon - 4 : colon - 3] + line[colon - 2 : colon] + line[colon + 1 : colon + 3]
    if colon < 9 or len(digits) != 5 or not digits.isdigit():
        return False
    year = _YEAR.match(line, colon + 3)
    return year is not None and int(year.group()) > 90
