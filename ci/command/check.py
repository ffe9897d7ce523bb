# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py check`."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ci.command import complete
from ci.command.options import (
    CommaList,
    GuestHost,
    Selection,
    abi_option,
    accel_option,
    fresh_option,
    host_options,
    out_option,
    selection_options,
)
from ci.command.running import command_line, running, status_of

if TYPE_CHECKING:
    from ci.plan.plan import Wishes


@click.command("check")
@selection_options()
@abi_option
@click.option("--suite", "suites", type=CommaList(), default=(), help="Suites, for example selftests/timers.",
              shell_complete=complete.of_list(complete.suites))  # fmt: skip
@click.option("--test", default="", metavar="GLOB", help="Only the tests of this name count.")
@accel_option
@host_options
@click.option("--rerun", type=click.IntRange(0), help="Re-runs on both variants of a suspected regression.")
@click.option(
    "--fail-fast",
    is_flag=True,
    help="Run suite by suite, and stop at the first verdict that fails the run once re-runs confirmed it.",
)
@out_option
@fresh_option
@click.option(
    "--bisect/--no-bisect",
    default=None,
    help="Exit 125 for what cannot be built or booted; the default while a git bisect goes on in the source.",
)
@click.option("--dry-run", is_flag=True, help="Print every command instead of running it.")
@click.option("-v", "--verbose", is_flag=True, help="Name every cell and every test that changed.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json on standard output instead of the table.")
def COMMAND(  # noqa: N802
    *, selection: Selection, abis: tuple[str, ...], suites: tuple[str, ...], test: str, accel: str, where: GuestHost,
    rerun: int | None, fail_fast: bool, out: Path | None, fresh: bool, bisect: bool | None, dry_run: bool,
    verbose: bool, as_json: bool,
) -> None:  # fmt: skip
    """Build with and without the series, boot, test, compare, report."""
    from ci.verdict import exit_status

    bisect = exit_status.under_way(selection.source) if bisect is None else bisect
    click.get_current_context().find_root().obj = bisect
    first = exit_status.first_step(selection.source)
    if bisect and exit_status.under_way(selection.source):
        selection = replace(selection, source=exit_status.standing_source(str(selection.source)))
    wishes = selection.wishes(abis=abis, suites=suites, rerun=rerun)
    sys.exit(_check(
        selection, wishes, test, accel, where, out, fresh, bisect, first, dry_run, as_json, fail_fast, verbose
    ))  # fmt: skip


def checker(
    profile: Path, *, abis: tuple[str, ...], source: str | None, series: str | None, rerun: int, out: Path
) -> int:
    """The `testcases.suite.Checker`."""
    selection = Selection(str(profile), source, series, (), (), os.cpu_count() or 1, quiet=False)
    wishes = selection.wishes(abis=abis, rerun=rerun)
    return _check(selection, wishes, "", "auto", GuestHost("", None), out, True, False, False, False, False)


def _check(
    selection: Selection, wishes: "Wishes", test: str, accel: str, where: GuestHost, out: Path | None, fresh: bool,
    bisect: bool, first: bool, dry_run: bool, as_json: bool, fail_fast: bool = False, verbose: bool = False,
) -> int:  # fmt: skip
    from ci.plan.plan import make_plan
    from ci.report import json_report, terminal
    from ci.run.check import check
    from ci.verdict import exit_status
    from configs.loader import load_profile
    from guests.host.open import open_host
    from util.paths import new_run_folder

    plan = make_plan(
        load_profile(selection.profile), wishes, accel=accel, jobs=selection.jobs, fresh=fresh, test=test,
        spec=selection.profile, follow=not bisect, fail_fast=fail_fast,
    )  # fmt: skip
    with running(selection.quiet, last=True) as (emit, stop):
        if dry_run:
            from ci.run.dry_run import dry_run as render

            click.echo(render(plan, emit, stop), nl=False)
            return 0
        folder = (out or new_run_folder(plan.profile.name)).resolve()
        with open_host(where.host, where.identity) as host:
            run = check(plan, folder, command_line(), emit, stop, host)
    if as_json:
        click.echo(json_report.dump(run), nl=False)
    elif selection.quiet and not bisect:
        click.echo(f"{run.verdict}: {run.summary}")
    elif not selection.quiet:
        last = exit_status.for_git(run, test, first).line if bisect else ""
        click.echo(terminal.show(run, last, verbose), nl=False)
        click.echo(f"reports: {folder}", err=True)
    elif bisect:
        click.echo(exit_status.for_git(run, test, first).line)
    return status_of(run, exit_status.exit_status(run, bisect, test, first), stop)
