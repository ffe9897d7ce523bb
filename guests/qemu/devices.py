# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks and network cards that a guest asks for: nothing on the host is needed for them, and nothing of them is left
there when the guest is gone, however it went.

Disks are empty. What is written to them goes into one file without a name, which the rig holds open for its QEMU. A
QEMU without one, by hand or on another machine, makes a temporary file for each disk, opens it and unlinks it
(`snapshot=on`, see `bdrv_append_temp_snapshot` in its block.c). A QEMU that is killed in between leaves it behind: 34
of 300 did that were killed at a random moment of their first 0.15 s. On another machine it lies in the folder that is
removed with the guest (`guests.host.bridge`).

The cards are the ports of one hub: what one sends the others get. No port of the hub leads out.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from configs.model import Machine
from util.errors import MachineError

DISK_MB = 1024
"""Of each disk. It takes up what is written to it."""


@dataclass(frozen=True, slots=True)
class Devices:
    """How many virtio disks and virtio network cards a guest has."""

    disks: int = 0
    network_cards: int = 0

    def __bool__(self) -> bool:
        return bool(self.disks or self.network_cards)


NO_DEVICES = Devices()


@contextmanager
def disk_file(devices: Devices) -> Iterator[str]:
    """A path for `device_arguments`, by which other processes can open an empty file without a name while the context
    lasts; empty where no disk is asked for. Raises MachineError where there is no place for it."""
    if not devices.disks:
        yield ""
        return
    with _nameless() as file:
        file.truncate(devices.disks * DISK_MB << 20)
        yield f"/proc/{os.getpid()}/fd/{file.fileno()}"


def _nameless() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise MachineError(f"a guest's disk: {error.strerror}; set TMPDIR to a folder that can be written") from None


def device_arguments(machine: Machine, devices: Devices, file: str = "") -> Iterator[str]:
    """The arguments of QEMU for them, on the bus that the machine's virtio-serial controller names (`virtio-blk-pci`
    beside `virtio-serial-pci`). `file` holds all disks, one after the other; empty: QEMU makes files of its own."""
    bus = machine.serial_device.partition(",")[0].removeprefix("virtio-serial-")
    for number in range(devices.disks):
        if file:  # opened once for each disk, so QEMU's locks would keep it from itself
            place = f"driver=raw,file.driver=file,file.filename={file},file.locking=off,offset={number * DISK_MB}M"
            yield from ("-drive", f"if=none,id=disk{number},{place},size={DISK_MB}M,cache=unsafe")
        else:
            yield from ("-drive", f"if=none,id=disk{number},driver=null-co,size={DISK_MB}M,read-zeroes=on,snapshot=on")
        yield from ("-device", f"virtio-blk-{bus},drive=disk{number}")
    # A card on PCI has a ROM to boot from, which QEMU would have to find on the host.
    rom = ",romfile=" if bus == "pci" else ""
    for number in range(devices.network_cards):
        yield from ("-netdev", f"hubport,id=card{number},hubid=0")
        yield from ("-device", f"virtio-net-{bus},netdev=card{number}{rom}")
