# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py boot` and `rig.py shell`: one guest of one variant, its console on the terminal."""

import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ci.plan.expand import expanded
from ci.plan.plan import Plan
from ci.plan.variants import prepare_variants
from ci.run.tasks.executor import Executor
from ci.verdict.guest_tests import tail
from configs import host
from configs.names import did_you_mean
from guests.qemu.machine import kernel_of, machine_of
from guests.run.accel import prove_accel
from guests.run.interactive import ESCAPE_NAME, boot_interactive, terminal_size
from guests.run.request import GuestRequest
from guests.run.run import KERNEL_ENDS, End, run_guest
from initramfs.base import base_image, job_image
from initramfs.cpio import program
from initramfs.job import GuestJob, Mode, Step
from kernels.source.store import Store
from util.errors import UserError
from util.events import Listener
from util.paths import cache
from util.stop import Stop
from util.text import plain

COMMANDS = "/root/commands"
"""Where the commands of a pipe stand in the guest, as a script."""
_A_DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class GuestWish:
    """Which guest: `variant` empty is the judged one, `machine` empty the architecture's default. `kernel` and `initrd`
    replace what would be built; the shell runs what `commands` holds, if there is such a pipe, which is not read before
    all else is known to be right."""

    variant: str = ""
    machine: str = ""
    kernel: Path | None = None
    initrd: Path | None = None
    shell: bool = False
    commands: BinaryIO | None = None


def one_guest(plan: Plan, wish: GuestWish, folder: Path, emit: Listener, stop: Stop) -> GuestRequest:
    """The guest, with its kernel built and its image made, ready for `run_interactive` or `run_commands`. Its files go
    to `folder`.

    The architecture is the plan's first. Raises UserError for an unknown variant or a kernel that does not build.
    """
    arch = plan.targets[0].arch
    host.require([arch.name], ("sources", "builds", "guests"))
    machine = machine_of(arch, wish.machine)
    kernel = wish.kernel or kernel_of(machine, _built(plan, wish.variant, emit, stop))
    image = base_image(arch, emit, stop, shell=wish.shell)
    accel = prove_accel(plan.accel, arch, wish.machine, kernel, image, emit, stop)
    commands = wish.commands.read() if wish.commands else None
    job = shell_job(accel.time_scale, commands) if wish.shell else empty_job(accel.time_scale)
    files = () if commands is None else (program(COMMANDS, commands),)
    initrd: tuple[Path | bytes, ...] = (wish.initrd,) if wish.initrd else (image, job_image(job, files))
    return GuestRequest(
        arch=arch,
        machine=wish.machine,
        kernel=kernel,
        vmlinux=None,
        initrd=initrd,
        job=job,
        accel=accel.name,
        folder=folder,
        memory_mb=plan.profile.memory_mb,
        label=f"{arch.name} {wish.variant or 'judged'}",
    )


def empty_job(scale: float) -> GuestJob:
    return GuestJob(nonce=secrets.token_hex(16), time_scale=scale)


def shell_job(scale: float, commands: bytes | None) -> GuestJob:
    """A shell on the console, or with commands one that runs them (they have to stand in COMMANDS)."""
    if commands is None:
        return GuestJob(nonce=secrets.token_hex(16), steps=(_shell_step(),), time_scale=scale, mode=Mode.SHELL)
    step = Step("commands", ("/bin/busybox", "sh", COMMANDS), cwd="/root", timeout=_A_DAY / max(scale, 1.0))
    return GuestJob(nonce=secrets.token_hex(16), steps=(step,), time_scale=scale)


def _shell_step() -> Step:
    """The shell, with the size that the terminal has now; what it changes to is told to init (`boot_interactive`)."""
    columns, lines = terminal_size()
    size = (("LINES", str(lines)), ("COLUMNS", str(columns)), ("TERM", os.environ.get("TERM", "vt102")))
    return Step("shell", ("/bin/busybox", "sh", "-l"), env=size)


def _built(plan: Plan, variant: str, emit: Listener, stop: Stop) -> Path:
    """The folder of the variant's finished build."""
    known = [choice.name for choice in plan.variants]
    name = variant or plan.judged.name
    if name not in known:
        raise UserError(f"no variant `{name}`{did_you_mean(name, known)} (known: {', '.join(known)})")
    only = plan.alone(name)
    store = Store()
    variants = prepare_variants(only, store, emit, stop)
    if failure := variants.judged.applied.failure:
        raise UserError(str(failure))
    only = expanded(only, variants, store, emit, stop)
    with Executor(only, variants, store, cache("runs"), emit, stop) as executor:
        executor.build()
        (build,) = executor.kernels().values()
    if not build.ok:
        raise UserError(f"the kernel does not build: {build.failure} (log: {build.output('log')})")
    return build.folder


def run_interactive(request: GuestRequest) -> int:
    """Hands the terminal to the guest and returns QEMU's exit status."""
    if sys.stdin.isatty():
        sys.stderr.write(f"{request.label}: {ESCAPE_NAME} ends the guest\n")
    return boot_interactive(request)


def run_commands(request: GuestRequest, emit: Listener, stop: Stop) -> int:
    """Boots the guest, passes on what its one step wrote, and returns the step's exit status: 128 and the signal for
    one that was killed. A guest that does not come to its end is a fault of its kernel: 1, and the console's tail."""
    outcome = run_guest(request, emit, stop)
    step = outcome.steps[0]
    for stream, data in ((sys.stdout, step.stdout), (sys.stderr, step.stderr)):
        stream.flush()
        stream.buffer.write(data)
        stream.flush()
    for fault in outcome.faults:
        sys.stderr.write(f"{request.label}: {plain(fault.title)}\n")
    if outcome.end is not End.FINISHED:
        lines = "".join(f"    {plain(line)}\n" for line in outcome.tail or tail(outcome.console))
        sys.stderr.write(f"{request.label}: {outcome.message}; the end of its console:\n{lines}")
        return 1 if outcome.end in KERNEL_ENDS else 3
    return 128 + step.value if step.how == "signalled" else step.value
