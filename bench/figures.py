# SPDX-License-Identifier: GPL-2.0-only
"""The rig's own figures, each beside what it is compared with, measured in one run: `python -m bench.figures`.

A figure is a ratio wherever it can be: this machine's speed drifts, and both sides of a ratio drift together.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from bench.boots import bare_boot, empty_boot
from bench.plain import plain_build
from configs.paths import ROOT

SERIES = ROOT / "kernels" / "series" / "seccomp-cache"


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what was measured, the figure with its unit, what it is to reach, and how it came about."""

    name: str
    value: str
    goal: str
    how: str


@contextmanager
def own_cache(name: str) -> Iterator[dict[str, str]]:
    """An environment with an empty cache that shares the user's imported sources by a copy."""
    with tempfile.TemporaryDirectory(prefix=f"rig-bench-{name}-") as folder:
        yield os.environ | {"XDG_CACHE_HOME": f"{folder}/cache", "XDG_STATE_HOME": f"{folder}/state"}


def timed(command: list[str], environment: dict[str, str]) -> float:
    """Wall seconds of one `rig.py` that must end with status 0."""
    start = time.monotonic()
    finished = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if finished.returncode:
        sys.exit(f"{' '.join(command)} ended with {finished.returncode}:\n{finished.stderr.decode()[-2000:]}")
    return time.monotonic() - start


def check(*arguments: str) -> list[str]:
    return [str(ROOT / "rig.py"), "check", *arguments]
