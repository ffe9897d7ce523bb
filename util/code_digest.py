# SPDX-License-Identifier: GPL-2.0-or-later
"""The rig's own files as part of what a cached result depends on."""

import hashlib
from functools import cache

from util.paths import ROOT


@cache
def code_digest(*names: str) -> str:
    """Digest of the rig's files and folders of these names, relative to its root. Raises FileNotFoundError for a name
    that is not there: a file that was moved must not silently leave the key of cached results."""
    digest = hashlib.sha256()
    for name in names:
        start = ROOT / name
        if not start.exists():
            raise FileNotFoundError(f"{name}: no such file or folder of the rig, so no result can depend on it")
        for path in sorted(start.rglob("*")) if start.is_dir() else [start]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(repr((str(path.relative_to(ROOT)), path.read_bytes())).encode())
    return digest.hexdigest()
