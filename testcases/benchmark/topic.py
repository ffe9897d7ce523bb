# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands behind `benchmark/`: the packages `testcases/<topic>/benchmark`, each with a `BENCHMARK`."""

import difflib
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from configs.model import Arch
from initramfs.cpio import Entry
from testcases.benchmark import topics
from util.errors import UserError

GUEST = Path(__file__).resolve().parent / "guest"
"""The counter and what makes figures of samples, for the guest programs of every topic."""
FLAGS = ("-std=gnu11", "-O2", "-g0", "-s", "-Wall", "-Wextra", "-Werror", f"-I{GUEST}")


Role = Literal["base", "judged"]


@dataclass(frozen=True, slots=True)
class Curve:
    """One line of a plot: for each position the `<test>/<figure>` of one variant that stands above it."""

    label: str
    role: Role
    points: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture, of guest instructions. `name` is its file's; `log` names the axes that are logarithmic."""

    name: str
    title: str
    x: str
    curves: tuple[Curve, ...]
    log: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of the cover letter's table. `figure` is `<test>/<figure>`."""

    label: str
    figure: str


@dataclass(frozen=True, slots=True)
class Published:
    """A ratio that somebody published, and ours: the figure `over` divided by the figure `under`, each with its role,
    and both less `zero` where only the cost above nothing was meant."""

    source: str
    label: str
    ratio: float
    over: tuple[Role, str]
    under: tuple[Role, str]
    zero: tuple[Role, str] | None = None


class Topic(Protocol):
    """The guest program prints lines as `guest/samples.h` has them, and takes its input from `files`."""

    def config(self) -> tuple[str, ...]:
        """The kconfig lines that the program needs."""

    def sources(self) -> list[Path]:
        """Its C files."""

    def files(self, arch: Arch, abi: str, figures: Sequence[str]) -> tuple[Entry, ...]:
        """What the program reads. Where `figures` are named, what they do not depend on may be left out."""

    def argv(self, wall: bool) -> tuple[str, ...]:
        """Its arguments, to count instructions or to take wall time."""

    def tests(self, arch: Arch, abi: str) -> tuple[str, ...]:
        """The tests that the program owes, in order."""

    def rows(self) -> tuple[TableRow, ...]:
        """The table of the cover letter."""

    def plots(self) -> tuple[Plot, ...]: ...

    def published(self) -> tuple[Published, ...]: ...


def find_topic(name: str) -> Topic:
    """Raises UserError for a name that no package stands for."""
    known = topics()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean `{close[0]}`?" if close else ""
        raise UserError(f"suite `benchmark`: say what of, as in benchmark/{known[0]}{hint} (known: {', '.join(known)})")
    topic: Topic = importlib.import_module(f"testcases.{name}.benchmark").BENCHMARK
    return topic


def program_sources(topic: Topic) -> list[Path]:
    """A topic's C files with the frame's own."""
    return [*sorted(GUEST.glob("*.c")), *topic.sources()]
