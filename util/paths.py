# SPDX-License-Identifier: GPL-2.0-or-later
"""The rig itself: its version, and the paths of its cache, of its data files, and of its run folders."""

import itertools
import os
import subprocess
import sys
from contextlib import suppress
from datetime import datetime
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


def called_as() -> str:
    """How the rig was called, so that a command line that starts with it can be pasted where this one was typed;
    `./rig.py` where another program uses the rig's modules."""
    name = sys.argv[0] if sys.argv else ""
    if Path(name).resolve() != ROOT / "rig.py":
        return "./rig.py"
    return name if "/" in name else f"./{name}"


def new_run_folder(name: str) -> Path:
    """A new folder for the reports of one run, named by profile and time; `latest` beside it points there.

    It stands in the user's state folder, never in the current one: under bisection that is the tree being judged.
    """
    runs = platformdirs.user_state_path(APP) / "runs"
    stamp = datetime.now().strftime("%Y-%m-%d-%H%M%S")
    for attempt in itertools.count():
        folder = runs / f"{name}-{stamp}{f'-{attempt}' if attempt else ''}"
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            break
    latest = runs / f".latest-{os.getpid()}"
    latest.unlink(missing_ok=True)
    latest.symlink_to(folder.name)
    latest.replace(runs / "latest")
    return folder


def version() -> str:
    """The rig's own `git describe`, or `unknown` outside a checkout."""
    command = ("git", "-C", str(ROOT), "describe", "--always", "--dirty", "--tags")
    try:
        finished = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return finished.stdout.strip() if finished.returncode == 0 else "unknown"
