# SPDX-License-Identifier: GPL-2.0-or-later
"""Walks over folders of the cache that other processes change meanwhile: what has just gone is left out, no error."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

Found = tuple[Path, os.stat_result]
"""A path, and what `lstat` says of it."""


def present(paths: Iterable[Path]) -> Iterator[Found]:
    """Those of the paths that are still there."""
    for path in paths:
        try:
            yield path, path.lstat()
        except FileNotFoundError:
            continue


def below(folder: Path) -> Iterator[Found]:
    """Every file, link and folder below `folder`; none where it is no folder."""
    for root, folders, files in os.walk(folder):  # which passes over a folder that has gone
        yield from present(Path(root) / name for name in (*folders, *files))


def disk_use(path: Path) -> int:
    """Bytes on the disk of a file, or of a folder with all that is below it. A file that has several names (builds and
    checkouts share files) counts in part for each."""
    found = [*present([path]), *below(path)]
    return int(
        sum(info.st_blocks * 512 / (1 if stat.S_ISDIR(info.st_mode) else info.st_nlink or 1) for _, info in found)
    )
