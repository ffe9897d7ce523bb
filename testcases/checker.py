# SPDX-License-Identifier: GPL-2.0-or-later
"""How a suite's own command has its suite run: by a function that is handed in, since `ci/` stands right of here."""

from pathlib import Path
from typing import Protocol


class Checker(Protocol):
    """What a command of a suite calls to run the suite on the kernels of a profile, given by its file."""

    def __call__(
        self, profile: Path, *, abis: tuple[str, ...], source: str | None, series: str | None, rerun: int, out: Path
    ) -> int:
        """As `rig.py check --fresh` with these options; the exit status. Raises RigError."""


CHECKER = "checker"
"""Where a command finds the Checker in click's `Context.meta`: the rooms to the right hand it in."""
