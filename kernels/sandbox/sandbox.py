# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a build runs: bubblewrap, with the source read-only at `/src` and one writable folder at `/out`.

A build runs whatever the Makefiles of a series say (decision 10), so it sees neither the network, nor the home
folder, nor the rig's cache. The constant paths also are what makes builds reproducible, and what lets the objects of
one folder be used in another: kbuild compares command lines.

`RIG_SANDBOX=none` turns it off, for hosts where bubblewrap cannot work (most containers). That has to be said
explicitly, is recorded in every build, and costs the reuse of objects, since paths then differ between folders.
"""

import functools
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from util import guard
from util.errors import MachineError, UserError

SRC = "/src"
OUT = "/out"
BESIDE = "/beside"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
KINDS = ("bwrap", "none")
SWITCH = "RIG_SANDBOX"
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d")
_GUARD = Path(guard.__file__)


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
        return SRC if self.kind == "bwrap" else str(self.source.resolve())

    @property
    def out(self) -> str:
        return OUT if self.kind == "bwrap" else str(self.output.resolve())

    def command(self, argv: tuple[str, ...], env: Mapping[str, str]) -> tuple[str, ...]:
        """`argv` as the argument list that runs it here, with exactly `env` and a fixed PATH."""
        full = {"PATH": PATH, "LC_ALL": "C", "TZ": "UTC", **env}
        if self.kind == "none":
            settings = tuple(f"{name}={value}" for name, value in full.items())
            return ("env", "-C", self.out, "-i", *settings, *argv)
        settings = tuple(part for name, value in full.items() for part in ("--setenv", name, value))
        return (*_bwrap(self), *settings, "--chdir", OUT, "--", *argv)


def _bwrap(room: Room) -> tuple[str, ...]:
    view = (part for file, path in room.view for part in ("--ro-bind", str(file), f"{SRC}/{path}"))
    output: tuple[str, ...] = ("--bind", str(room.output), OUT)
    if room.beside:
        output = ("--ro-bind", str(room.output), OUT, "--bind", str(room.beside), BESIDE)
    return (
        *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv"),
        *("--hostname", "rig", *_system(), "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),
        *("--ro-bind", str(room.source), SRC, *view, *output),
    )


def _system() -> tuple[str, ...]:
    """The host's programs and libraries, read-only, laid out as on the host (merged /usr or not)."""
    arguments: list[str] = []
    for path in map(Path, _SYSTEM):
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    for path in map(Path, _ETC):
        arguments += ["--ro-bind-try", str(path), str(path)]
    return tuple(arguments)


def sandbox_kind() -> str:
    """`bwrap`, or `none` where RIG_SANDBOX says so. Raises MachineError where bubblewrap does not work."""
    kind = os.environ.get(SWITCH, "") or "bwrap"
    if kind not in KINDS:
        raise UserError(f"{SWITCH}={kind}: must be one of {', '.join(KINDS)}")
    if kind == "bwrap" and (problem := probe()):
        raise MachineError(problem)
    return kind


@functools.cache
def probe() -> str:
    """What keeps bubblewrap from working here, in one line; empty where it works."""
    try:
        command = ("bwrap", "--unshare-all", "--die-with-parent", "--cap-drop", "ALL", *_system(), "--proc", "/proc")
        run = subprocess.run((*command, "--dev", "/dev", "true"), capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "builds run in bubblewrap, which is not installed: `apt-get install bubblewrap`"
    if run.returncode == 0:
        return ""
    said = " ".join(run.stderr.split()) or f"exit status {run.returncode}"
    return (
        f"bubblewrap does not work here ({said}): allow user namespaces"
        f" (kernel.unprivileged_userns_clone=1; for a container --security-opt seccomp=unconfined),"
        f" or set {SWITCH}=none to build without protection from the series"
    )


def launcher(kind: str) -> tuple[str, ...]:
    """What a command is started through so that all of it ends with the rig; bubblewrap sees to that by itself."""
    return () if kind == "bwrap" else (sys.executable, "-I", str(_GUARD))
