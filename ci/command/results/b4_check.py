# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py b4-check`."""

import sys

import click

from ci.command.shared import complete
from ci.command.shared.options import Once, default_profile, list_option, not_empty
from ci.command.shared.running import running
from util.errors import RigError


@click.command("b4-check")
@click.option("--profile", default=default_profile(), show_default=True, metavar="NAME|FILE",
              shell_complete=complete.profiles, help="What a run does, as YAML.")  # fmt: skip
@click.option(
    "--source",
    cls=Once,
    default="",
    metavar="SPEC",
    callback=not_empty,
    help="Base tree; absent: where the branch begins.",
)
@click.option(
    "--series",
    cls=Once,
    default="",
    metavar="SPEC",
    callback=not_empty,
    help="The series; absent: the b4 branch checked out here.",
)
@list_option("--arch", "archs", help="Architectures.")
@list_option("--abi", "abis", help="ABIs, for example x86_64,x32.")
@list_option("--suite", "suites", help="Suites; absent: those of the profile.")
@click.option("--json", "as_json", is_flag=True, help="Answer as review-*-check-cmd wants it; absent: plain lines.")
@click.option("--whole", is_flag=True, help="Answer for the series as a whole (review-series-check-cmd).")
@click.option("--wait", is_flag=True, help="Wait for the run to end; absent: say that it is still running.")
def COMMAND(  # noqa: N802
    *, profile: str, source: str, series: str, archs: tuple[str, ...], abis: tuple[str, ...], suites: tuple[str, ...],
    as_json: bool, whole: bool, wait: bool,
) -> None:  # fmt: skip
    """Answer b4 about the patch on standard input, from one stored run of its whole series.

    The first call starts the run, which goes on by itself; `docs/b4.md` has the lines for git's configuration.
    """
    from ci.command.series.check import plan_of
    from ci.report.formats import b4_text
    from ci.stored.b4_check import B4Call, ask

    lists = (("--arch", archs), ("--abi", abis), ("--suite", suites))
    options = tuple(word for name, words in lists if words for word in (name, ",".join(words)))
    try:
        plan_of(("--profile", profile, *options))  # a mistake is told at once, and not by the run that it would start
        with running(quiet=True) as (_emit, stop):
            told = ask(B4Call(sys.stdin.buffer.read(), profile, source, series, options, wait), stop)
    except RigError as error:
        if not as_json:
            raise
        click.echo(b4_text.as_json([b4_text.Line(True, str(error))], ""), nl=False)
        sys.exit(error.exit_code)
    if told.run is None:
        lines = [b4_text.Line(False, f"this series is still being tested ({told.progress}); ask again later")]
    elif told.number and not whole:
        lines = b4_text.of_patch(told.run, told.number)
    else:
        lines = b4_text.of_series(told.run)
    summary = told.run.summary if told.run else ""
    click.echo(b4_text.as_json(lines, summary) if as_json else b4_text.text(lines), nl=False)
