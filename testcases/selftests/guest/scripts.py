# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs the scripts among the selftests: busybox for `sh`, Debian's static bash for `bash`."""

import shlex
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from configs.model import Arch
from initramfs.cpio import Entry, program
from initramfs.job import Step
from initramfs.packages import package_file
from util.events import Listener
from util.stop import Stop

SETUP = "busybox"
"""The step that links busybox's commands; it is no test and gives a result only when it fails."""
_SHELLS = ("sh", "ash", "dash")
_PACKAGED = {"python3": "python3", "perl": "perl-base"}
"""Interpreters that come as a package, with the libraries that scripts take for granted."""


def is_script(path: Path) -> bool:
    """Whether a test program is text that something else has to run."""
    with path.open("rb") as file:
        return file.read(4) != b"\x7fELF"


class Interpreters:
    """Collects what the programs of one image need to run others; `shell` asks for busybox in any case. `arch` is the
    kernel's: a shell runs the programs of any ABI. `packages` are those that the image gets in any case."""

    def __init__(self, arch: Arch, shell: bool, packages: Collection[str], emit: Listener, stop: Stop) -> None:
        self._arch, self._emit, self._stop = arch, emit, stop
        self._packages = packages
        self._shell, self._bash = shell, False

    def command(self, script: Path, argv: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
        """The argument list that runs the script, and the name of an interpreter that we do not have."""
        with script.open("rb") as file:
            first = file.readline(256).decode("utf-8", "replace").strip()
        words = shlex.split(first[2:]) if first.startswith("#!") else ["/bin/sh"]
        if words and PurePosixPath(words[0]).name == "env":
            words = [word for word in words[1:] if not word.startswith("-")]
        name = PurePosixPath(words[0]).name if words else "sh"
        if package := _PACKAGED.get(name):
            return ((f"/usr/bin/{name}", *words[1:], *argv), "") if package in self._packages else (argv, name)
        if name not in (*_SHELLS, "bash"):
            return argv, name
        self._shell = True
        self._bash = self._bash or (name == "bash" and "bash" not in self._packages)
        return (f"/bin/{'bash' if name == 'bash' else 'sh'}", *words[1:], *argv), ""

    def steps(self) -> tuple[Step, ...]:
        return (Step(SETUP, ("/bin/busybox", "--install", "-s"), timeout=30),) if self._shell else ()

    @property
    def shell(self) -> bool:
        """Whether the base image has to hold busybox."""
        return self._shell

    def entries(self) -> tuple[Entry, ...]:
        """What the base image does not hold in any case. Raises MachineError when it cannot be had."""
        if not self._bash:
            return ()
        path = package_file("bash-static", self._arch.debian_arch, "bin/bash-static", self._emit, self._stop)
        return (program("bin/bash", path.read_bytes()),)
