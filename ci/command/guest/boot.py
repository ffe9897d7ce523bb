# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py boot`."""

import sys
from pathlib import Path
from typing import BinaryIO

import click

from ci.command.shared.options import GuestChoice, Selection, guest_options, selection_options
from ci.command.shared.running import running

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("boot")
@selection_options()
@guest_options
@click.option("--kernel", type=_FILE, help="This kernel instead.")
@click.option("--initrd", type=_FILE, help="This image instead.")
def COMMAND(  # noqa: N802
    *, selection: Selection, guest: GuestChoice, kernel: Path | None, initrd: Path | None
) -> None:
    """Boot one kernel with one image, its console on the terminal."""
    sys.exit(boot_guest(selection, guest, kernel, initrd, shell=False))


def boot_guest(
    selection: Selection, guest: GuestChoice, kernel: Path | None, initrd: Path | None, *, shell: bool
) -> int:
    """One guest on the user's terminal, or for the commands of a pipe; its exit status, or theirs."""
    from tempfile import TemporaryDirectory

    from ci.plan.wishes import make_plan
    from ci.run.one_guest import GuestWish, one_guest, run_commands, run_interactive
    from configs.loader import load_profile

    plan = make_plan(
        load_profile(selection.profile), selection.wishes(), accel=guest.accel, jobs=selection.jobs, fresh=False
    )
    commands = piped_commands() if shell else None
    with TemporaryDirectory(prefix="rig-guest-") as folder:
        with running(selection.quiet) as (emit, stop):
            wish = GuestWish(guest.variant, guest.machine, kernel, initrd, shell, commands)
            made = one_guest(plan, wish, Path(folder), emit, stop)
            if commands is not None:
                return run_commands(made, emit, stop)
        return run_interactive(made)


def piped_commands() -> BinaryIO | None:
    """Standard input, where that is no terminal."""
    return None if sys.stdin.isatty() else sys.stdin.buffer
