# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that build a kernel, and the digest of their versions."""

import functools
import hashlib
import platform
import shutil
import subprocess
from pathlib import Path

from configs import host
from configs.model import Arch
from kernels.sandbox.room import PATH
from util.errors import MachineError


def prefix(arch: Arch) -> str:
    """CROSS_COMPILE for this host: empty where the host is of the architecture itself."""
    return "" if platform.machine() == arch.native_machine else arch.cross_compile


def identity(arch: Arch) -> str:
    """A digest over the versions of compilers, linkers, host compiler and make. Raises MachineError without them."""
    host.require((arch.name,), ("builds",))
    prefixes = (prefix(arch), *([arch.cross_compile_compat] if arch.cross_compile_compat else []))
    tools = (*(f"{cross}{tool}" for cross in prefixes for tool in ("gcc", "ld")), "gcc", "make")
    return hashlib.sha256("\n".join(version(tool) for tool in tools).encode()).hexdigest()


def _which(tool: str) -> str | None:
    return shutil.which(tool, path=PATH)


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
