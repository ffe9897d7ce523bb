# SPDX-License-Identifier: GPL-2.0-only
"""Where the rig keeps what it may delete, and where its own data files stand."""

from pathlib import Path

import platformdirs

APP = "kernel-patch-rig"
ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / "configs"


def cache_root() -> Path:
    """The cache folder of this user (`$XDG_CACHE_HOME/kernel-patch-rig`), made if absent."""
    return platformdirs.user_cache_path(APP, ensure_exists=True)


def cache(*parts: str) -> Path:
    """A folder inside the cache, made if absent."""
    path = cache_root().joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path
