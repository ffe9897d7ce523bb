# SPDX-License-Identifier: GPL-2.0-or-later
"""What it costs to carry out a run in parts on one machine: planning, every part and joining, beside the run at once.

Processor time is compared, which a busy machine changes less than wall time. Kernels come from the cache on both
sides, and every guest is booted.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ci.plan.shards import read_shards
from testcases.measured import children_seconds
from util.paths import ROOT

OPTIONS = ("--arch", "x86_64", "--abi", "x86_64", "--fresh")


@dataclass(frozen=True, slots=True)
class InParts:
    """Processor seconds of the run at once, and of all its parts with planning and joining; `count` of them."""

    at_once: float
    in_parts: float
    count: int

    @property
    def overhead(self) -> float:
        """Of the parts, in percent of the run at once."""
        return 100 * (self.in_parts / self.at_once - 1)


def measure(folder: Path, jobs: int, options: tuple[str, ...] = OPTIONS) -> InParts:
    """The default profile, whose kernels are built by then, in at most `jobs` parts."""
    _spent("check", *options, "--cells", "*/build", "--quiet", "--out", str(folder / "kernels"))
    planned = _spent("gitlab", "generate", "--jobs", str(jobs), "--least", "0", "--out", "plan", "--", *options,
                     cwd=folder)  # fmt: skip
    shards = folder / "plan" / "shards.json"
    names = [shard.name for shard in read_shards(shards).shards]
    at_once = _spent("check", *options, "--quiet", "--out", str(folder / "once"))
    parts = sum(
        _spent(
            "check", *options, "--quiet", "--shards", str(shards), "--shard", name, "--out", str(folder / "p" / name)
        )
        for name in names
    )
    joined = _spent("merge", str(folder / "p"), "--shards", str(shards), "--out", str(folder / "joined"))
    return InParts(at_once, planned + parts + joined, len(names))


def _spent(*words: str, cwd: Path = ROOT) -> float:
    """Processor seconds of one call of the rig and of all that it started."""
    before = children_seconds()
    command = [str(ROOT / "rig.py"), *words]
    done = subprocess.run(command, cwd=cwd, env=os.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return children_seconds() - before
