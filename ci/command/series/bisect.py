# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py bisect`."""

import os
import sys
from pathlib import Path

import click

from ci.command.shared.options import (
    GuestHost,
    Once,
    Selection,
    abi_option,
    accel_option,
    host_options,
    list_option,
    out_option,
    selection_options,
)
from ci.command.shared.running import command_line, running


@click.command("bisect")
@selection_options()
@click.option("--good", metavar="REV", help="A commit without the fault; of a series, how many patches are good.")
@click.option("--bad", metavar="REV", help="A commit that shows it; absent: HEAD, or the whole series.")
@click.option(
    "--test",
    cls=Once,
    metavar="GLOB",
    help="Look for this test's failure; guest/end: for a boot, build/kernel: a build.",
)
@click.option(
    "--splat", metavar="TITLE", help="Look for a report in the kernel's log: its title, a part or a glob of it."
)
@click.option("--budget", metavar="FIGURE", help="Look for the commit that moved a benchmark's figure (TEST/FIGURE).")
@click.option("--verdict", is_flag=True, help="Look for whatever fails at the bad end and not at the good one.")
@click.option("--good-config", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="With --bad-config: look for the options that make the difference, on one commit.")  # fmt: skip
@click.option("--bad-config", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="A .config or a fragment under which the fault shows.")  # fmt: skip
@click.option("--fixed", is_flag=True, help="Look for the commit that mended it: good shows the fault, bad does not.")
@click.option("--first-parent", is_flag=True, help="Of merges, follow the first parent only.")
@click.option("--fixup", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="PATCH",
              help="Apply this at every step where it applies, so that it builds.")  # fmt: skip
@click.option("--term-old", default="", metavar="WORD", help="Say this for good in git's log.")
@click.option("--term-new", default="", metavar="WORD", help="Say this for bad in git's log.")
@click.option("--confidence", type=click.FloatRange(0.5, 0.999999), default=0.99, show_default=True,
              help="How sure the answer must be where the fault is flaky.")  # fmt: skip
@click.option("--rate", type=click.FloatRange(0, 1, min_open=True), help="The share of boots in which it shows.")
@abi_option
@list_option("--suite", "suites", help="Suites, for example selftests/timers.")
@accel_option
@host_options
@out_option
@click.option("--fresh", is_flag=True, help="Forget what an earlier bisection of this range found.")
@click.option("--resume", is_flag=True, help="Go on with the bisection that was broken off last.")
@click.argument("paths", nargs=-1)
def COMMAND(**values: object) -> None:  # noqa: N802
    """Find the commit, the patch or the option that broke it, with proof.

    \b
    rig.py bisect --source ~/linux --good v5.10 --test 'posix_timers.*' \\
        --arch x86_64 --suite selftests/timers
    rig.py bisect --source ~/linux --good v5.10 --splat 'WARNING*in foo' -- kernel/
    rig.py bisect --series v4.mbox --verdict           which patch of the series
    rig.py bisect --good-config a --bad-config b --test guest/end
    rig.py bisect --resume                             after Ctrl-C or a crash

    Both ends are verified first. What does not build or fails otherwise is skipped; a flaky fault is booted until the
    answer is sure enough. The culprit is proved: its parent is free of the fault, and the bad end without it too. Your
    tree, index and refs are not touched. PATHS limit the search to commits that touch them.

    Exit status: 0 a culprit was found and proved; 1 both ends behave alike; 2 your mistake; 3 the machine or the
    history could not say.
    """
    if values.pop("resume"):
        _resume(values)
        return
    bisect(**values)  # type: ignore[arg-type]


def _resume(values: dict[str, object]) -> None:
    from ci.bisect.facts.state import unfinished

    named = [name for name in ("good", "bad", "test", "splat", "budget") if values[name]]
    if named:
        raise click.UsageError(f"--resume goes on with a question that was asked already; leave --{named[0]} out")
    arguments, folder = unfinished()
    os.chdir(folder)
    sys.argv[1:] = ["bisect", *arguments]
    COMMAND.main(arguments, prog_name="rig.py bisect", standalone_mode=False)


def bisect(
    *, selection: Selection, good: str | None, bad: str | None, test: str | None, splat: str | None, budget: str | None,
    verdict: bool, good_config: Path | None, bad_config: Path | None, fixed: bool, first_parent: bool,
    fixup: Path | None, term_old: str, term_new: str, confidence: float, rate: float | None, abis: tuple[str, ...],
    suites: tuple[str, ...], accel: str, where: GuestHost, out: Path | None, fresh: bool, paths: tuple[str, ...],
) -> None:  # fmt: skip
    """One bisection; leaves with its exit status."""
    from ci.bisect.report import text
    from ci.bisect.request import BisectRequest, sought_of
    from ci.bisect.run import run_bisection
    from guests.host.open import open_host
    from util.paths import new_run_folder

    asked = BisectRequest(
        sought=sought_of(test, splat, budget, verdict), good=good, bad=bad, good_config=good_config,
        bad_config=bad_config, paths=paths, fixed=fixed, first_parent=first_parent, terms=(term_old, term_new),
        fixup=str(fixup.resolve()) if fixup else "", confidence=confidence, rate=rate,
    )  # fmt: skip
    plan = asked.plan(selection, abis, suites, accel)
    with running(selection.quiet) as (emit, stop), open_host(where.host, where.identity) as host:
        folder = (out or new_run_folder("bisect")).resolve()
        answer = run_bisection(asked, plan, folder, fresh, command_line(), emit, stop, host)
    if selection.quiet:
        click.echo(text.last_line(answer))
    else:
        click.echo(text.render(answer), nl=False)
        click.echo(f"reports: {folder}", err=True)
    sys.exit(answer.exit_code)
