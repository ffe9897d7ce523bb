# SPDX-License-Identifier: GPL-2.0-or-later
"""Missing tools of the host: every tool that the rig calls, as data, and the one command that installs what is
missing. Imports no model, so that the doctor answers at once."""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from configs.names import LOADER, raw
from util.errors import MachineError, UserError
from util.paths import CONFIGS

Need = Literal["sources", "builds", "guests", "suites", "checks", "firmware", "debugging", "tests"]
NEEDS: tuple[Need, ...] = ("sources", "builds", "guests", "suites")
"""What a check needs. The doctor alone asks for the rest: `debugging` is for `rig.py gdb`, `tests` for the rig's own,
and where something for the static `checks` of single patches is missing they are skipped, with a word. Where the
`firmware` of a machine is missing, the tests that want that machine are not among those that run here."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing that must be on the host, known by a command on PATH or by a file; not where the environment holds
    `unless` (`NAME=VALUE`)."""

    need: Need
    package: str
    command: str = ""
    file: str = ""
    unless: str = ""

    def __post_init__(self) -> None:
        if self.need not in get_args(Need):
            raise ValueError(f"need: `{self.need}` is none of {', '.join(get_args(Need))}")
        if bool(self.command) == bool(self.file):
            raise ValueError("needs either a command or a file")

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


def tools_of(path: Path) -> tuple[Tool, ...]:
    """What `configs/packages.yaml` or the file of a suite lists. Raises UserError for a file of another form."""
    try:
        entries = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)["tools"]  # noqa: S506 - a safe one
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no list of tools: {str(error).partition(chr(10))[0]}") from None
    found = []
    for number, entry in enumerate(entries, 1):
        try:
            found.append(Tool(**entry))
        except (TypeError, ValueError) as error:
            raise UserError(f"{path}: tool {number}: {str(error).removeprefix('Tool.__init__() ')}") from None
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Lack:
    """A tool that is missing, what needs it, and the Debian packages that bring it."""

    need: Need
    name: str
    packages: tuple[str, ...]


def lacks(archs: Iterable[str], needs: Iterable[Need] = get_args(Need), suites: Iterable[Path] = ()) -> list[Lack]:
    """All that is missing for the architectures of these names and these parts, each once, in the order of the data
    files. `suites` are the files in which suites say what they need. Raises UserError for a file of another form."""
    wanted = set(needs)
    common = [tool for path in (CONFIGS / "packages.yaml", *suites) for tool in tools_of(path)]
    tools: list[tuple[Tool, tuple[str, ...]]] = [(tool, (tool.package,)) for tool in common]
    for arch in archs:
        tools.extend(_of_arch(raw("archs", arch)))
    found = {
        tool.name: Lack(tool.need, tool.name, packages)
        for tool, packages in tools
        if tool.need in wanted and not tool.present()
    }
    return list(found.values())


def _of_arch(arch: dict[str, Any]) -> Iterable[tuple[Tool, tuple[str, ...]]]:
    """What the file of an architecture asks for (its form: `configs.model.Arch`)."""
    compiler = "gcc" if os.uname().machine == arch["native_machine"] else f"{arch.get('cross_compile', '')}gcc"
    yield _tool("builds", arch["packages"], command=compiler)
    if compat := arch.get("cross_compile_compat"):
        yield Tool("builds", arch["packages"][-1], command=f"{compat}gcc"), tuple(arch["packages"])
    yield _tool("guests", arch["qemu_packages"], command=arch["qemu"])
    for abi in arch["abis"].values():
        chain = abi["toolchain"]
        yield _tool("suites", chain["packages"], command=chain["cc"])
        if "libc" in chain:
            yield Tool("suites", chain["packages"][-1], file=chain["libc"]), tuple(chain["packages"])


def _tool(need: Need, packages: list[str], command: str) -> tuple[Tool, tuple[str, ...]]:
    return Tool(need, packages[0], command), tuple(packages)


def mend_command(missing: Iterable[Lack]) -> tuple[str, ...]:
    """The one command that installs all of it on Debian, as an argument list."""
    packages = sorted({package for lack in missing for package in lack.packages})
    prefix = () if os.geteuid() == 0 else ("sudo",)
    return (*prefix, "apt-get", "install", "-qy", "--no-install-recommends", *packages)


def require(archs: Iterable[str], needs: Iterable[Need], suites: Iterable[Path] = ()) -> None:
    """`archs` are names. Raises MachineError in one line that names what is missing and the command that mends it."""
    missing = lacks(archs, needs, suites)
    if missing:
        names = ", ".join(lack.name for lack in missing)
        raise MachineError(f"missing on this machine: {names}; mend it with: {' '.join(mend_command(missing))}")
