# SPDX-License-Identifier: GPL-2.0-or-later
"""What the rig has to know about a selftest beyond what its own Makefile says: `targets/<target>.yaml`, often absent.

Kconfig lines that a target needs and does not name stand in `targets/<target>.config`, as a fragment.
"""

from pathlib import Path

from pydantic import Field

from configs.loader import load
from configs.model import Strict

TARGETS = Path(__file__).parent / "targets"


class LeftOut(Strict):
    """A program that is not run, and why. `abis` empty: under none of them."""

    reason: str
    abis: tuple[str, ...] = ()


class ConfigWhen(Strict):
    """Kconfig lines for those trees in which the target's folder holds the text `mentions`: a new test of a new kernel
    must not make every older kernel larger."""

    mentions: str
    lines: tuple[str, ...]


class Target(Strict):
    """`left_out`, `arguments` and `timeouts` (seconds) go by program name. `cflags` come behind the target's own;
    `inputs` are paths of the tree that the build reads and the scan for references does not find."""

    left_out: dict[str, LeftOut] = Field(default_factory=dict)
    arguments: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    timeouts: dict[str, int] = Field(default_factory=dict)
    config_when: tuple[ConfigWhen, ...] = ()
    cflags: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    commands: bool = True
    """Whether its programs start others that a common system has, so that the image needs busybox."""
    line_buffer: bool = True
    """Off for programs without a C library."""


def load_target(target: str) -> Target:
    """Raises UserError with file and line for a mistake in the file."""
    path = TARGETS / f"{target}.yaml"
    return load(path, Target) if path.exists() else Target()


def config_file(target: str) -> Path:
    """Where the target's own fragment stands, whether it exists or not."""
    return TARGETS / f"{target}.config"
