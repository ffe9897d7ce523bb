# SPDX-License-Identifier: GPL-2.0-or-later
"""The first thing that a run does with its `--out`: it takes the old answer away, also where a later word is wrong."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

RUNS = ("check", "bench", "wall")
_NO_RUN = ("-h", "--help", "--dry-run", "--version")


def take_away(arguments: Sequence[str]) -> None:
    """Reads the command line as far as that needs, before anything can be wrong with it. Raises MachineError."""
    if not arguments or arguments[0] not in RUNS or any(word in _NO_RUN for word in arguments):
        return
    for folder in _outputs(arguments):
        from ci.report.output import clear

        with suppress(OSError, ValueError):  # a name that no folder can have holds no answer
            clear(Path(folder))


def _outputs(arguments: Sequence[str]) -> list[str]:
    following = [after for word, after in pairwise(arguments) if word == "--out"]
    return following + [word.removeprefix("--out=") for word in arguments if word.startswith("--out=")]
