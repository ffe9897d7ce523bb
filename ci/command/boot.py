# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py boot`."""

import sys
from pathlib import Path

import click

from ci.command.options import GuestChoice, Selection, guest_options, selection_options
from ci.command.running import running

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
    sys.exit(run_guest(selection, guest, kernel, initrd, shell=False))


def run_guest(
    selection: Selection, guest: GuestChoice, kernel: Path | None, initrd: Path | None, *, shell: bool
) -> int:
    """One guest on the user's terminal; its exit status."""
    from ci.plan.plan import make_plan
    from ci.run.one_guest import GuestWish, one_guest, run_interactive
    from configs.loader import load_profile

    plan = make_plan(
        load_profile(selection.profile), selection.wishes(), accel=guest.accel, jobs=selection.jobs, fresh=False
    )
    with running(selection.quiet) as (emit, stop):
        made = one_guest(plan, GuestWish(guest.variant, guest.machine, kernel, initrd, shell), emit, stop)
    return run_interactive(made)
