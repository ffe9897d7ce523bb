# SPDX-License-Identifier: GPL-2.0-or-later
"""One mutant: a small change of one file."""

import difflib
import hashlib
from dataclasses import dataclass, field

from kernels.mutants.functions import Function


@dataclass(frozen=True, slots=True, order=True)
class TextEdit:
    """The text between two offsets becomes another."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """`path` is in the tree, `line` the first line that differs (from 1), `kind` the operator's name, `patch` the
    number of the patch that adds the line, 0 where that is not known."""

    path: str
    line: int
    kind: str
    function: Function = field(repr=False)
    edits: tuple[TextEdit, ...]
    patch: int = 0

    @property
    def text(self) -> str:
        """The whole file with the fault in it."""
        return edited(self.function.text, self.edits)

    @property
    def digest(self) -> str:
        """Names the content of the file with the fault."""
        return hashlib.sha256(f"{self.path}\0{self.text}".encode()).hexdigest()

    @property
    def name(self) -> str:
        """The same in each run over the same file, and different for each of its mutants."""
        return f"{self.path}:{self.line} {self.kind} {self.digest[:8]}"

    @property
    def diff(self) -> tuple[str, ...]:
        """The lines that differ, `-` before and `+` after, without the blanks in front that all have."""
        before, after = self.function.text.splitlines(), self.text.splitlines()
        lines = list(difflib.unified_diff(before, after, n=0, lineterm=""))[2:]
        changed = [line for line in lines if not line.startswith("@@")]
        blanks = min((len(line[1:]) - len(line[1:].lstrip()) for line in changed if line[1:].strip()), default=0)
        return tuple(f"{line[0]} {line[1 + blanks :]}".rstrip() for line in changed)


def edited(text: str, edits: tuple[TextEdit, ...]) -> str:
    """The text after all edits, which do not overlap."""
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text
