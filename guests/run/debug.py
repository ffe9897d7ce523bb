# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest under gdb: QEMU waits on a private socket before its first instruction, and gdb has the user's terminal."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

from elftools.common.exceptions import DWARFError, ELFError
from elftools.elf.elffile import ELFFile

from configs.model import Arch
from guests.qemu.devices import disk_file
from guests.qemu.initrd import anonymous_initrd
from guests.qemu.machine import debug_command
from guests.run.qemu import qemu_version
from guests.run.request import GuestRequest, spec_of
from util.children.program import LEASH
from util.errors import MachineError, UserError
from util.paths import called_as

GDB = "gdb-multiarch"
_PATIENCE = 30.0
"""Seconds until QEMU listens; a busy host takes its time."""
_UNITS = 200
"""Compilation units that are looked at for one whose source is in the tree."""


def gdb_of(arch: Arch) -> str:
    """The program that debugs this architecture's kernels. Raises MachineError where there is none."""
    native = os.uname().machine == arch.native_machine
    found = shutil.which(GDB) or (shutil.which("gdb") if native else None)
    if not found:
        raise MachineError(f"{GDB} is not installed; `{called_as()} doctor` says what to install")
    return found


def source_prefix(vmlinux: Path, tree: Path) -> str | None:
    """What stands in the debug information in place of the path of the source tree; None where there is no debug
    information, or none about a file of this tree."""
    try:
        with vmlinux.open("rb") as file:
            elf = ELFFile(file)
            if not elf.has_dwarf_info():
                return None
            for unit in islice(elf.get_dwarf_info().iter_CUs(), _UNITS):
                attributes = unit.get_top_DIE().attributes
                name = attributes["DW_AT_name"].value.decode() if "DW_AT_name" in attributes else ""
                if found := _prefix(name, tree):
                    return found
    except (OSError, ELFError, DWARFError, UnicodeDecodeError):
        return None
    return None


def _prefix(name: str, tree: Path) -> str:
    """`/src` of `/src/init/main.c`, if `init/main.c` is in the tree."""
    parts = Path(name).parts if name.startswith("/") else ()
    for cut in range(2, len(parts)):
        if tree.joinpath(*parts[cut:]).is_file():
            return str(Path(*parts[:cut]))
    return ""


def gdb_command(
    gdb: str, vmlinux: Path, stub: Path, mapping: tuple[str, Path] | None, commands: Sequence[str]
) -> tuple[str, ...]:
    """gdb's argument list. `mapping` is what stands in the debug information for the tree, and the tree; `commands`
    are the user's, executed once the guest is attached and before its first instruction."""
    first = ["set confirm off"]
    if not sys.stdin.isatty():
        first += ["set pagination off", "set width 0"]
    if mapping:
        first.append(f"set substitute-path {mapping[0]} {mapping[1]}")
    first.append(f"target remote {stub}")
    return (gdb, "-q", *(word for text in (*first, *commands) for word in ("-ex", text)), str(vmlinux))


def debug_guest(request: GuestRequest, console: Path, tree: Path, commands: Sequence[str]) -> int:
    """Starts the guest with `nokaslr` and its console in the file `console`, and gdb on the terminal; returns gdb's
    status once it has ended, and ends the guest. Ctrl-C is gdb's. Where standard input is no terminal gdb reads its
    commands from it.

    Raises MachineError where QEMU or gdb do not start, UserError for a file that cannot be read or written.
    """
    vmlinux = request.vmlinux
    assert vmlinux
    gdb = gdb_of(request.arch)
    qemu_version(request.arch.qemu)
    prefix = source_prefix(vmlinux, tree)
    with tempfile.TemporaryDirectory(prefix="rig-gdb-") as folder:  # of mode 0700: nobody else reaches the stub
        stub = Path(folder) / "stub"
        with _guest(replace(request, append=(*request.append, "nokaslr")), console, stub):
            command = gdb_command(gdb, vmlinux, stub, (prefix, tree) if prefix else None, commands)
            before = signal.signal(signal.SIGINT, lambda *_: None)  # gdb, in the same process group, answers it
            try:
                return subprocess.run(command, check=False).returncode
            finally:
                signal.signal(signal.SIGINT, before)


@contextmanager
def _guest(request: GuestRequest, console: Path, stub: Path) -> Iterator[None]:
    """QEMU, stopped at its start, while the block lasts."""
    try:
        console.parent.mkdir(parents=True, exist_ok=True)
        console.write_bytes(b"")
    except OSError as error:
        raise UserError(f"{console}: {error.strerror}; name another file by --console") from None
    initrd = anonymous_initrd(request.initrd)
    try:
        with tempfile.TemporaryFile() as complaints, disk_file(request.devices) as disks:
            command = debug_command(spec_of(request, f"/proc/{os.getpid()}/fd/{initrd}", disks), console, stub)
            process = subprocess.Popen(
                [*LEASH, *command], stdin=subprocess.DEVNULL, stdout=complaints, stderr=complaints,
                start_new_session=True,
            )  # fmt: skip
            try:
                _wait_for(stub, process)
                if process.poll() is not None:
                    complaints.seek(0)
                    text = complaints.read().decode("utf-8", "replace").strip()
                    raise MachineError(f"{request.arch.qemu}: {text.splitlines()[-1] if text else 'ended at once'}")
                yield
            finally:
                process.kill()
                process.wait()
    finally:
        os.close(initrd)


def _wait_for(stub: Path, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _PATIENCE
    while not stub.exists() and process.poll() is None:
        if time.monotonic() > until:
            raise MachineError(f"QEMU did not open its debugging stub within {_PATIENCE:.0f} s")
        time.sleep(0.02)
