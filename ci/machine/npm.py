# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of npm that the rig's own tests use: `configs/npm` names them, with versions and digests of all that they
consist of (`package-lock.json`). They lie in the cache, and nothing of them in the tree.

To add one: `npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved NAME@VERSION` there.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from util.errors import MachineError
from util.files.lock import locked
from util.paths import CONFIGS, cache
from util.stop import Stop

SWITCH = "RIG_NPM"
"""`none` in the environment: do without, and skip the tests that need them."""
_LISTS = ("package.json", "package-lock.json")


def modules() -> Path:
    """The folder of the installed packages; it exists whole or not at all."""
    content = b"".join((CONFIGS / "npm" / name).read_bytes() for name in _LISTS)
    return cache("npm") / hashlib.sha256(content).hexdigest()[:32] / "node_modules"


def wanted() -> bool:
    return os.environ.get(SWITCH) != "none"


def install() -> None:
    """Fetches what is missing; npm holds each package against its digest, and runs none of their scripts. Raises
    MachineError."""
    folder = modules().parent
    with locked(folder.with_suffix(".lock"), Stop()):
        if modules().is_dir():
            return
        if shutil.which("npm") is None:
            raise MachineError("npm is not installed")
        with TemporaryDirectory(prefix="new-", dir=folder.parent) as name:
            made = Path(name) / "made"
            made.mkdir()
            for file in _LISTS:
                shutil.copyfile(CONFIGS / "npm" / file, made / file)
            command = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
            done = subprocess.run(command, cwd=made, stdin=subprocess.DEVNULL, capture_output=True, check=False)
            if done.returncode:
                lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
                raise MachineError(f"npm: {lines[0] if lines else f'exit status {done.returncode}'}")
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
