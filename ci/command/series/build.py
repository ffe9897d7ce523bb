# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py build`."""

import sys

import click

from ci.command.shared.options import Selection, selection_options
from ci.command.shared.running import running
from util.text import plain


@click.command("build")
@selection_options()
def COMMAND(*, selection: Selection) -> None:  # noqa: N802
    """Build the kernels of every variant, and say where they are."""
    from ci.plan.wishes import make_plan
    from ci.run.kernel_builds import build_kernels
    from configs.loader import load_profile

    plan = make_plan(
        load_profile(selection.profile), selection.wishes(), accel="auto", jobs=selection.jobs, fresh=False
    )
    with running(selection.quiet) as (emit, stop):
        kernels = build_kernels(plan, emit, stop)
    for line in kernels.lines():
        click.echo(plain(line))
    sys.exit(0 if kernels.ok else 1)
