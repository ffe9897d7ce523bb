# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin is one source for every version of QEMU's plugin interface."""

import subprocess
from pathlib import Path

import pytest

from configs.loader import load_arch
from guests.tracer.trace import interface_version, plugin_option
from util.errors import MachineError
from util.stop import Stop

INLINE = {1: "qemu_plugin_register_vcpu_insn_exec_inline", 2: "qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu"}
INLINE[3] = INLINE[2]


@pytest.mark.parametrize(
    ("qemu", "version"),
    [("6.2.0", 1), ("7.2.22", 1), ("8.2.1", 1), ("9.0.0", 2), ("9.1.2", 3), ("10.0.13", 3), ("11.0.50", 3)],
)
def test_each_qemu_gets_the_plugin_that_it_serves(tmp_path: Path, qemu: str, version: int) -> None:
    assert interface_version(qemu) == version
    option = plugin_option(tmp_path, load_arch("x86_64"), qemu, Stop())
    library = next(part.removeprefix("file=") for part in option.split(",") if part.startswith("file="))
    wanted = subprocess.run(["nm", "-D", "--undefined-only", library], capture_output=True, text=True, check=True)
    assert INLINE[version] in wanted.stdout.split()
    assert ("qemu_plugin_scoreboard_new" in wanted.stdout.split()) is (version > 1)


@pytest.mark.parametrize("qemu", ["", "unknown", "5.2.0"])
def test_a_qemu_that_cannot_count_is_named(tmp_path: Path, qemu: str) -> None:
    with pytest.raises(MachineError, match=r"cannot count instructions by function; 6\.0 and later can"):
        plugin_option(tmp_path, load_arch("x86_64"), qemu, Stop())
