# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tree's own `scripts/checkpatch.pl --strict` says of each patch of a series."""

import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kernels.mail.diff import unquote
from kernels.patches.patch import Patch
from kernels.sandbox.room import Room
from kernels.sandbox.sandbox import sandbox_kind
from util.errors import MachineError
from util.stop import Stop
from util.text import plain

SCRIPT = "scripts/checkpatch.pl"
LEVELS = ("ERROR", "WARNING", "CHECK")
"""From what must not be to what should not be."""

NEEDS_A_REPOSITORY = ("UNKNOWN_COMMIT_ID", "FILE_PATH_CHANGES")
"""Types that are left out. The sandbox has no history, so every right `Fixes:` tag would be an unknown commit to the
script; and whether MAINTAINERS covers a new file it does not look up, it only asks."""

_OPTIONS = ("--strict", "--terse", "--show-types", "--no-summary", f"--ignore={','.join(NEEDS_A_REPOSITORY)}")
_LINE = re.compile(r"(\d+)\.patch:(\d+): (ERROR|WARNING|CHECK):(.*)")
_HUNK = re.compile(rb"@@ -\d+(?:,\d+)? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_DONE = (0, 1)  # exit status: nothing to say, something to say


@dataclass(frozen=True, slots=True)
class CheckpatchLine:
    """`line` of the mail as it was given to the script, `text` begins with the type: `LONG_LINE: line over ...`.
    `path` and `at` are file and line after the patch; empty and 0 for what is about the mail itself."""

    level: str
    line: int
    text: str
    path: str = ""
    at: int = 0

    def __str__(self) -> str:
        place = f"{self.path}:{self.at}: " if self.path else ""
        return f"{place}{self.level}:{self.text} (line {self.line} of the patch)"


@dataclass(frozen=True, slots=True)
class CheckpatchResult:
    """All complaints of one patch, in order of lines."""

    patch: Patch
    complaints: tuple[CheckpatchLine, ...]

    def count(self, level: str) -> int:
        return Counter(item.level for item in self.complaints)[level]


def checkpatch(patches: Sequence[Patch], source: Path, stop: Stop) -> list[CheckpatchResult] | None:
    """Every patch with what the script of the checkout `source` says; None where that has no such script.

    The patches come from strangers, so the script reads them in the sandbox. Raises MachineError where it fails.
    """
    if not (source / SCRIPT).is_file():
        return None
    with tempfile.TemporaryDirectory(prefix="rig-checkpatch-") as name:
        folder = Path(name)
        files = [f"{number}.patch" for number in range(len(patches))]
        for file, patch in zip(files, patches, strict=True):
            (folder / file).write_bytes(patch.mail)
        room = Room(sandbox_kind(), source, folder)
        command = ("perl", f"{room.src}/{SCRIPT}", *_OPTIONS, f"--root={room.src}", *files)
        lines: list[str] = []
        status = room.run(command, {}, folder / "log", stop, lines.append)
    if status not in _DONE:
        raise MachineError(f"{SCRIPT} ended with status {status}: {plain((lines or ['it said nothing'])[-1])}")
    found = [(patch, _complaints(lines, number, patch.mail)) for number, patch in enumerate(patches)]
    # the message of a merge is no mail that anybody sends
    return [
        CheckpatchResult(patch, tuple(item for item in said if item.path or not patch.merges)) for patch, said in found
    ]


def _complaints(lines: Sequence[str], number: int, mail: bytes) -> list[CheckpatchLine]:
    places = mail_places(mail)
    matches = (match for line in lines if (match := _LINE.fullmatch(line)) and int(match[1]) == number)
    found = (
        CheckpatchLine(match[3], int(match[2]), plain(match[4]), *places.get(int(match[2]), ("", 0)))
        for match in matches
    )
    return sorted(found, key=lambda item: item.line)


def mail_places(mail: bytes) -> dict[int, tuple[str, int]]:
    """By line of a mail, counted from 1, the file and line after the patch that it stands for; lines of the hunks that
    are in the file then, and no others."""
    found: dict[int, tuple[str, int]] = {}
    path, at, left = "", 0, 0
    for number, raw in enumerate(mail.split(b"\n"), 1):
        line = raw.rstrip(b"\r")
        if left > 0 and line[:1] in (b" ", b"+", b""):
            found[number] = (path, at)
            at, left = at + 1, left - 1
        elif match := _HUNK.match(line):
            at, left = int(match[1]), int(match[2] or 1)
        elif line.startswith(b"+++ "):
            name = unquote(line[4:].split(b"\t")[0]).decode("utf-8", "replace")
            path, left = plain(name.partition("/")[2]), 0
    return found
