# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py` as a user's shell starts it, with the user's own cache unless a test brings one.

For fast tests there is the same call in the test's own process."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from unittest.mock import patch

import pytest

import rig as program
from ci.model.results import Run
from util.paths import ROOT

USER = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
"""The environment before any fixture changed it, and before the rig's virtual environment was activated: real kernels
are built once, in the cache that `make run` uses too."""
_PATH = USER.get("PATH", os.defpath).split(os.pathsep)
USER["PATH"] = os.pathsep.join(folder for folder in _PATH if folder != str(ROOT / ".venv" / "bin"))


def rig(*arguments: str, cwd: Path = ROOT, environment: Mapping[str, str] = USER) -> "subprocess.CompletedProcess[str]":
    """One call, to its end."""
    command = [str(ROOT / "rig.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=dict(environment), check=False)


def rig_here(
    capture: pytest.CaptureFixture[str], *arguments: str, cwd: Path = ROOT, environment: Mapping[str, str] = USER
) -> "subprocess.CompletedProcess[str]":
    """The same call in this process: a tenth of a process' time, and the same code from `rig.run` on."""
    capture.readouterr()
    status: int | str | None = 0
    with patch.dict(os.environ, environment, clear=True), patch.object(sys, "argv", ["rig.py", *arguments]), chdir(cwd):
        try:
            program.run()
        except SystemExit as end:
            status = end.code
    shown = capture.readouterr()
    return subprocess.CompletedProcess(["rig.py", *arguments], int(status or 0), shown.out, shown.err)


def own_cache(folder: Path) -> dict[str, str]:
    """The user's environment with an empty cache and an empty state below `folder`."""
    return USER | {"XDG_CACHE_HOME": str(folder / "cache"), "XDG_STATE_HOME": str(folder / "state")}


def results(folder: Path) -> Run:
    """What a `check --out folder` found."""
    return Run.model_validate_json((folder / "results.json").read_text(encoding="utf-8"))
