# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of crash kinds (`splats.yaml`), checked and compiled."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from configs.loader import load, load_arch
from configs.model import Strict
from configs.names import names
from util.errors import UserError
from util.text import one_line

TABLE = Path(__file__).with_name("splats.yaml")


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]


REACH = 200
"""Characters of a line in which a report may begin, behind a prefix or what a program left without a line end."""
LOOKED_AT = 1024
"""Characters of a line that are looked at at all: the kernel prints no longer ones (LOG_LINE_MAX), and whatever a guest
prints must cost time in proportion to its length."""


class Role(StrEnum):
    """What it means that a kind was found; `splats.yaml` explains them."""

    FAULT = "fault"
    HARMLESS = "harmless"
    LOST = "lost"
    TRACE = "trace"


class KindEntry(Strict):
    """One entry of the table; `splats.yaml` says what the fields mean."""

    kind: str
    has: tuple[str, ...] = Field(min_length=1)
    start: Pattern
    title: str
    where: Pattern = ""
    end: Pattern = ""
    longest: int = Field(default=0, ge=0)
    patient: bool = False
    absorbs: tuple[str, ...] = ()
    taints: str = Field(default="", pattern="^[A-Z]*$")
    fatal: bool = False
    role: Role = Role.FAULT


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
    has: tuple[str, ...]
    start: re.Pattern[str]
    title: str
    where: re.Pattern[str] | None
    end: re.Pattern[str]
    own_end: bool
    longest: int
    patient: bool
    absorbs: frozenset[str]
    taints: str
    fatal: bool
    role: Role


@dataclass(frozen=True, slots=True)
class SplatTable:
    """The compiled table. `stack` matches lines of a register dump or trace, `skip` functions that only report; a line
    without any of the texts of `needed` opens no report."""

    kinds: tuple[SplatKind, ...]
    longest: int
    untraced: int
    stack: re.Pattern[str]
    skip: re.Pattern[str]
    needed: tuple[str, ...]
    candidates: tuple[tuple[str, SplatKind], ...]
    """Each text that a line of a kind must hold, with the kind, in the order of the table."""
    worth: re.Pattern[str]
    """Finds any of `needed`."""

    def start_of(self, line: str) -> tuple[SplatKind, re.Match[str]] | None:
        """The kind of report that `line` opens."""
        line = line[:LOOKED_AT]
        if not self.worth.search(line) or line.startswith("---["):
            return None  # the end of a report repeats its beginning
        for text, kind in self.candidates:
            if text in line and (match := kind.start.match(line)):
                return kind, match
        return None

    def is_stack(self, line: str) -> bool:
        """Whether the line can stand in the middle of a report."""
        return bool(self.stack.match(line[:LOOKED_AT]))


def load_table(path: Path = TABLE) -> SplatTable:
    """Reads a table, with what the architectures' files add to it. Raises UserError with file and line for a mistake in
    the table, UserError with the architecture for one in those."""
    data = _with_archs(load(path, TableFile))
    known = {entry.kind for entry in data.kinds}
    for entry in data.kinds:
        for other in entry.absorbs:
            if other not in known:
                raise UserError(f"{path}: kind `{entry.kind}` absorbs `{other}`, which is no kind")
    kinds = tuple(_compiled(entry, data) for entry in data.kinds)
    needed = _needed([text for kind in kinds for text in kind.has])
    return SplatTable(
        kinds=kinds,
        longest=data.longest,
        untraced=data.untraced,
        stack=re.compile(_joined(data.stack)),
        skip=re.compile(_joined(data.frames.skip)),
        needed=needed,
        candidates=tuple((text, kind) for kind in kinds for text in kind.has),
        worth=re.compile("|".join(map(re.escape, needed))),
    )


def _with_archs(data: TableFile) -> TableFile:
    """The table with the registers, functions and kinds of every architecture; the kinds of these come first, since
    they say more than the general ones."""
    stack, skip, kinds = [data.stack], [data.frames.skip], list[KindEntry]()
    for arch in map(load_arch, names("archs")):
        try:
            kinds += [KindEntry.model_validate(kind) for kind in arch.crash.kinds]
            stack += [f"^(?:{_compiles(arch.crash.registers)})"] * bool(arch.crash.registers)
            skip += [f"^(?:{_compiles(_joined(arch.crash.skip))})$"] * bool(arch.crash.skip)
        except ValueError as error:
            raise UserError(f"configs/archs/{arch.name}.yaml: crash: {one_line(str(error))}") from None
    frames = FramesEntry(skip="|".join(skip))
    return data.model_copy(update={"stack": "|".join(stack), "frames": frames, "kinds": (*kinds, *data.kinds)})


def _compiled(entry: KindEntry, data: TableFile) -> SplatKind:
    return SplatKind(
        name=entry.kind,
        has=entry.has,
        start=re.compile(rf".{{0,{REACH}}}?(?:{entry.start})"),
        title=entry.title,
        where=re.compile(entry.where) if entry.where else None,
        end=re.compile(entry.end or data.end),
        own_end=bool(entry.end),
        longest=entry.longest or data.longest,
        patient=entry.patient,
        absorbs=frozenset(entry.absorbs),
        taints=entry.taints,
        fatal=entry.fatal,
        role=entry.role,
    )


def _needed(texts: Sequence[str]) -> tuple[str, ...]:
    """The shortest texts that are in all of `texts`, or are one of them."""
    short = sorted(dict.fromkeys(texts), key=len)
    return tuple(text for place, text in enumerate(short) if not any(other in text for other in short[:place]))


def _joined(pattern: str) -> str:
    """A pattern that was folded over several lines, without the blanks of the folding."""
    return re.sub(r"(?<=\|) (?!\|)", "", pattern)


@functools.cache
def default_table() -> SplatTable:
    """The rig's own table, read once."""
    return load_table()
