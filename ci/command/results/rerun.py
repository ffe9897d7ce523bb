# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py rerun`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ci.command.results.earlier import EarlierRun, read_earlier, replan
from ci.command.shared.options import out_option
from ci.command.shared.running import command_line, running, status_of
from util.errors import UserError

if TYPE_CHECKING:
    from ci.model.results import Run
    from ci.plan.places import Chosen


@click.command("rerun")
@click.argument("earlier_out", metavar="OUT", type=click.Path(file_okay=False, path_type=Path))
@click.option("--failed", is_flag=True, help="Only what kept the run from passing.")
@click.option("--cell", "cells", multiple=True, metavar="GLOB",
              help="Only these cells, by the names that the report shows: 'x86_64 i386 selftests/mqueue', "
              "'aarch64 *'. May be given several times.")  # fmt: skip
@click.option("--test", "tests", multiple=True, metavar="GLOB",
              help="Only the tests of these names. May be given several times.")  # fmt: skip
@out_option
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True,
              help="How many compilers and guests run at once.")  # fmt: skip
@click.option("--quiet", is_flag=True, help="No progress; only the result.")
@click.option("-v", "--verbose", is_flag=True, help="Name every cell and every test that changed.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json on standard output instead of the table.")
def COMMAND(  # noqa: N802
    *, earlier_out: Path, failed: bool, cells: tuple[str, ...], tests: tuple[str, ...], out: Path | None, jobs: int,
    quiet: bool, verbose: bool, as_json: bool,
) -> None:  # fmt: skip
    """Run the cells of an earlier run again, in fresh guests, and say what differs.

    OUT is the output folder of that run; source, series, profile, seed and every option are those of its command line.
    The new reports go to a folder of their own, and name what has changed since: the series' file, the source, this
    rig, the machine. --failed, --cell and --test narrow it down, all of them together; without any, all is run again.

    \b
    ./rig.py rerun out --failed
    ./rig.py rerun out --cell 'x86_64 x32 selftests/mqueue' --test '*nonblock*'

    The exit status is that of the new run, and 0 where nothing had failed.
    """
    from ci.run.rerun import choose, count

    if out and out.resolve() == earlier_out.resolve():
        raise UserError(f"--out {out}: is the folder of the earlier run; name another, or none")
    earlier = read_earlier(earlier_out)
    chosen = choose(earlier.run, failed=failed, cells=cells, tests=tests)
    if not chosen:
        click.echo(f"nothing to run again: nothing that was asked for failed ({earlier.run.summary})")
        return
    if not quiet:
        click.echo(f"running {count(chosen)} again", err=True)
    call = command_line()
    run, folder, status = _again(earlier, chosen, call, out and out.resolve(), jobs, quiet)
    _show(run, folder, quiet, verbose, as_json)
    sys.exit(status)


def _again(
    earlier: EarlierRun, chosen: "Chosen", call: tuple[str, ...], out: Path | None, jobs: int, quiet: bool
) -> tuple["Run", Path, int]:
    """The new run, its folder and the exit status."""
    from ci.plan.places import again
    from ci.run.check import check
    from ci.run.rerun import repeated
    from guests.host.open import open_host
    from util.paths import new_run_folder

    plan, where = replan(earlier, jobs)
    plan = again(plan, chosen)
    folder = out or new_run_folder(plan.profile.name)

    def finish(run: "Run") -> "Run":
        about = repeated(str(earlier.folder), earlier.run, run, chosen, earlier.command, earlier.called_in)
        return run.model_copy(update={"repeats": about})

    with running(quiet, last=True) as (emit, stop), open_host(where.host, where.identity) as host:
        run = check(plan, folder, call, emit, stop, host, finish)
    return run, folder, status_of(run, run.exit_code, stop)


def _show(run: "Run", folder: Path, quiet: bool, verbose: bool, as_json: bool) -> None:
    from ci.report import terminal
    from ci.report.formats import json_report
    from ci.text.repeated_text import summary_line

    if as_json:
        click.echo(json_report.dump(run), nl=False)
    elif quiet:
        click.echo(f"{run.verdict}: {run.summary}")
        click.echo(summary_line(run))
    else:
        click.echo(terminal.show(run, verbose=verbose), nl=False)
        click.echo(f"reports: {folder}", err=True)
