# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the commands: `ci/command/<group>/<name>.py` and `testcases/<suite>/cli/command.py`, each with a `COMMAND`.

A module of a command imports what is slow inside of its functions, so that `--help` and completion answer at once.
"""

import importlib
from pathlib import Path

import click

from util.paths import ROOT

_GROUPS = Path(__file__).parent
_HELPERS = frozenset(("__init__", "earlier"))
"""Modules in a group's folder that are no command. What several groups share stands in `shared`."""


def commands() -> list[click.Command]:
    """Every command of the rig, by name."""
    ours = (path for path in _GROUPS.glob("*/*.py") if path.parent.name != "shared" and path.stem not in _HELPERS)
    paths = [*ours, *(ROOT / "testcases").glob("*/cli/command.py")]
    modules = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths)
    found = [importlib.import_module(module).COMMAND for module in modules]
    return sorted(found, key=lambda command: command.name or "")
