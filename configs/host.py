# SPDX-License-Identifier: GPL-2.0-or-later
"""Missing tools of the host: every tool that the rig calls, as data, and the one command that installs what is
missing."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from configs.loader import load
from configs.model import Arch, Strict
from util.errors import MachineError
from util.paths import CONFIGS

Need = Literal["sources", "builds", "guests", "suites", "tests"]
NEEDS: tuple[Need, ...] = ("sources", "builds", "guests", "suites")
"""What a check needs; `tests` are the rig's own, and only the doctor asks for them."""


class Tool(Strict):
    """One thing that must be on the host, known by a command on PATH or by a file; not where the environment holds
    `unless` (`NAME=VALUE`)."""

    need: Need
    command: str = ""
    file: str = ""
    package: str
    unless: str = Field(default="", pattern=r"^(\w+=.+)?$")

    @model_validator(mode="after")
    def _one_probe(self) -> "Tool":
        if bool(self.command) == bool(self.file):
            raise ValueError("needs either a command or a file")
        return self

    def present(self) -> bool:
        """Also true of a tool that the user's environment makes needless."""
        name, _, value = self.unless.partition("=")
        if name and os.environ.get(name) == value:
            return True
        if self.command:
            return shutil.which(self.command) is not None
        return Path(self.file).exists()

    @property
    def name(self) -> str:
        return self.command or self.file


class Tools(Strict):
    """The file `configs/packages.yaml`, and those of the suites."""

    tools: tuple[Tool, ...]


@dataclass(frozen=True, slots=True)
class Lack:
    """A tool that is missing, what needs it, and the Debian packages that bring it."""

    need: Need
    name: str
    packages: tuple[str, ...]


def lacks(archs: Iterable[Arch], needs: Iterable[Need] = (*NEEDS, "tests"), suites: Iterable[Path] = ()) -> list[Lack]:
    """All that is missing for these architectures and parts, each once, in the order of the data files. `suites` are
    the files in which suites say what they need."""
    wanted = set(needs)
    common = [tool for path in (CONFIGS / "packages.yaml", *suites) for tool in load(path, Tools).tools]
    tools: list[tuple[Tool, tuple[str, ...]]] = [(tool, (tool.package,)) for tool in common]
    for arch in archs:
        tools.extend(_tools_of(arch))
    found = {
        tool.name: Lack(tool.need, tool.name, packages)
        for tool, packages in tools
        if tool.need in wanted and not tool.present()
    }
    return list(found.values())


def _tools_of(arch: Arch) -> Iterable[tuple[Tool, tuple[str, ...]]]:
    compiler = "gcc" if os.uname().machine == arch.native_machine else f"{arch.cross_compile}gcc"
    yield Tool(need="builds", command=compiler, package=arch.packages[0]), arch.packages
    if arch.cross_compile_compat:
        compat = f"{arch.cross_compile_compat}gcc"
        yield Tool(need="builds", command=compat, package=arch.packages[-1]), arch.packages
    yield Tool(need="guests", command=arch.qemu, package=arch.qemu_packages[0]), arch.qemu_packages
    for abi in arch.abis.values():
        chain = abi.toolchain
        yield Tool(need="suites", command=chain.cc, package=chain.packages[0]), chain.packages
        if chain.libc:
            yield Tool(need="suites", file=chain.libc, package=chain.packages[-1]), chain.packages


def mend_command(missing: Iterable[Lack]) -> tuple[str, ...]:
    """The one command that installs all of it on Debian, as an argument list."""
    packages = sorted({package for lack in missing for package in lack.packages})
    prefix = () if os.geteuid() == 0 else ("sudo",)
    return (*prefix, "apt-get", "install", "-qy", "--no-install-recommends", *packages)


def require(archs: Iterable[Arch], needs: Iterable[Need], suites: Iterable[Path] = ()) -> None:
    """Raises MachineError in one line that names what is missing and the command that mends it."""
    missing = lacks(archs, needs, suites)
    if missing:
        names = ", ".join(lack.name for lack in missing)
        raise MachineError(f"missing on this machine: {names}; mend it with: {' '.join(mend_command(missing))}")
