# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py report`."""

from pathlib import Path

import click


@click.command("report")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("-v", "--verbose", is_flag=True, help="Name every cell and every test that changed.")
@click.option("--ktap", is_flag=True, help="Print KTAP on standard output instead, and write nothing.")
@click.option("--kcidb", is_flag=True, help="Print the JSON of KCIDB 5.3 instead, and write nothing.")
@click.option("--origin", default="", metavar="NAME", help="The origin that --kcidb names; yours at KernelCI.")
def COMMAND(out: Path, verbose: bool, ktap: bool, kcidb: bool, origin: str) -> None:  # noqa: N802
    """Make the reports in OUT again from its results.json, and print the terminal's.

    Nothing is run. It succeeds whatever the verdict of the run was.
    """
    from ci.report import terminal
    from ci.report.formats import kcidb as kcidb_report
    from ci.report.formats import ktap as ktap_report
    from ci.report.output import read_results, write_reports

    if ktap and kcidb:
        raise click.UsageError("--ktap and --kcidb: one of the two")
    run = read_results(out)
    if ktap:
        click.echo(ktap_report.render(run), nl=False)
    elif kcidb:
        click.echo(kcidb_report.render(run, origin or kcidb_report.ORIGIN), nl=False)
    else:
        write_reports(run, out)
        click.echo(terminal.show(run, verbose=verbose), nl=False)
        click.echo(f"reports: {out.resolve()}", err=True)
