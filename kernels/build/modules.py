# SPDX-License-Identifier: GPL-2.0-or-later
"""The loadable modules of a build in one file: a tar of `lib/modules/<release>`, always the same for the same ones."""

import io
import stat
import tarfile
from pathlib import Path

MODULES = "modules.tar"
"""The name of the output; a build that was not asked for a module has none."""
INSTALLED = "rig-modules"
"""Where `make modules_install` puts them, in the output folder."""


def pack_modules(root: Path, archive: Path) -> None:
    """Packs regular files only: the links `build` and `source` lead out of the tree."""
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(root.rglob("*")):
            if stat.S_ISREG(path.lstat().st_mode):
                data = path.read_bytes()
                entry = tarfile.TarInfo(str(path.relative_to(root)))
                entry.size, entry.mode = len(data), 0o644
                tar.addfile(entry, io.BytesIO(data))


def unpack_modules(archive: Path) -> dict[str, bytes]:
    """Content by path below the root of a file system: `lib/modules/<release>/kernel/lib/test_bpf.ko`."""
    with tarfile.open(archive) as tar:
        return {entry.name: file.read() for entry in tar if (file := tar.extractfile(entry))}
