# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest request on the fake QEMU, with deadlines of a test's patience."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from configs.loader import load_arch
from guests.run.guest_state import Deadlines
from guests.run.request import GuestRequest
from guests.run.run import Outcome, run_guest
from initramfs.job import GuestJob, Step
from util.events import silent
from util.stop import Stop

FAKE = Path(__file__).with_name("fake_qemu.py")
NONCE = "nonce-1"
JOB = GuestJob(nonce=NONCE, steps=(Step("first", ("/first",), timeout=1.0),), heartbeat=0.1)
LIMITS = Deadlines(first_byte=8.0, boot=8.0, lifeless=2.0, grace=0.5, farewell=1.0, total=20.0)


def fake_request(tmp_path: Path, scene: str, **changes: Any) -> GuestRequest:
    arch = load_arch("x86_64").model_copy(update={"qemu": str(FAKE)})
    request = GuestRequest(
        arch=arch,
        machine="",
        kernel=tmp_path / "vmlinux",
        vmlinux=None,
        initrd=(b"070701",),
        job=JOB,
        accel="tcg",
        folder=tmp_path / "guest",
        label=scene,
        limits=LIMITS,
    )
    return replace(request, **changes)


def play(tmp_path: Path, scene: str, **changes: Any) -> Outcome:
    return run_guest(fake_request(tmp_path, scene, **changes), silent, Stop())
