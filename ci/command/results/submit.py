# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py submit`."""

from pathlib import Path

import click


@click.command("submit")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--origin", required=True, metavar="NAME", help="Your origin at KernelCI: lower case, digits, _.")
@click.option("--dry-run", is_flag=True, help="Check the report and say where it would go; send nothing.")
def COMMAND(out: Path, origin: str, dry_run: bool) -> None:  # noqa: N802
    """Send the results in OUT to KernelCI's database.

    Address and token are read from KCIDB_REST=https://TOKEN@HOST/, as KernelCI's own tools read them.
    """
    from ci.report.formats import kcidb
    from ci.report.output import read_results
    from ci.stored.submit import ENVIRONMENT, address, submit

    report = kcidb.report(read_results(out), origin)
    where = address()
    count = ", ".join(f"{len(report[kind])} {kind}" for kind in ("checkouts", "builds", "tests", "issues", "incidents"))
    if dry_run:
        click.echo(f"would send {count} to {where.url} (from {ENVIRONMENT})")
        return
    click.echo(f"sent {count} to {where.url}: {submit(report, where)}")
