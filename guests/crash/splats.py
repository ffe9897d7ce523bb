# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of crash kinds (`splats.yaml`), checked and compiled."""

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from configs.loader import load
from configs.model import Strict
from util.errors import UserError

TABLE = Path(__file__).with_name("splats.yaml")


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]


class KindEntry(Strict):
    """One entry of the table; `splats.yaml` says what the fields mean."""

    kind: str
    start: Pattern
    title: str
    end: Pattern = ""
    absorbs: tuple[str, ...] = ()
    fatal: bool = False


class FramesEntry(Strict):
    """How to find the function in which something happened."""

    skip: Pattern


class TableFile(Strict):
    """The whole file."""

    end: Pattern
    stack: Pattern
    longest: int = Field(gt=0)
    untraced: int = Field(gt=0)
    frames: FramesEntry
    kinds: tuple[KindEntry, ...]


@dataclass(frozen=True, slots=True)
class SplatKind:
    """A compiled entry."""

    name: str
    start: re.Pattern[str]
    title: str
    end: re.Pattern[str]
    own_end: bool
    absorbs: frozenset[str]
    fatal: bool


@dataclass(frozen=True, slots=True)
class SplatTable:
    """The compiled table. `stack` matches lines of a register dump or trace, `skip` functions that only report."""

    kinds: tuple[SplatKind, ...]
    longest: int
    untraced: int
    stack: re.Pattern[str]
    skip: re.Pattern[str]

    def start_of(self, line: str) -> tuple[SplatKind, re.Match[str]] | None:
        """The kind of report that `line` opens."""
        if line.startswith("---["):
            return None  # the end of a report repeats its beginning
        for kind in self.kinds:
            match = kind.start.search(line)
            if match:
                return kind, match
        return None


def load_table(path: Path = TABLE) -> SplatTable:
    """Reads a table. Raises UserError with file and line for a mistake in it."""
    data = load(path, TableFile)
    names = {entry.kind for entry in data.kinds}
    for entry in data.kinds:
        for other in entry.absorbs:
            if other not in names:
                raise UserError(f"{path}: kind `{entry.kind}` absorbs `{other}`, which is no kind")
    return SplatTable(
        kinds=tuple(
            SplatKind(
                name=entry.kind,
                start=re.compile(entry.start),
                title=entry.title,
                end=re.compile(entry.end or data.end),
                own_end=bool(entry.end),
                absorbs=frozenset(entry.absorbs),
                fatal=entry.fatal,
            )
            for entry in data.kinds
        ),
        longest=data.longest,
        untraced=data.untraced,
        stack=re.compile(_joined(data.stack)),
        skip=re.compile(_joined(data.frames.skip)),
    )


def _joined(pattern: str) -> str:
    """A pattern that was folded over several lines, without the blanks of the folding."""
    return re.sub(r"(?<=\|) (?!\|)", "", pattern)


@functools.cache
def default_table() -> SplatTable:
    """The rig's own table, read once."""
    return load_table()
