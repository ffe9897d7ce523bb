# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py shell`."""

import sys

import click

from ci.command.boot import run_guest
from ci.command.options import GuestChoice, Selection, guest_options, selection_options


@click.command("shell")
@selection_options()
@guest_options
def COMMAND(*, selection: Selection, guest: GuestChoice) -> None:  # noqa: N802
    """A busybox shell in a guest of any variant; leave it with `exit`."""
    sys.exit(run_guest(selection, guest, None, None, shell=True))
