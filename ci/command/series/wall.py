# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py wall`."""

import sys
from pathlib import Path

import click

from ci.command.shared.options import (
    GuestHost,
    Selection,
    abi_option,
    accel_option,
    host_options,
    out_option,
    selection_options,
)
from ci.command.shared.running import command_line, running, status_of


@click.command("wall")
@selection_options("wall")
@abi_option
@accel_option
@click.option(
    "--rounds", type=click.IntRange(1), default=20, show_default=True, help="How often each variant is measured."
)
@click.option("--seed", type=click.IntRange(0), help="Of the order of the variants; absent: drawn, and printed.")
@host_options
@out_option
def COMMAND(  # noqa: N802
    *, selection: Selection, abis: tuple[str, ...], accel: str, rounds: int, seed: int | None, where: GuestHost,
    out: Path | None,
) -> None:  # fmt: skip
    """Time what a series costs: base and patched in turn, on KVM here or on a machine reached over SSH.

    Prints nanoseconds and ratios with confidence intervals. That informs and decides nothing: the exit status is only
    about what was built and whether each guest came to its end. Under TCG the times are the emulator's own.
    """
    from ci.plan.wishes import make_plan
    from ci.run.bench import bench_suites
    from ci.run.wall import rounds_of, wall
    from ci.text.wall_table import tables
    from configs.loader import load_profile
    from guests.host.open import open_host
    from util.paths import new_run_folder

    profile = load_profile(selection.profile)
    wishes = selection.wishes(abis=abis, suites=bench_suites(profile), rerun=0)
    plan = make_plan(profile, wishes, accel=accel, jobs=selection.jobs, fresh=True, spec=selection.profile)
    folder = (out or new_run_folder(plan.profile.name)).resolve()
    with running(selection.quiet, last=True) as (emit, stop), open_host(where.host, where.identity) as host:
        made = wall(plan, host, rounds_of(rounds, seed), folder, command_line(), emit, stop)
    click.echo("\n".join(tables(made)))
    click.echo(f"{made.verdict}: {made.summary}")
    click.echo(f"reports: {folder}", err=True)
    sys.exit(status_of(made, made.exit_code, stop))
