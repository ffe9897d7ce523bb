# SPDX-License-Identifier: GPL-2.0-only
"""The rig's own files as part of what a cached result depends on."""

import hashlib
from functools import cache

from configs.paths import ROOT


@cache
def code_digest(*names: str) -> str:
    """Digest of the rig's files and folders of these names, relative to its root."""
    digest = hashlib.sha256()
    for name in names:
        start = ROOT / name
        for path in sorted(start.rglob("*")) if start.is_dir() else [start]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(repr((str(path.relative_to(ROOT)), path.read_bytes())).encode())
    return digest.hexdigest()
