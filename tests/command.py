# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py` as a user's shell starts it, with the user's own cache unless a test brings one."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ci.model.results import Run
from util.paths import ROOT

USER = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
"""The environment before any fixture changed it: real kernels are built once, in the cache that `make run` uses too."""


def rig(*arguments: str, cwd: Path = ROOT, environment: Mapping[str, str] = USER) -> "subprocess.CompletedProcess[str]":
    """One call, to its end."""
    command = [str(ROOT / "rig.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=dict(environment), check=False)


def own_cache(folder: Path) -> dict[str, str]:
    """The user's environment with an empty cache and an empty state below `folder`."""
    return USER | {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_STATE_HOME": str(folder / "state")}


def results(folder: Path) -> Run:
    """What a `check --out folder` found."""
    return Run.model_validate_json((folder / "results.json").read_text(encoding="utf-8"))
