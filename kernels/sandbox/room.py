# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a build runs: the source to read, one folder to write, and nothing else of the host but its programs.

A build runs whatever the Makefiles of a series say (decisions 10 and 13), so it sees neither the network, nor the home
folder, nor the rig's cache, nor the environment of whoever started the rig. With bubblewrap the paths are constant,
`/src` and `/out`. That makes builds reproducible, and lets the objects of one folder be used in another, because kbuild
compares command lines. Landlock cannot move a path: builds below it start from nothing and keep no objects.
"""

import functools
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from configs.names import names
from kernels.sandbox import landlock, supervise
from kernels.sandbox.bwrap import ETC, SYSTEM, bwrap
from kernels.sandbox.limits import SWITCH, Limits, limits
from util.children.logged import run_logged
from util.errors import MachineError
from util.stop import Stop

SRC = "/src"
OUT = "/out"
BESIDE = "/beside"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PYTHON = (sys.executable, "-I", "-S")


@dataclass(frozen=True, slots=True)
class Room:
    """One place to build in. `view` are files that stand in for files of the source: (real file, path in the tree).
    With `beside` (bubblewrap only) the output folder is read-only too, and only that folder, `/beside`, is written."""

    kind: str
    source: Path
    output: Path
    view: tuple[tuple[Path, str], ...] = ()
    beside: Path | None = None

    @property
    def src(self) -> str:
        """The source's path as the build sees it."""
        return SRC if fixed_paths(self.kind) else str(self.source.resolve())

    @property
    def out(self) -> str:
        return OUT if fixed_paths(self.kind) else str(self.output.resolve())

    def command(self, argv: tuple[str, ...], env: Mapping[str, str]) -> tuple[str, ...]:
        """`argv` as the argument list that runs it here, with exactly `env` and a fixed PATH. It can be repeated by
        hand; `run` also holds it to the limits."""
        settings = {"PATH": PATH, "LC_ALL": "C", "TZ": "UTC", **env}
        if self.kind == "none":
            return ("env", "-C", self.out, "-i", *(f"{name}={value}" for name, value in settings.items()), *argv)
        if self.kind == "landlock":
            return (*self._landlock(settings), *argv)
        return (*bwrap(self._mounts(), OUT, settings.items()), *argv)

    def _mounts(self) -> tuple[str, ...]:
        view = (part for file, path in self.view for part in ("--ro-bind", str(file), f"{SRC}/{path}"))
        output: tuple[str, ...] = ("--bind", str(self.output), OUT)
        if self.beside:
            output = ("--ro-bind", str(self.output), OUT, "--bind", str(self.beside), BESIDE)
        return ("--ro-bind", str(self.source), SRC, *view, *output)

    def _landlock(self, settings: Mapping[str, str]) -> tuple[str, ...]:
        return (
            *(*_PYTHON, landlock.__file__),
            *(word for path in (*SYSTEM, *ETC, self.src) for word in ("--read", path)),
            *("--write", self.out, "--chdir", self.out),
            *refused_calls(platform.machine()),
            *(word for name, value in settings.items() for word in ("--setenv", name, value)),
            "--",
        )

    def run(
        self,
        argv: tuple[str, ...],
        env: Mapping[str, str],
        log: Path,
        stop: Stop,
        on_line: Callable[[str], None] = lambda _line: None,
        fds: tuple[int, ...] = (),
    ) -> int:
        """Runs `argv` here to its end and appends what it prints to `log`. Returns its exit status.

        `fds` are the only descriptors of ours that it gets. Raises Stopped, and MachineError where it cannot start or
        goes beyond a limit; nothing of it runs any more in any case.
        """
        allowed, said = limits(), ""

        def hear(line: str) -> None:
            nonlocal said
            said = line if line.startswith(supervise.SAID) else said
            on_line(line)

        status = run_logged(self._supervised(argv, env, allowed), log, stop, hear, fds, allowed.output << 20)
        if status == supervise.LIMIT and said:
            raise MachineError(f"{argv[0]}: {said.removeprefix('rig: ')}; {SWITCH} changes the limits")
        return status

    def _supervised(self, argv: tuple[str, ...], env: Mapping[str, str], allowed: Limits) -> tuple[str, ...]:
        written = self.beside or self.output
        words = (*allowed.arguments(), "--folder", str(written.resolve()), "--")
        return (*_PYTHON, supervise.__file__, *words, *self.command(argv, env))


@functools.cache
def refused_calls(machine: str) -> tuple[str, ...]:
    """The options by which Landlock's program learns the numbers of system calls of this host (`uname -m`)."""
    from configs.loader import load_arch  # slow, and not needed by a doctor who finds bubblewrap

    host = next((arch for arch in map(load_arch, names("archs")) if arch.native_machine == machine), None)
    if host is None or host.sandbox_calls is None:
        return ()
    own = host.native_abi.system_calls
    foreign = [
        calls.offset
        for abi in host.abis.values()
        if (calls := abi.system_calls).audit_arch == own.audit_arch and calls.offset > own.offset
    ]
    return (
        *("--audit-arch", str(own.audit_arch), "--sockets", ",".join(map(str, host.sandbox_calls.sockets))),
        *("--keyrings", ",".join(map(str, host.sandbox_calls.keyrings))),
        *(("--foreign-from", str(min(foreign))) if foreign else ()),
    )


def fixed_paths(kind: str) -> bool:
    """Whether a build sees the same paths wherever its folders are; only then can its objects serve another build."""
    return kind == "bwrap"
