# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py gdb`."""

import os
import sys
from pathlib import Path

import click

_CONSOLE = "gdb-console.log"


@click.command("gdb")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.argument("cell", nargs=-1, required=True)
@click.option("-ex", "--gdb-command", "commands", multiple=True, metavar="COMMAND",
              help="A command of gdb, executed before the guest's first instruction; any number.")  # fmt: skip
@click.option("--console", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help=f"Where the guest's console goes; absent: {_CONSOLE} beside the cell's console log.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True,
              help="How many compilers run at once, where the kernel has to be built again.")  # fmt: skip
@click.option("--quiet", is_flag=True, help="No progress.")
def COMMAND(  # noqa: N802
    *, out: Path, cell: tuple[str, ...], commands: tuple[str, ...], console: Path | None, jobs: int, quiet: bool
) -> None:
    """Debug the guest of a cell of an earlier run with gdb.

    The guest has the same kernel, image, machine and kernel options as in that run (and `nokaslr`), runs the cell's
    suite, and waits before its first instruction. gdb knows the kernel's symbols and the lines of its source; its
    stub is a socket that only you can reach. OUT is the run's output folder, CELL a name as the report shows it;
    without a variant it means the judged one.

    \b
    ./rig.py gdb out x86_64 x86_64 selftests/mqueue -ex 'break do_mq_open' -ex continue
    ./rig.py gdb out base aarch64 aarch64 boot -ex 'tbreak start_kernel' -ex continue

    The guest ends with gdb. Where standard input is no terminal, gdb reads its commands from there.
    """
    from tempfile import TemporaryDirectory

    from ci.cells.guest.guest_cell import request_of
    from ci.command.results.earlier import moved, read_earlier, replan
    from ci.command.shared.running import running
    from ci.run.cell_guest import cell_guest, source_of
    from ci.text.cell_text import find_cell
    from guests.run.debug import debug_guest, gdb_of, source_prefix
    from util.events import silent
    from util.stop import Stop

    earlier = read_earlier(out)
    chosen = find_cell(earlier.run, " ".join(cell))
    if console:
        console = console.resolve()
    plan, where = replan(earlier, jobs)
    gdb_of(next(target.arch for target in plan.targets if target.arch.name == chosen.arch))
    with TemporaryDirectory(prefix="rig-gdb-") as folder:
        with running(quiet) as (emit, stop), cell_guest(plan, chosen, Path(folder), emit, stop) as made:
            request, build = request_of(made.guest), made.guest.build
        for line in moved(earlier, chosen.variant, made.commit, build.key):
            _say(f"note: {line}")
        if where.host:
            _say(f"note: that run had its guests on {where.host}; this one is here")
        if request.accel != "tcg":
            _say(f"note: under {request.accel} a breakpoint holds once the kernel has mapped itself; use hbreak before")
        log = console or earlier.folder / "console" / made.guest.name / _CONSOLE
        with source_of(made, silent, Stop()) as tree:
            assert request.vmlinux
            if source_prefix(request.vmlinux, tree):
                _say("debug information: functions and lines, no variables and types (the kernel is built with -g1)")
            else:
                _say("debug information: none in this vmlinux; gdb knows symbols, and no lines")
            _say(f"console: {log}")
            sys.exit(debug_guest(request, log, tree, commands))


def _say(line: str) -> None:
    click.echo(line, err=True)
