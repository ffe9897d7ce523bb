# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks and network cards with the real QEMU: on every machine of each architecture, and in a real kernel."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from configs.loader import load_arch
from configs.names import names
from guests.crash.outcome import End
from guests.qemu.devices import DISK_MB, Devices, device_arguments, disk_file
from guests.run.run import run_guest
from tests.guests.real import BuiltKernel, poke, real_request
from tests.guests.run.test_real import MACHINES as BOOTED
from util.events import silent
from util.stop import Stop

pytestmark = pytest.mark.real

ASKED = Devices(disks=4, network_cards=2)
MACHINES = [(name, machine) for name in names("archs") for machine in load_arch(name).machines]
QUESTIONS = ("qmp_capabilities", "query-block", "quit")


@pytest.mark.parametrize("in_file", [True, False])
@pytest.mark.parametrize(("name", "machine"), MACHINES)
def test_every_machine_has_them(name: str, machine: str, in_file: bool, tmp_path: Path) -> None:
    arch = load_arch(name)
    if not shutil.which(arch.qemu):
        pytest.skip(f"{arch.qemu} is not installed (doctor --arch {name})")
    with disk_file(ASKED) as path:
        made = arch.machines[machine]
        devices = device_arguments(made, ASKED, path if in_file else "")
        usual = ("-nodefaults", "-no-user-config", "-display", "none", "-S", "-qmp", "stdio", "-accel", "tcg")
        # those of a guest, for a machine has room for so many
        others = [word for device in (*made.devices, made.serial_device) for word in ("-device", device)]
        command = (arch.qemu, *usual, *made.args, "-cpu", arch.cpu["tcg"], "-m", "256", *others, *devices)
        questions = "".join(json.dumps({"execute": question}) for question in QUESTIONS)
        env = {**os.environ, "TMPDIR": str(tmp_path)}
        done = subprocess.run(command, input=questions, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    blocks: list[dict[str, Any]] = next(answer["return"] for answer in answers if answer.get("return"))
    sizes = {
        block["device"]: block["inserted"]["image"]["virtual-size"]
        for block in blocks
        if block["device"].startswith("disk")
    }
    assert sizes == {f"disk{number}": DISK_MB << 20 for number in range(4)}
    assert list(tmp_path.iterdir()) == []


NET, BLOCK, CONSOLE, RANDOM = 1, 2, 3, 4
"""Of include/uapi/linux/virtio_ids.h."""


@pytest.mark.parametrize(("arch", "machine"), BOOTED)
def test_a_kernel_finds_them(built_kernel: BuiltKernel, tmp_path: Path, arch: str, machine: str) -> None:
    """Whether or not it has a driver for them."""
    files = tuple(f"/sys/bus/virtio/devices/virtio{number}/device" for number in range(6))
    look = replace(poke("look"), collect=files)
    request = real_request(built_kernel(arch), arch, tmp_path, [look], machine=machine, devices=Devices(2, 2))
    outcome = run_guest(request, silent, Stop())
    assert (outcome.end, outcome.faults) == (End.FINISHED, ())
    found = sorted(int(content, 16) for _name, content in outcome.steps[0].files)
    assert found == [NET, NET, BLOCK, BLOCK, CONSOLE, RANDOM]
