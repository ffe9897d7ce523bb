# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the commands: `ci/command/<name>.py` and `testcases/<suite>/cli/command.py`, each with a `COMMAND`.

A module of a command imports what is slow inside of its functions, so that `--help` and completion answer at once.
"""

import importlib
from pathlib import Path

import click

from util.paths import ROOT

_OURS = Path(__file__).parent


def commands() -> list[click.Command]:
    """Every command of the rig, by name."""
    paths = [*_OURS.glob("*.py"), *(ROOT / "testcases").glob("*/cli/command.py")]
    modules = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths if path.stem not in _SHARED)
    found = [importlib.import_module(module).COMMAND for module in modules]
    return sorted(found, key=lambda command: command.name or "")


_SHARED = frozenset(("__init__", "complete", "earlier", "options", "registry", "running"))
