# SPDX-License-Identifier: GPL-2.0-or-later
"""The first thing that a run does with its `--out`: it takes the old answer away, also where a later word is wrong.

`rig.py` calls this before it imports anything slow, and before it has changed to its own Python: standard library only.
"""

import os
from collections.abc import Sequence

_RUNS = ("check", "bench", "wall", "rerun")
_NO_RUN = ("-h", "--help", "--dry-run", "--version")


def take_away(arguments: Sequence[str]) -> None:
    """Removes `results.json` and every `junit*.xml` from the output folder of a run, read from its command line before
    anything can be wrong with that. A folder that cannot be cleared is refused later, in words."""
    if not arguments or arguments[0] not in _RUNS or any(word in _NO_RUN for word in arguments):
        return
    for folder in _outputs(arguments):
        if arguments[0] == "rerun" and _is_input(folder, arguments):
            continue
        try:
            for name in os.listdir(folder):  # noqa: PTH208 - pathlib is the slowest import that this could have
                if name == "results.json" or (name.startswith("junit") and name.endswith(".xml")):
                    os.unlink(f"{folder}/{name}")  # noqa: PTH108
        except (OSError, ValueError):
            continue


def _is_input(folder: str, arguments: Sequence[str]) -> bool:
    """Whether the folder is also the earlier run that is to be read: refused later, in words."""
    others = [word for at, word in enumerate(arguments[1:]) if arguments[at] != "--out" and not word.startswith("-")]
    return os.path.realpath(folder) in [os.path.realpath(word) for word in others]


def _outputs(arguments: Sequence[str]) -> list[str]:
    following = [arguments[at + 1] for at, word in enumerate(arguments[:-1]) if word == "--out"]
    return following + [word[len("--out=") :] for word in arguments if word.startswith("--out=")]
