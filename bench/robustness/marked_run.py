# SPDX-License-Identifier: GPL-2.0-or-later
"""A program of the rig under a signal: its exit status, what it said, and which of its processes outlive it."""

import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from util.paths import ROOT


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that has ended, and the mark that its processes carried."""

    status: int
    said: str
    mark: str

    @property
    def traceback(self) -> bool:
        return "Traceback (most recent call last)" in self.said


def signalled(command: tuple[str, ...], environment: Mapping[str, str], after: float = 0.0, number: float = 0) -> Ended:
    """Runs a command; with a `number` this signal is sent to it `after` so many seconds."""
    mark = f"rig-faults-{uuid.uuid4()}"
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, cwd=ROOT,
            env={**environment, "RIG_FAULTS_MARK": mark},
        ) as process,
    ):  # fmt: skip
        if number:
            try:
                process.wait(after)
            except subprocess.TimeoutExpired:
                process.send_signal(int(number))
        process.wait(1800)
        said.seek(0)
        return Ended(process.returncode, said.read().decode("utf-8", "replace"), mark)


def left_over(mark: str) -> list[str]:
    """The processes that still carry the mark after ten seconds, by command line."""
    until = time.monotonic() + 10
    while (found := list(_marked(mark))) and time.monotonic() < until:
        time.sleep(0.1)
    return found


def _marked(mark: str) -> Iterator[str]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                yield (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")[:200]
        except OSError:
            continue
