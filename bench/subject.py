# SPDX-License-Identifier: GPL-2.0-or-later
"""What the rig's own measurements are made with: one suite says it, in `testcases/<suite>/bench/subject.yaml`."""

from functools import cache
from pathlib import Path

from configs.loader import load
from configs.model import Strict
from util.paths import ROOT


class Replacement(Strict):
    """`old` becomes `new` in a file."""

    old: str
    new: str


class EditEntry(Strict):
    """One change: the patches of a folder below `tests/series`, or `old` replaced by `new` in the file `path`."""

    series: str = ""
    path: str = ""
    old: str = ""
    new: str = ""


class HistoryEntry(Strict):
    """A history and the question about it; `bench.bisect.histories.BisectCase` explains the fields."""

    name: str
    culprit: int
    edit: EditEntry
    question: tuple[str, ...]
    options: tuple[str, ...] = ()
    odd: tuple[int, int] = (0, 0)
    other: EditEntry = EditEntry()
    merged: bool = False


class Subject(Strict):
    """`profile` compares base with `series`, and `revert` the reverse; `patches` runs after each patch. `selftests` is
    the suite of the kernel's own tests. `change` is in the series' patches what changes the code that they add to the
    file `source` and nothing else, `{odd}` a number that is different each time. `seeded` is the suite that generates
    its input from the option `seed`. `failing` is a folder of faults with the patch that, behind the series, makes
    tests fail; with the series in the folder `hanging` one of the selftests hangs."""

    profile: str
    series: str
    source: str
    change: Replacement
    selftests: str
    revert: str
    patches: str
    seeded: str
    failing: str
    hanging: str
    histories: tuple[HistoryEntry, ...]

    @property
    def series_folder(self) -> Path:
        return ROOT / self.series


@cache
def subject() -> Subject:
    """That of the one suite that names one. Raises UserError for a mistake in the file."""
    (path,) = (ROOT / "testcases").glob("*/bench/subject.yaml")
    return load(path, Subject)
