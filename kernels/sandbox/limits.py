# SPDX-License-Identifier: GPL-2.0-or-later
"""What one command of a build may take of the machine. `RIG_LIMITS` changes it: `RIG_LIMITS=seconds=600,disk=2000`."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

from util.errors import UserError

SWITCH = "RIG_LIMITS"
_SHARE = 0.8
"""Of the machine's memory: one build may have the most of it, and the rig, its guests and the user keep the rest."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` of wall time, `memory` of all processes together and `disk` of the folder that is written in MB,
    `file` the size of one file in MB, `output` what is printed in MB. 0 is no limit."""

    seconds: int = 6 * 3600
    memory: int = 0
    processes: int = 4096
    disk: int = 64 * 1024
    file: int = 16 * 1024
    output: int = 256

    def arguments(self) -> tuple[str, ...]:
        """The options of `supervise.py`, which watches all but the output."""
        words = asdict(self).items()
        return tuple(word for name, value in words if value and name != "output" for word in (f"--{name}", str(value)))


def limits(environment: Mapping[str, str] = os.environ) -> Limits:
    """The limits of this run. Raises UserError for a setting that cannot be read."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    found = Limits(memory=int(total * _SHARE))
    known = [field.name for field in fields(Limits)]
    for word in filter(None, environment.get(SWITCH, "").split(",")):
        name, _, value = word.strip().partition("=")
        if name not in known or not value.isdecimal() or len(value) > 12:
            raise UserError(f"{SWITCH}: `{word}`: write NAME=NUMBER, where NAME is one of {', '.join(known)}")
        found = replace(found, **{name: int(value)})
    return found
