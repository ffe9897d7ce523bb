# SPDX-License-Identifier: GPL-2.0-or-later
"""What to boot, and how to boot the same by hand."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from configs.model import Arch
from guests.host.host import LOCAL, Host
from guests.qemu.devices import NO_DEVICES, Devices
from guests.qemu.initrd import padded
from guests.qemu.machine import Spec, as_shell, check_counted, hand_command, machine_of
from guests.run.guest_state import PATIENCE, SLOW, Deadlines
from initramfs.job import GuestJob

BOOT_DEADLINE = 60.0
"""Seconds (fair clock) from power-on to HELLO at a time scale of 1 to 20; beyond that it grows with the scale."""
INITRD = "initrd.cpio"
RESULTS = "results.bin"
SCRIPT = "run.sh"


@dataclass(frozen=True, slots=True)
class SavedGuest:
    """A folder that `guests.run.saved` has finished: what QEMU saved, and what the kernel had printed until then."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def console(self) -> Path:
        return self.folder / "console.log"


@dataclass(frozen=True, slots=True)
class GuestRequest:
    """One guest. `initrd` are archives in order, as paths or bytes; `folder` (made if absent) gets the console's log;
    `smp` 0 takes the machine's number; `boot_deadline` is in seconds of the fair clock, `total_deadline` in seconds at
    bare metal speed, by default made from the steps' timeouts; `limits` replaces all deadlines; `inspect` says whether
    a guest that hangs is asked what it does; `parallel` lets its processors run at the same time, for suites that look
    for races; `counted` gives it one processor whose clock counts instructions (TCG only), for suites that measure;
    `host` is where QEMU runs, and `pin` the one processor there that it may use; `plugin` is a value of QEMU's
    `-plugin` (TCG only); `usual` says how many seconds a step of this name took on another kernel, None where that is
    not known (yet): one that takes `slow` times as long, and `patience` seconds more, has hung; `saved` is the guest
    that this one is a copy of, None to boot it; `devices` are the disks and network cards that it has."""

    arch: Arch
    machine: str
    kernel: Path
    vmlinux: Path | None
    initrd: tuple[Path | bytes, ...]
    job: GuestJob
    accel: str
    folder: Path
    memory_mb: int = 512
    smp: int = 0
    append: tuple[str, ...] = ()
    boot_deadline: float = BOOT_DEADLINE
    total_deadline: float | None = None
    label: str = ""
    limits: Deadlines | None = None
    inspect: bool = True
    parallel: bool = False
    counted: bool = False
    host: Host = LOCAL
    pin: int | None = None
    plugin: str = ""
    usual: Callable[[str], float | None] = lambda _name: None
    patience: float = PATIENCE
    slow: float = SLOW
    saved: SavedGuest | None = None
    devices: Devices = NO_DEVICES


def spec_of(request: GuestRequest, initrd: str, disks: str = "") -> Spec:
    """The machine that a request describes, with the initrd at a path, and its disks where they are in a file. Raises
    UserError for an unknown machine, or one that cannot count."""
    if request.counted:
        check_counted(request.arch, request.machine)
    return Spec(
        arch=request.arch,
        machine=request.machine,
        kernel=request.kernel,
        initrd=initrd,
        accel=request.accel,
        memory_mb=request.memory_mb,
        smp=1 if request.counted else request.smp or machine_of(request.arch, request.machine).smp,
        append=request.append,
        label=request.label,
        parallel=request.parallel,
        counted=request.counted,
        pin=request.pin,
        plugin=request.plugin,
        saved=request.saved is not None,
        devices=request.devices,
        disk_file=disks,
    )


def command_by_hand(request: GuestRequest) -> tuple[str, ...]:
    """The plain QEMU command line of a request. It works once `reproduce` has written the initrd into the folder."""
    booted = replace(request, saved=None)
    return hand_command(spec_of(booted, str(request.folder / INITRD)), request.folder / RESULTS)


def reproduce(request: GuestRequest, folder: Path) -> tuple[str, ...]:
    """Writes into `folder` what the command line by hand needs: the initrd, and the command as `run.sh`. Returns the
    command. Raises UserError if a part of the initrd is gone."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INITRD).write_bytes(b"".join(padded(request.initrd)))
    command = hand_command(spec_of(replace(request, saved=None), str(folder / INITRD)), folder / RESULTS)
    script = folder / SCRIPT
    script.write_text(f"#!/bin/sh\nexec {as_shell(command)}\n", encoding="utf-8")
    script.chmod(0o755)
    return command
