# SPDX-License-Identifier: GPL-2.0-or-later
"""What a suite may bring for the rig's own measurements (`bench/`), in modules that are found by their place:

testcases/<suite>/bench/figures.py    PARTS: by name, functions from an empty folder to measurements
testcases/<suite>/bench/campaign.py   PARTS: by name, functions from `built` to rows, as `CampaignPart` says
testcases/<suite>/bench/readers.py    READERS: by name, a function of bytes and one that gives good inputs of it
"""

import importlib
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from util.paths import ROOT

CampaignPart = Callable[[Callable[..., Path]], Iterator[tuple[bool, str]]]
"""Rows, each with whether it came out as it must and a line that says how. What it is called with gives the folder of
the first kernel that `rig.py build` makes with these arguments."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row: what was measured, the figure with its unit, what it is to reach, and the two sides of a ratio."""

    name: str
    value: str
    goal: str
    sides: str

    def __str__(self) -> str:
        return f"{self.name:36} {self.value:>10}  goal {self.goal:>9}  ({self.sides})"


def children_seconds() -> float:
    """Processor seconds of all children of this process that have ended, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def brought(module: str, name: str) -> dict[str, Any]:
    """The dictionaries of this name in that module of every suite that has it, as one."""
    paths = sorted((ROOT / "testcases").glob(f"*/bench/{module}.py"))
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths)
    return {key: value for found in names for key, value in getattr(importlib.import_module(found), name).items()}
