# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py clean`."""

import click

from ci.command.shared.running import running


@click.command("clean")
@click.option("--older-than", type=click.FloatRange(0), metavar="DAYS", help="Remove what was not used for so long.")
@click.option("--all", "everything", is_flag=True, help="Remove all of it.")
@click.option("-v", "--verbose", is_flag=True, help="Name every entry, with its size and the days since its last use.")
def COMMAND(older_than: float | None, everything: bool, verbose: bool) -> None:  # noqa: N802
    """What the cache holds, by age and size; removes nothing unless asked."""
    from ci.machine.clean import lines, remove

    days = 0.0 if everything else older_than
    if days is not None:
        with running(quiet=False) as (emit, stop):
            freed = remove(days, emit, stop)
        click.echo(freed)
    for line in lines(verbose=verbose):
        click.echo(line)
