# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py mutate`."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from ci.command.shared import complete
from ci.command.shared.options import (
    Once,
    Selection,
    abi_option,
    accel_option,
    fresh_option,
    list_option,
    not_empty,
    out_option,
    selection_options,
)
from ci.command.shared.running import INTERRUPTED, command_line, running
from util.errors import UserError


@click.command("mutate")
@selection_options(without=("only",))
@abi_option
@list_option("--suite", "suites", help="Suites that are to notice, for example boot.",
              shell_complete=complete.of_list(complete.suites))  # fmt: skip
@click.option(
    "--test", cls=Once, default="", metavar="GLOB", callback=not_empty, help="Only tests of this name are to notice."
)
@accel_option
@click.option("--only", "parts", multiple=True, metavar="FILE[:LINE[-LINE]]|N",
              help="Faults in these lines alone, by their numbers in the patched tree; may be given several times. A "
              "bare number is one patch of the series, alone.")  # fmt: skip
@click.option("--budget", default="", metavar="TIME",
              help="No new mutant is begun after so long: 90s, 20m, 2h. Each line gets one before any gets a "
              "second.")  # fmt: skip
@out_option
@fresh_option
@click.option("--json", "as_json", is_flag=True, help="Print mutation.json on standard output instead of the text.")
def COMMAND(  # noqa: N802
    *, selection: Selection, abis: tuple[str, ...], suites: tuple[str, ...], test: str, accel: str,
    parts: tuple[str, ...], budget: str, out: Path | None, fresh: bool, as_json: bool,
) -> None:  # fmt: skip
    """Would your tests notice if a line of the series were wrong?

    Puts small faults into the C that the series adds, one at a time: a comparison says the opposite, a bound is one
    off, a condition always holds, a statement is missing, an error is another. Then the suites run, in guests, until
    the first of them notices. A fault that nobody notices has survived, and is shown as a diff: write a test for it, or
    find out why it makes no difference.

    Faults that do not compile, and those of which the compiler makes the same code as without them, do not count. An
    interrupted run goes on where it was. docs/mutation.md says more.

    \b
      ./rig.py mutate --series v4.mbox --arch x86_64 --budget 20m
      ./rig.py mutate --only kernel/fork.c:340-360 --suite selftests/timers
      ./rig.py mutate --series v4.mbox --suite selftests/pidfd --test 'pidfd_setns_test*'

    Exit status: 0 each fault that counts was noticed, 1 some survived, 2 a mistake of yours, 3 the machine could not
    say.
    """
    from ci.mutation.report import dump, summary, text
    from ci.mutation.run import MutationWish, mutate
    from ci.mutation.wish import parse_budget, parse_part
    from ci.plan.wishes import make_plan
    from configs.loader import load_profile
    from util.paths import new_run_folder

    places = tuple(parse_part(text) for text in parts if not text.isdigit())
    numbers = [int(text) for text in parts if text.isdigit()]
    if len(numbers) > 1 or 0 in numbers:
        raise UserError(f"--only {numbers[-1]}: names one patch of the series by its number, from 1")
    selection = replace(selection, only=numbers[0] if numbers else None)
    wish = MutationWish(places, parse_budget(budget) if budget else None)
    plan = make_plan(
        load_profile(selection.profile), selection.wishes(abis=abis, suites=suites, rerun=0), accel=accel,
        jobs=selection.jobs, fresh=fresh, test=test, spec=selection.profile, follow=False,
    )  # fmt: skip
    folder = (out or new_run_folder(f"{plan.profile.name}-mutate")).resolve()
    with running(selection.quiet, last=True) as (emit, stop):
        made = mutate(plan, wish, folder, command_line(), emit, stop)
    if as_json:
        click.echo(dump(made), nl=False)
    else:
        click.echo(summary(made) if selection.quiet else text(made).rstrip("\n"))
        click.echo(f"reports: {folder}", err=True)
    sys.exit(INTERRUPTED if made.interrupted else made.exit_code)
