# SPDX-License-Identifier: GPL-2.0-or-later
"""A static busybox for a guest: the host's own where it fits, else Debian's for that architecture."""

import os
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from configs.model import Arch
from initramfs.packages import package_file
from util.errors import MachineError
from util.events import Listener
from util.stop import Stop

PACKAGE = "busybox-static"
INSTALLED = Path("/bin/busybox")


def busybox(arch: Arch, emit: Listener, stop: Stop) -> Path:
    """The program. Raises MachineError if it cannot be had, Stopped."""
    if os.uname().machine == arch.native_machine and is_static(INSTALLED):
        return INSTALLED
    if not arch.debian_arch:
        raise MachineError(f"configs/archs/{arch.name}.yaml: `debian_arch` is needed to fetch {PACKAGE}")
    path = package_file(PACKAGE, arch.debian_arch, "bin/busybox", emit, stop)
    if not is_static(path):
        raise MachineError(f"{PACKAGE} of {arch.debian_arch} holds no static busybox")
    return path


def is_static(path: Path) -> bool:
    """Whether the file is an ELF program that needs no loader."""
    try:
        with path.open("rb") as file:
            return all(segment["p_type"] != "PT_INTERP" for segment in ELFFile(file).iter_segments())
    except (OSError, ELFError):
        return False
