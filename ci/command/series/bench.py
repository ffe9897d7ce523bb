# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py bench`."""

import sys
from pathlib import Path

import click

from ci.command.shared.options import Selection, abi_option, fresh_option, out_option, selection_options
from ci.command.shared.running import command_line, running, status_of


@click.command("bench")
@selection_options("bench")
@abi_option
@out_option
@fresh_option
@click.option("--twice", is_flag=True, help="Run every guest a second time and compare every figure.")
@click.option(
    "--explain",
    multiple=True,
    metavar="FIGURE",
    help="Say which kernel functions the instructions of a figure are in, such as 'call/none/*'; "
    "of a broken budget that is said anyway.",
)
def COMMAND(  # noqa: N802
    *, selection: Selection, abis: tuple[str, ...], out: Path | None, fresh: bool, twice: bool,
    explain: tuple[str, ...],
) -> None:  # fmt: skip
    """Count what a series costs in guest instructions: a table for the cover letter, plots, budgets."""
    from ci.plan.wishes import make_plan
    from ci.run.bench import bench, bench_suites
    from configs.loader import load_profile
    from util.paths import new_run_folder

    profile = load_profile(selection.profile)
    wishes = selection.wishes(abis=abis, suites=bench_suites(profile), rerun=0)
    plan = make_plan(
        profile, wishes, accel="tcg", jobs=selection.jobs, fresh=fresh, spec=selection.profile, explain=explain
    )
    folder = (out or new_run_folder(plan.profile.name)).resolve()
    with running(selection.quiet, last=True) as (emit, stop):
        made = bench(plan, folder, twice, command_line(), emit, stop)
    for line in made.lines():
        click.echo(line)
    click.echo(f"reports: {folder}", err=True)
    sys.exit(status_of(made.run, 3 if made.differences else made.run.exit_code, stop))
