# SPDX-License-Identifier: GPL-2.0-or-later
"""Where QEMU runs: this machine, or (`guests.host.ssh`) another one that is reached over SSH."""

import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from guests.host.clock import cpu_seconds
from guests.qemu.machine import Spec, sockets, wired_command
from util.stop import Stop

Start = Callable[[int, int, str], tuple[str, ...]]
"""From the descriptors of results and QMP and the path of the initrd, all of this machine, to the command that starts
QEMU, executed on this machine, with the console on stdin and stdout."""
NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class CommandResult:
    """A short command that has ended; `status` NOT_FOUND where there is no such program."""

    status: int
    stdout: str
    stderr: str


class Host(Protocol):
    """`name` is empty for this machine, else what the user called it; `system` and `machine` are what `uname -sm`
    says; `delay` is how many seconds later than here QEMU may start."""

    @property
    def name(self) -> str: ...
    @property
    def system(self) -> str: ...
    @property
    def machine(self) -> str: ...
    @property
    def delay(self) -> float: ...

    def __hash__(self) -> int: ...

    def run(self, *command: str) -> CommandResult:
        """A short command, to its end. Raises MachineError if the host cannot be reached."""

    def starter(self, spec: Spec, initrd: Sequence[Path | bytes], stop: Stop) -> Start:
        """All that the guest consists of is on the host when it returns. Raises UserError for a part that cannot be
        read, MachineError if the host cannot be reached, Stopped."""

    def used_seconds(self, pid: int) -> float | None:
        """Processor time that a guest has used so far; None where it cannot be seen from here. `pid` is that of the
        started command."""


def opened_as(descriptor: int, path: str) -> tuple[str, ...]:
    """In front of a command: it finds the file open. A shell's redirection knows descriptors of one digit."""
    return ("sh", "-c", f'exec {descriptor}<"$0"; exec "$@"', path)


class Local:
    """This machine."""

    name = ""
    delay = 0.0
    system = platform.system()
    machine = platform.machine()

    def run(self, *command: str) -> CommandResult:
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        except OSError as error:
            return CommandResult(NOT_FOUND, "", os.strerror(error.errno or 0))
        return CommandResult(
            done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace").strip()
        )

    def starter(self, spec: Spec, initrd: Sequence[Path | bytes], stop: Stop) -> Start:  # noqa: ARG002
        def start(results: int, qmp: int, initrd: str) -> tuple[str, ...]:
            wiring = sockets(results, qmp)
            if not spec.saved:
                return wired_command(replace(spec, initrd=initrd), wiring)
            free = next(number for number in range(3, 10) if number not in (results, qmp))
            return (*opened_as(free, initrd), *wired_command(replace(spec, initrd=f"fd:{free}"), wiring))

        return start

    def used_seconds(self, pid: int) -> float | None:
        return cpu_seconds(pid)


LOCAL: Host = Local()
