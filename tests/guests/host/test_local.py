# SPDX-License-Identifier: GPL-2.0-or-later
"""How a guest is started on this machine."""

import subprocess
from pathlib import Path

from configs.loader import load_arch
from guests.host.host import LOCAL
from guests.qemu.machine import Spec
from util.stop import Stop


def test_a_saved_guest_is_opened_on_a_descriptor_that_is_free(tmp_path: Path) -> None:
    """The file is opened through a path, as the initrd of one that boots: what has outlived the rig finds nothing."""
    (tmp_path / "state").write_text("state")
    spec = Spec(load_arch("x86_64"), "", tmp_path / "vmlinux", "", "tcg", 512, 1, saved=True)
    for results, qmp, free in ((3, 4, 5), (3, 5, 4), (30, 31, 3)):
        command = LOCAL.starter(spec, (), Stop())(results, qmp, str(tmp_path / "state"))
        assert command[command.index("-incoming") + 1] == f"fd:{free}"
        start = command.index("qemu-system-x86_64")
        seen = subprocess.run([*command[:start], "sh", "-c", f"cat <&{free}"], capture_output=True, check=True)
        assert seen.stdout == b"state"
        gone = subprocess.run([*command[: start - 1], "/none", "true"], capture_output=True, check=False)
        assert gone.returncode
