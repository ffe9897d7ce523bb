# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py shell`."""

import sys
from pathlib import Path

import click

from ci.command.guest.boot import boot_guest, piped_commands
from ci.command.shared.options import GuestChoice, Selection, guest_options, selection_options
from util.errors import UserError

_WITH_CELL = frozenset(("out", "cell", "jobs", "quiet", "accel"))
"""Parameters that mean something beside the cell of an earlier run, which says all the others."""


@click.command("shell")
@click.argument("out", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.argument("cell", nargs=-1)
@selection_options()
@guest_options
def COMMAND(*, out: Path | None, cell: tuple[str, ...], selection: Selection, guest: GuestChoice) -> None:  # noqa: N802
    """A busybox shell in a guest; leave it with `exit`.

    With OUT and CELL: the guest of that cell of an earlier run, with the same kernel, image, machine and kernel
    options, and with the suite's files; /root/steps holds the suite's steps. OUT is the run's output folder, CELL a
    name as the report shows it; without a variant it means the judged one. Without both: the kernel that the options
    name.

    \b
    ./rig.py shell out x86_64 i386 selftests/mqueue
    ./rig.py shell out base aarch64 aarch64 boot
    echo 'sh /root/steps' | ./rig.py shell out x86_64 x86_64 boot

    On a terminal Ctrl-C goes to the guest, which also learns the terminal's size, and Ctrl-] ends it. Where standard
    input is none, its commands are run up to its end; the exit status is theirs.
    """
    if out is None:
        sys.exit(boot_guest(selection, guest, None, None, shell=True))
    _refuse_others()
    sys.exit(_shell_of_cell(out, " ".join(cell), selection, guest.accel))


def _refuse_others() -> None:
    context = click.get_current_context()
    given = click.core.ParameterSource.COMMANDLINE
    for parameter in context.command.params:
        name = parameter.name or ""
        if name not in _WITH_CELL and context.get_parameter_source(name) is given:
            raise UserError(f"{parameter.opts[0]}: the cell of an earlier run says that itself; leave the option out")


def _shell_of_cell(out: Path, name: str, selection: Selection, accel: str) -> int:
    from tempfile import TemporaryDirectory

    from ci.command.results.earlier import moved, read_earlier, replan
    from ci.command.shared.running import running
    from ci.run.cell_guest import cell_guest, shell_request
    from ci.run.one_guest import run_commands, run_interactive
    from ci.text.cell_text import find_cell

    earlier = read_earlier(out)
    cell = find_cell(earlier.run, name)
    commands = piped_commands()
    plan, where = replan(earlier, selection.jobs, "" if accel == "auto" else accel)
    if where.host:
        click.echo(f"that run had its guests on {where.host}; this one is here", err=True)
    with TemporaryDirectory(prefix="rig-shell-") as folder:
        with running(selection.quiet) as (emit, stop):
            with cell_guest(plan, cell, Path(folder), emit, stop, shell=True) as made:
                request = shell_request(made, commands.read() if commands else None)
                build = made.guest.build
            for line in moved(earlier, cell.variant, made.commit, build.key):
                click.echo(f"note: {line}", err=True)
            if commands is not None:
                return run_commands(request, emit, stop)
        return run_interactive(request)
