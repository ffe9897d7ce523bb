# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the commands that make tests and libraries: their Makefiles are as untrusted as the series that brings them.

All that a command reads and writes lies below one folder, which stands at a constant path inside the sandbox.
"""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kernels.sandbox.room import Room
from kernels.sandbox.sandbox import sandbox_kind
from util.errors import MachineError
from util.stop import Stop

_HERE = Path(__file__).parent
_ERRORS = (
    re.compile(r"^(?P<line>[^\s:][^:\n]*:\d+:(?:\d+:)? (?:fatal )?error: .*)$", re.MULTILINE),
    re.compile(r"^(?P<line>.*(?:undefined reference to|cannot find -l|multiple definition of).*)$", re.MULTILINE),
    re.compile(r"^(?P<line>(?:\S*[/-])?ld(?:\.\w+)?: (?!.*warning: )(?!.*in function `).+)$", re.MULTILINE),
    re.compile(r"^(?P<line>(?!make).*\berror: .*)$", re.MULTILINE | re.IGNORECASE),
    re.compile(r"^(?P<line>make.*\*\*\* No rule .*)$", re.MULTILINE),
    re.compile(
        r"^(?P<line>(?!make).*(?:: not found|No such file or directory|Read-only file system|Permission denied).*)$",
        re.MULTILINE,
    ),
    re.compile(r"^(?P<line>make.*\*\*\* .*)$", re.MULTILINE),
)
_DISK_FULL = "No space left on device"


def first_error(text: str) -> str:
    """The one line of a build's output that says most: the first error of the most telling kind."""
    for form in _ERRORS:
        if found := form.search(text):
            return found["line"].strip()[:300]
    return next(
        (line.strip()[:300] for line in reversed(text.splitlines()) if line.strip()), "it failed without a word"
    )


@dataclass(frozen=True, slots=True)
class EndedCommand:
    """An ended command: exit status, and all that it printed on standard output and standard error."""

    status: int
    text: str


@dataclass(frozen=True, slots=True)
class SandboxedFolder:
    """The sandbox around one folder."""

    folder: Path
    stop: Stop
    env: Mapping[str, str] = field(default_factory=lambda: {"HOME": "/tmp"})

    @property
    def _room(self) -> Room:
        # Everything lies in the writable folder; the read-only place for a kernel's source is not used.
        return Room(sandbox_kind(), _HERE, self.folder)

    @property
    def inside(self) -> str:
        """The folder's path as a command sees it."""
        return self._room.out

    def run(self, argv: Sequence[str]) -> EndedCommand:
        """Runs to the end. Raises Stopped, and MachineError where there is no sandbox, no space, or a limit is hit."""
        with tempfile.TemporaryDirectory(prefix="rig-selftest-") as name:
            log = Path(name) / "log"
            status = self._room.run(tuple(argv), self.env, log, self.stop)
            text = log.read_text(encoding="utf-8", errors="replace")
        if status and _DISK_FULL in text:
            raise MachineError(f"the disk of {self.folder} is full")
        return EndedCommand(status, text)
