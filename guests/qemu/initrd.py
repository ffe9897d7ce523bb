# SPDX-License-Identifier: GPL-2.0-or-later
"""The archives that a kernel unpacks one after another, as one initrd."""

import os
from collections.abc import Iterable
from pathlib import Path

from util.errors import UserError

ALIGNMENT = 512
"""The kernel takes archives that follow each other at a multiple of four bytes."""


def anonymous_initrd(parts: Iterable[Path | bytes]) -> int:
    """A descriptor of a memory file that holds the archives one after the other. The caller closes it.

    Raises UserError for a part that cannot be read.
    """
    pieces = padded(parts)
    descriptor = os.memfd_create("initrd", os.MFD_CLOEXEC)
    with open(descriptor, "wb", closefd=False) as file:
        file.writelines(pieces)
    return descriptor


def padded(parts: Iterable[Path | bytes]) -> list[bytes]:
    """The archives, each filled up with zeros so that the next one starts where the kernel looks for it.

    Raises UserError for a part that cannot be read.
    """
    try:
        read = [part if isinstance(part, bytes) else part.read_bytes() for part in parts]
    except OSError as error:
        raise UserError(f"initrd: {error.filename}: {error.strerror}") from None
    return [data + b"\0" * (-len(data) % ALIGNMENT) for data in read]
