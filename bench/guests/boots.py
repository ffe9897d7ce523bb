# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest of the rig with nothing to do, beside bare QEMU with the same kernel and an init that only powers off."""

import secrets
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from configs.model import Arch
from guests.crash.outcome import End
from guests.qemu.machine import hand_command, kernel_of
from guests.run.accel import prove_accel
from guests.run.request import GuestRequest, SavedGuest, spec_of
from guests.run.run import run_guest
from guests.run.saved import save_guest, waiting
from initramfs.base import base_image, job_image, layout, native_abi
from initramfs.cpio import archive, program
from initramfs.job import GuestJob
from initramfs.toolchain import compile_static
from util.events import silent
from util.paths import ROOT
from util.stop import Stop

POWER_OFF = Path(__file__).parent / "poweroff.c"


def built(*arguments: str) -> Path:
    """The folder of the first kernel that `rig.py build` makes, or takes from its cache."""
    command = [str(ROOT / "rig.py"), "build", "--quiet", *arguments]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    line = next(line for line in shown.splitlines() if line.strip().startswith("image: "))
    return Path(line.partition(": ")[2]).parent


def empty_request(arch: Arch, build: Path, folder: Path) -> GuestRequest:
    """The rig's guest with a job of no steps, on the kernel in a build folder."""
    machine = arch.machines[arch.default_machine]
    kernel, image = kernel_of(machine, build), base_image(arch, silent, Stop())
    accel = prove_accel("auto", arch, "", kernel, image, silent, Stop())
    job = GuestJob(nonce=secrets.token_hex(8), time_scale=accel.time_scale)
    return GuestRequest(
        arch=arch,
        machine="",
        kernel=kernel,
        vmlinux=None,
        initrd=(image, job_image(job)),
        job=job,
        accel=accel.name,
        folder=folder,
    )


def copy_of(request: GuestRequest, folder: Path) -> GuestRequest:
    """The same guest, as a copy of one that is booted and saved here."""
    saved = SavedGuest(folder / f"{request.machine or 'default'}-saved")
    saved.folder.mkdir()
    save_guest(waiting(request, Stop()), saved, Stop())
    return replace(request, saved=saved)


def rig_boot(request: GuestRequest) -> float:
    """Wall seconds from the call to the verified end marker. Raises RuntimeError for a guest that does not finish, or
    does not start as it was asked to."""
    start = time.monotonic()
    outcome = run_guest(request, silent, Stop())
    if outcome.end is not End.FINISHED or outcome.restored != (request.saved is not None):
        raise RuntimeError(f"the empty guest: {outcome.end}: {outcome.message} {outcome.notes}")
    return time.monotonic() - start


def bare_init(arch: Arch) -> bytes:
    """An initramfs whose init powers off at once."""
    init = compile_static(native_abi(arch).toolchain, [POWER_OFF], "poweroff", flags=("-Os",), stop=Stop())
    return archive([*layout(), program("init", init.read_bytes())])


def bare_boot(request: GuestRequest) -> float:
    """Wall seconds of QEMU alone, same machine and kernel, whose init powers off at once and checks nothing."""
    with tempfile.NamedTemporaryFile(suffix=".cpio") as initrd:
        initrd.write(bare_init(request.arch))
        initrd.flush()
        command = hand_command(spec_of(request, initrd.name), Path("/dev/null"))
        start = time.monotonic()
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True, timeout=120)
        return time.monotonic() - start
