# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py check`."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ci.command.shared import complete
from ci.command.shared.options import (
    ALL,
    HERE,
    EachChoice,
    GuestHost,
    Once,
    PartChoice,
    Selection,
    abi_option,
    accel_option,
    each_options,
    fresh_option,
    host_options,
    list_option,
    not_empty,
    out_option,
    part_options,
    selection_options,
    values_of,
)
from ci.command.shared.running import command_line, running, status_of
from util.errors import UserError

if TYPE_CHECKING:
    from ci.model.results import Run
    from ci.plan.plan import Plan
    from ci.plan.wishes import Wishes


@dataclass(frozen=True, slots=True)
class GitQuestion:
    """What a run under `git bisect` is asked: about the tests of this glob, on the bisection's first commit or a
    later."""

    test: str
    first: bool

    def line(self, run: "Run") -> str:
        from ci.verdict.exit_status import for_git

        return for_git(run, self.test, self.first).line

    def status(self, run: "Run") -> int:
        from ci.verdict.exit_status import exit_status

        return exit_status(run, True, self.test, self.first)


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """How a plan is carried out, and what is printed. `test` is a glob, `git` the question of a bisection, if one goes
    on; `out` is None for a new folder of the user's state; `each` is the suite that boots after every patch, `summary`
    the form of a text for a mail."""

    test: str = ""
    accel: str = "auto"
    where: GuestHost = HERE
    out: Path | None = None
    fresh: bool = False
    git: GitQuestion | None = None
    fail_fast: bool = False
    dry_run: bool = False
    as_json: bool = False
    each: str = ""
    summary: str | None = None
    verbose: bool = False
    part: PartChoice = ALL
    coverage: bool = False


@click.command("check")
@selection_options()
@abi_option
@list_option("--suite", "suites", help="Suites, for example selftests/timers.",
              shell_complete=complete.of_list(complete.suites))  # fmt: skip
@click.option(
    "--test", cls=Once, default="", metavar="GLOB", callback=not_empty, help="Only the tests of this name count."
)
@each_options
@part_options
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
@click.option("--summary", is_flag=False, flag_value="cover", default=None, metavar="[=reply]",
              type=click.Choice(["cover", "reply"]),
              help="Print plain text for a mail instead of the table: for below the --- of a cover letter, or with "
              "=reply the answer to a series that fails.")  # fmt: skip
@click.option("--coverage", is_flag=True,
              help="Also say which of the lines that the series adds the suites execute.")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Name every cell and every test that changed.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json on standard output instead of the table.")
def COMMAND(  # noqa: N802
    *, selection: Selection, abis: tuple[str, ...], suites: tuple[str, ...], test: str, each: EachChoice,
    part: PartChoice, accel: str,
    where: GuestHost, rerun: int | None, fail_fast: bool, out: Path | None, fresh: bool, bisect: bool | None,
    dry_run: bool, summary: str | None, coverage: bool, verbose: bool, as_json: bool,
) -> None:  # fmt: skip
    """Build with and without the series, boot, test, compare, report."""
    from ci.verdict import exit_status

    bisect = exit_status.under_way(selection.source) if bisect is None else bisect
    click.get_current_context().find_root().obj = bisect
    git = GitQuestion(test, exit_status.first_step(selection.source)) if bisect else None
    if bisect and exit_status.under_way(selection.source):
        selection = replace(selection, source=exit_status.standing_source(str(selection.source)))
    wishes = selection.wishes(abis=abis, suites=suites, rerun=rerun)
    if summary and (as_json or bisect):
        raise UserError("--summary is text for a mail: give it without --json and outside of a bisection")
    if bisect and (part.cells or part.shard):
        raise UserError("a bisection asks about a whole run: leave out --cells and --shard")
    if bisect and each.suite:
        raise UserError("--each looks at every patch of a series; a bisection asks about one commit at a time")
    how = CheckOptions(
        test, accel, where, out, fresh, git, fail_fast, dry_run, as_json, each.suite, summary, verbose, part, coverage
    )
    sys.exit(_check(selection, wishes, how))


def checker(
    profile: Path, *, abis: tuple[str, ...], source: str | None, series: str | None, rerun: int, out: Path
) -> int:
    """The `testcases.suite.Checker`."""
    selection = Selection(str(profile), source, series, (), (), os.cpu_count() or 1, quiet=False)
    wishes = selection.wishes(abis=abis, rerun=rerun)
    return _check(selection, wishes, CheckOptions(out=out, fresh=True))


def plan_of(words: Sequence[str]) -> "Plan":
    """The plan that `rig.py check` with these options would carry out. Raises UserError, also for an option that is
    about the output or the place and not about the plan."""
    try:
        values = values_of(COMMAND, words)
    except click.UsageError as error:
        raise UserError(f"options of check: {error.format_message()}") from None
    for name in _NOT_OF_A_PLAN:
        if values[name]:
            raise UserError(f"options of check: --{name} is for one run; leave it out where jobs are made")
    return plan_from(values)


def plan_from(values: Mapping[str, Any]) -> "Plan":
    """The plan of a whole run, from the values of this command's options by name. Raises UserError."""
    from ci.plan.wishes import make_plan
    from configs.loader import load_profile

    selection = Selection(**{item.name: values[item.name] for item in fields(Selection)})
    wishes = selection.wishes(abis=values["abis"], suites=values["suites"], rerun=values["rerun"])
    each = EachChoice(values["each"], values["each_suite"]).suite
    return make_plan(
        load_profile(selection.profile), wishes, accel=values["accel"], jobs=selection.jobs, fresh=values["fresh"],
        test=values["test"], spec=selection.profile, fail_fast=values["fail_fast"], each=each,
        coverage=values["coverage"],
    )  # fmt: skip


_NOT_OF_A_PLAN = ("out", "cells", "shard", "shards", "host", "dry_run", "summary", "bisect")


def _check(selection: Selection, wishes: "Wishes", how: CheckOptions) -> int:
    """Runs and prints; returns the exit status."""
    from ci.plan.places import narrowed
    from ci.plan.wishes import make_plan
    from ci.run.check import check
    from configs.loader import load_profile
    from guests.host.open import open_host
    from util.paths import new_run_folder

    plan = make_plan(
        load_profile(selection.profile), wishes, accel=how.accel, jobs=selection.jobs, fresh=how.fresh, test=how.test,
        spec=selection.profile, follow=how.git is None, fail_fast=how.fail_fast, each=how.each,
        coverage=how.coverage,
    )  # fmt: skip
    with running(selection.quiet, last=True) as (emit, stop):
        if how.part != ALL:
            from ci.plan.expand import opened

            plan = opened(plan, emit, stop)
        part = how.part.of(plan)
        if how.dry_run:
            from ci.run.dry_run import dry_run

            click.echo(dry_run(narrowed(plan, part.places) if part else plan, emit, stop), nl=False)
            return 0
        folder = (how.out or new_run_folder(plan.profile.name)).resolve()
        with open_host(how.where.host, how.where.identity) as host:
            run = check(plan, folder, command_line(), emit, stop, host, part=part)
    _show(run, folder, selection.quiet, how)
    return status_of(run, how.git.status(run) if how.git else run.exit_code, stop)


def _show(run: "Run", folder: Path, quiet: bool, how: CheckOptions) -> None:
    from ci.report import terminal
    from ci.report.formats import json_report

    line = how.git.line(run) if how.git else ""
    if how.as_json:
        click.echo(json_report.dump(run), nl=False)
    elif how.summary:
        from ci.report import summary

        click.echo(summary.render(run, how.summary), nl=False)
    elif not quiet:
        click.echo(terminal.show(run, line, how.verbose), nl=False)
        click.echo(f"reports: {folder}", err=True)
    else:
        click.echo(line or f"{run.verdict}: {run.summary}")
