# SPDX-License-Identifier: GPL-2.0-only
"""The programs that build a kernel: which ones, from which Debian packages, and what identifies them."""

import functools
import hashlib
import platform
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from configs.errors import MachineError
from configs.model import Arch
from kernels.sandbox import PATH

# What a kernel of 5.10 to 7.2 calls: Documentation/process/changes.rst, "Current Minimal Requirements".
HOST_TOOLS = {
    "make": "make",
    "gcc": "gcc",
    "ld": "binutils",
    "flex": "flex",
    "bison": "bison",
    "bc": "bc",
    "perl": "perl",
    "python3": "python3",
    "gzip": "gzip",
    "awk": "mawk",
    "cpio": "cpio",
    "bwrap": "bubblewrap",
}
HOST_HEADERS = {"gelf.h": "libelf-dev"}
"""Headers of host programs (objtool)."""


def prefix(arch: Arch) -> str:
    """CROSS_COMPILE for this host: empty where the host is of the architecture itself."""
    return "" if platform.machine() == arch.native_machine else arch.cross_compile


def missing_packages(archs: Iterable[Arch]) -> list[str]:
    """The Debian packages to install before kernels for `archs` can be built, sorted."""
    absent = {package for tool, package in HOST_TOOLS.items() if not _which(tool)}
    for header, package in HOST_HEADERS.items():
        if not any(
            (Path("/usr/include") / folder / header).exists() for folder in ("", f"{platform.machine()}-linux-gnu")
        ):
            absent.add(package)
    for arch in archs:
        if not _which(f"{prefix(arch)}gcc"):
            absent.update(arch.packages)
    return sorted(absent)


def require(arch: Arch) -> None:
    """Raises MachineError naming the packages that a build for `arch` lacks."""
    if packages := missing_packages((arch,)):
        raise MachineError(f"kernels for {arch.name} cannot be built: `apt-get install {' '.join(packages)}`")


def _which(tool: str) -> str | None:
    return shutil.which(tool, path=PATH)


def identity(arch: Arch) -> str:
    """A digest over the versions of compiler, linker, host compiler and make. Raises MachineError without them."""
    require(arch)
    cross = prefix(arch)
    tools = (f"{cross}gcc", f"{cross}ld", "gcc", "make")
    return hashlib.sha256("\n".join(version(tool) for tool in tools).encode()).hexdigest()


def version(tool: str) -> str:
    """The first line of `tool --version`."""
    path = _which(tool)
    if path is None:
        raise MachineError(f"`{tool}` is not installed")
    stat = Path(path).resolve().stat()
    return _version(path, stat.st_mtime_ns, stat.st_size)


@functools.cache
def _version(path: str, _mtime: int, _size: int) -> str:
    run = subprocess.run((path, "--version"), capture_output=True, text=True, check=False, env={"LC_ALL": "C"})
    if run.returncode or not run.stdout:
        raise MachineError(f"`{path} --version` failed with status {run.returncode}")
    return run.stdout.splitlines()[0]
