# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages that a guest needs for the commands of its scripts."""

from pathlib import Path

import pytest

from testcases.selftests.guest.guest_tools import packages_of


@pytest.mark.parametrize(
    ("name", "text", "packages"),
    [
        ("a.sh", "#!/bin/sh\nip link add dummy0 type dummy\n", ("iproute2",)),
        ("a.sh", "#!/bin/sh\nLC_ALL=C ip -6 addr\n", ("iproute2",)),
        ("a.sh", "#!/bin/sh\nif ! nft --version; then exit 4; fi\n", ("nftables",)),
        ("a.sh", "#!/bin/sh\nip netns exec ns1 socat - TCP:1\n", ("iproute2", "socat")),
        ("a.sh", "#!/bin/sh\nresult=$(jq -r .x < y)\n", ("jq",)),
        ("a.sh", "#!/bin/bash\necho a | bc\n", ("bash", "bc")),
        ("a.sh", "#!/bin/sh\n# ip is not called\necho the ip address\n", ()),
        ("a.sh", "#!/bin/sh\nif ! /sbin/modprobe -q -n rc-loopback; then\n", ("kmod",)),
        ("a.sh", "#!/bin/sh\nmkfs.ext4 -q img\n", ("e2fsprogs",)),
        ("lib.sh", '#!/bin/bash\nhere=$(dirname "$(readlink -e "${BASH_SOURCE[0]}")")\n', ("bash", "coreutils")),
        ("a.sh", "#!/bin/sh\nhere=$(readlink -f $0)\n", ()),
        ("a.sh", "#!/bin/sh\nplace=$(grep debugfs /proc/mounts --max-count 1 | cut -f 2)\n", ("grep",)),
        ("a.sh", "#!/bin/sh\ngrep -v x < y | head -1; ip --brief link\n", ("iproute2",)),
        ("a.sh", "#!/bin/sh\nip link | grep -oP 'mtu \\K.*'\n", ("grep", "iproute2")),
        ("a.sh", "#!/bin/sh\nhead -c 3 | head --bytes=3\n", ("coreutils",)),
        ("a.sh", "#!/bin/sh\ngrep -q x y -- --count || header --bytes\n", ("grep",)),
        ("a.py", "#!/usr/bin/env python3\nsubprocess.run(['ethtool', 'eth0'])\n", ("ethtool", "python3")),
        ("a.py", '#!/usr/bin/python3\ncmd(f"ip link show")\n', ("iproute2", "python3")),
        ("notes.txt", "ip link\n", ()),
    ],
)
def test_what_a_script_starts(tmp_path: Path, name: str, text: str, packages: tuple[str, ...]) -> None:
    (tmp_path / name).write_text(text)
    assert packages_of(tmp_path) == packages


def test_what_a_program_starts(tmp_path: Path) -> None:
    text = b"\x7fELF..\0mkfs.ext4 -q /mnt/x\0ip is a word\0unshare PID namespace\n\0/sbin/modprobe\0file not found\0"
    (tmp_path / "program").write_bytes(text)
    assert packages_of(tmp_path) == ("e2fsprogs", "kmod")
    (tmp_path / "program").write_bytes(text[:4] + bytes(1 << 20) + b"addr2line -s -e /proc/$PPID/exe\0")
    assert packages_of(tmp_path) == ("binutils",)
