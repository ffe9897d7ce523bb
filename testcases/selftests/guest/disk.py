# SPDX-License-Identifier: GPL-2.0-or-later
"""A file system like that of a disk under the tests, for targets with `disk: true`.

The guest's own root is memory: its pages are never written back, read ahead or reclaimed.
"""

CONFIG = ("CONFIG_BLOCK=y", "CONFIG_BLK_DEV=y", "CONFIG_BLK_DEV_LOOP=y", "CONFIG_EXT4_FS=y")
PACKAGES = ("e2fsprogs", "mount")


def commands(place: str) -> tuple[str, ...]:
    """Shell commands that put a copy of the folder `/<place>` on ext4, in an empty image of 256 MB, over the folder."""
    return (
        "truncate -s 256M /run/disk",
        "mkfs.ext4 -q /run/disk",
        f"mkdir /run/{place}",
        f"mount -o loop /run/disk /run/{place}",
        f"cp -a /{place}/. /run/{place}",
        f"mount --bind /run/{place} /{place}",
    )
