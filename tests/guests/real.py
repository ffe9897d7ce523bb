# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest request on a real kernel."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from configs.loader import load_arch
from guests.qemu.machine import kernel_of, machine_of
from guests.run.accel import UNKNOWN_SCALE
from guests.run.request import GuestRequest
from initramfs.base import base_image, job_image
from initramfs.cpio import Entry, program
from initramfs.job import GuestJob, Step
from initramfs.toolchain import compile_static
from util.events import silent
from util.stop import Stop

POKE = Path(__file__).with_name("poke.c")


def poke(name: str, *arguments: str, timeout: float = 5.0) -> Step:
    """A step that runs tests/guests/poke.c."""
    return Step(name, ("/poke", *arguments), timeout=timeout)


def real_request(
    kernel: Path,
    arch_name: str,
    folder: Path,
    steps: Sequence[Step] = (),
    machine: str = "",
    scale: float = UNKNOWN_SCALE,
    files: Sequence[Entry] = (),
    sysctls: Sequence[tuple[str, str]] = (),
    **changes: Any,
) -> GuestRequest:
    """The guest of a job on the kernel in a build folder."""
    arch = load_arch(arch_name)
    toolchain = next(iter(arch.abis.values())).toolchain
    poke_program = compile_static(toolchain, [POKE], "poke", flags=("-O1", "-Wall", "-Werror"), stop=Stop())
    job = GuestJob(nonce="real", steps=tuple(steps), time_scale=scale, sysctls=tuple(sysctls))
    request = GuestRequest(
        arch=arch,
        machine=machine,
        kernel=kernel_of(machine_of(arch, machine), kernel),
        vmlinux=kernel / "vmlinux",
        initrd=(base_image(arch, silent, Stop()), job_image(job, (program("poke", poke_program.read_bytes()), *files))),
        job=job,
        accel="tcg",
        folder=folder,
        label=f"{arch_name} {folder.name}",
    )
    return replace(request, **changes)


BuiltKernel = Callable[[str], Path]
