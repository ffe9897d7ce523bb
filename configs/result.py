# SPDX-License-Identifier: GPL-2.0-or-later
"""The types that all stages share for results: status, test result, cell."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """KCIDB's meanings: FAIL is the kernel's fault, ERROR the test's, MISS: the rig or the machine could not tell."""

    PASS = "PASS"
    FAIL = "FAIL"
    ERROR = "ERROR"
    MISS = "MISS"
    SKIP = "SKIP"


HITS = "hits"
"""The one unit of which more is better; of all others less is."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One exact measurement, for example 367 `insns`. Two values of a figure are compared to the last digit."""

    name: str
    value: int
    unit: str


@dataclass(frozen=True, slots=True)
class TestResult:
    """One line of a suite's result. `seconds` is wall time in the guest; `message` one line; `output` the test's own
    text; `file` the source file of the test relative to the kernel tree, or empty. `observed` names by a digest what
    the kernel did, where a suite claims that both variants must do the same; `figures` are what it cost. `complaints`
    are the lines in which a program without TAP speaks of a failure, with its numbers made alike."""

    __test__ = False  # not a test class, whatever pytest makes of the name

    name: str
    status: Status
    seconds: float = 0.0
    message: str = ""
    output: str = ""
    file: str = ""
    observed: str = ""
    figures: tuple[Figure, ...] = ()
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """The unit that is scheduled, cached and compared. `abi` is `-` for what has none (a build)."""

    variant: str
    arch: str
    abi: str
    flavour: str
    suite: str

    def __str__(self) -> str:
        return f"{self.variant}/{self.arch}/{self.abi}/{self.flavour}/{self.suite}"
