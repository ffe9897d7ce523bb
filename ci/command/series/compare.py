# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py compare`."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from ci.command.shared import complete
from ci.command.shared.options import (
    GuestHost,
    Once,
    Selection,
    abi_option,
    accel_option,
    fresh_option,
    host_options,
    list_option,
    not_empty,
    out_option,
    selection_options,
)
from ci.command.shared.running import INTERRUPTED, command_line, running


@click.command("compare")
@click.argument("revisions", nargs=-1, metavar="REVISION REVISION...")
@list_option("--names", help="Short names of the revisions, in their order.")
@selection_options(without=("series", "revision"))
@abi_option
@list_option("--suite", "suites", help="Suites, for example selftests/timers.",
              shell_complete=complete.of_list(complete.suites))  # fmt: skip
@click.option(
    "--test", cls=Once, default="", metavar="GLOB", callback=not_empty, help="Only the tests of this name count."
)
@accel_option
@host_options
@click.option("--rerun", type=click.IntRange(0), help="Re-runs on both revisions of a suspected regression.")
@out_option
@fresh_option
@click.option("--coverage", is_flag=True, help="Also compare which of their added lines the suites execute.")
@click.option("-v", "--verbose", is_flag=True, help="Add the diffs between patches; name every test and figure.")
@click.option("--json", "as_json", is_flag=True, help="Print compare.json on standard output instead of the text.")
def COMMAND(  # noqa: N802
    *, revisions: tuple[str, ...], names: tuple[str, ...], selection: Selection, abis: tuple[str, ...],
    suites: tuple[str, ...], test: str, accel: str, where: GuestHost, rerun: int | None, out: Path | None, fresh: bool,
    coverage: bool, verbose: bool, as_json: bool,
) -> None:  # fmt: skip
    """Say what each revision of a series changed against the one before.

    \b
    rig.py compare v3.mbox v4.mbox                      is v4 worse than v3?
    rig.py compare v3.mbox v4.mbox v5.mbox --arch x86_64
    rig.py compare thread.mbox@v3 thread.mbox@v4        two revisions in one thread
    rig.py compare one/ other/ --names one,other        rivals side by side
    rig.py compare ~/linux:v5.10..v3 ~/linux:v5.10..v4 --source git:~/linux@v5.10

    A REVISION is what --series of other commands takes; give the oldest first. Each is built, booted and checked on its
    own base, and then against the revision before it: which patches changed (git range-diff), which tests and warnings
    broke or are fixed, and which costs grew or fell, to the last guest instruction and byte. Kernels and guests that an
    earlier run made are not made again.

    Exit status: 0 the newest revision is in nothing worse than the one before; 1 it is; 2 your mistake; 3 the machine
    could not say, or an answer is missing.
    """
    from ci.compare.report import text
    from ci.compare.revisions import require_several
    from ci.compare.run import CompareQuestion, compare
    from ci.plan.wishes import make_plan
    from ci.report.formats.json_report import dump
    from configs.loader import load_profile
    from guests.host.open import open_host
    from util.paths import new_run_folder

    selection = replace(selection, series=revisions[0] if revisions else "none")
    plan = make_plan(
        load_profile(selection.profile), selection.wishes(abis=abis, suites=suites, rerun=rerun), accel=accel,
        jobs=selection.jobs, fresh=fresh, test=test, spec=selection.profile, coverage=coverage,
    )  # fmt: skip
    require_several(revisions, plan)
    with running(selection.quiet, last=True) as (emit, stop):
        folder = (out or new_run_folder("compare")).resolve()
        with open_host(where.host, where.identity) as host:
            answer = compare(CompareQuestion(plan, revisions, names), folder, command_line(), emit, stop, host)
    if as_json:
        click.echo(dump(answer), nl=False)
    elif selection.quiet:
        click.echo(text.first_line(answer))
    else:
        click.echo(text.render(answer, verbose), nl=False)
        click.echo(f"reports: {folder}", err=True)
    sys.exit(answer.exit_code if answer.whole else INTERRUPTED)
