# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest of one cell of an earlier run, made again for a person: `rig.py shell` and `rig.py gdb`."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ci.cells.guest.guest_cell import GuestCell, request_of
from ci.plan.places import again
from ci.plan.plan import Plan
from ci.plan.variants import each_patch, prepare_variants
from ci.run.one_guest import COMMANDS, shell_job
from ci.run.tasks.executor import Executor
from configs.names import STATIC
from configs.result import Cell
from guests.run.request import GuestRequest
from initramfs.base import job_image
from initramfs.cpio import program
from kernels.source.store import Store
from kernels.source.worktree import worktree
from testcases.suite import Payload
from util.errors import UserError
from util.events import Listener
from util.stop import Stop

STEPS = "/root/steps"
"""Where the suite's steps stand in a shell's guest, as a script."""


@dataclass(frozen=True, slots=True)
class CellGuest:
    """`commit` is what the kernel was built from."""

    guest: GuestCell
    commit: str


@contextmanager
def cell_guest(
    plan: Plan, cell: Cell, folder: Path, emit: Listener, stop: Stop, *, shell: bool = False
) -> Iterator[CellGuest]:
    """Builds (or finds) the kernel and the suite of a cell. The guest's own files go below `folder`.

    Raises UserError for a cell without a guest, or one whose kernel or suite cannot be made.
    """
    if cell.suite in STATIC or cell.abi == "-":
        raise UserError(f"`{cell}`: has no guest; it is read from the kernels and patches themselves")
    plan = again(plan, {replace(cell, variant=""): ()})
    store = Store()
    variants = prepare_variants(plan, store, emit, stop)
    if plan.each:
        plan, variants = each_patch(plan, variants, store, emit, stop)
    own = next((variant for variant in variants.all if variant.name == cell.variant), None)
    if own is None:
        raise UserError(f"no variant `{cell.variant}` (there are: {', '.join(item.name for item in variants.all)})")
    for variant in variants.all:
        if variant.applied.failure:
            raise UserError(str(variant.applied.failure))
    with Executor(plan, variants, store, folder, emit, stop) as executor:
        executor.prepare()
        made = executor.guest_of(cell, shell=shell)
        if isinstance(made, str):
            raise UserError(f"`{cell}`: {made}")
        yield CellGuest(made, own.applied.commit)


@contextmanager
def source_of(made: CellGuest, emit: Listener, stop: Stop) -> Iterator[Path]:
    """A checkout of the tree that the guest's kernel was built from, while the block lasts."""
    with worktree(Store(), made.commit, emit, stop) as tree:
        yield tree


def shell_request(made: CellGuest, commands: bytes | None) -> GuestRequest:
    """The cell's guest with a shell in place of the suite, on its console or, with commands, to run those; the suite's
    files are in it, and its steps stand in STEPS."""
    guest = made.guest
    job = shell_job(guest.accel.time_scale, commands)
    files = [*guest.payload.files, program(STEPS, steps_script(guest.payload).encode())]
    if commands is not None:
        files.append(program(COMMANDS, commands))
    return replace(request_of(guest), job=job, initrd=(guest.base_image, *guest.archives, job_image(job, files)))


def steps_script(payload: Payload) -> str:
    """The suite's steps as a script of busybox's shell: what init would start, one command to a line."""
    lines = ["#!/bin/sh", "# The steps of the suite, each as init starts it. Run all of them, or paste one."]
    for step in payload.steps:
        env = "".join(f"{name}={shlex.quote(value)} " for name, value in step.env)
        lines.append(f"(cd {shlex.quote(step.cwd)} && {env}{shlex.join(step.argv)})  # {step.name}")
    return "\n".join(lines) + "\n"
