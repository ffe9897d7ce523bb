# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of npm that tests run, in the versions of `configs/npm/package-lock.json`, installed into the cache."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from util.lock import locked
from util.paths import CONFIGS, cache
from util.stop import Stop

LISTS = [CONFIGS / "npm" / name for name in ("package.json", "package-lock.json")]


def program(name: str) -> Path:
    """The path of a program, installed if it is not yet. No script of a package is run for that."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in LISTS)).hexdigest()[:16]
    folder = cache("npm") / digest
    with locked(cache("npm") / "lock", Stop()):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for path in LISTS:
                shutil.copy(path, folder)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
            (folder / "done").touch()
    return folder / "node_modules" / ".bin" / name
