# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks and network cards of a target's guests (`guests.qemu.devices`), and a file system on a disk under the tests.

The guest's own root is memory: its pages are never written back, read ahead or reclaimed. A target with `disk: true`
has its programs on ext4, on a disk behind those that it has by `disks`.
"""

from guests.qemu.devices import Devices
from testcases.selftests.data import Target

PACKAGES = ("e2fsprogs", "mount")
"""What `commands` calls."""
_DISKS = ("CONFIG_BLOCK=y", "CONFIG_BLK_DEV=y", "CONFIG_VIRTIO_BLK=y")
_CARDS = ("CONFIG_NETDEVICES=y", "CONFIG_NET_CORE=y", "CONFIG_VIRTIO_NET=y")
_EXT4 = "CONFIG_EXT4_FS=y"
_SIZE = "256M"
"""Of the file system: a smaller one is made in less time."""


def devices_of(data: Target) -> Devices:
    return Devices(data.disks + data.disk, data.network_cards)


def config_of(data: Target) -> tuple[str, ...]:
    """The kconfig lines that a guest's devices need, and the file system on them."""
    devices = devices_of(data)
    return (
        *(_DISKS if devices.disks else ()),
        *((_EXT4,) if data.disk else ()),
        *(_CARDS if devices.network_cards else ()),
    )


def commands(data: Target, place: str) -> tuple[str, ...]:
    """Shell commands that put a copy of the folder `/<place>` on ext4, over the folder; none without `disk: true`."""
    if not data.disk:
        return ()
    device = f"/dev/vd{chr(ord('a') + data.disks)}"
    return (
        f"mkfs.ext4 -q {device} {_SIZE}",
        f"mkdir /run/{place}",
        f"mount {device} /run/{place}",
        f"cp -a /{place}/. /run/{place}",
        f"mount --bind /run/{place} /{place}",
    )
