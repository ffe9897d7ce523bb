#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of the rig: it parses, calls and prints, and holds no logic."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from types import FrameType


def interrupted(_signal: int, _frame: FrameType | None) -> None:
    """Ctrl-C before a run has begun: nothing has to be tidied, and no import swallows this."""
    os.write(2, b"rig.py: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, interrupted)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # what came during the change of Python arrives now
    with suppress(ImportError):  # a copy of this file alone: there is nothing to run
        from util.old_answer import take_away

        take_away(sys.argv[1:])

HERE = Path(__file__).resolve().parent
PYTHON = HERE / ".venv" / "bin" / "python"

if __name__ == "__main__" and Path(sys.prefix) != HERE / ".venv":
    if not PYTHON.exists():
        print(f"rig.py: not set up yet; run: make -C {HERE} setup", file=sys.stderr)
        sys.exit(3)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Python's own start would answer it with a traceback
    os.execv(PYTHON, [str(PYTHON), *sys.argv])  # by the name by which it was called

import traceback

import click
from click.shell_completion import shell_complete

from ci.command.registry import commands
from ci.command.series.check import checker
from ci.command.shared.options import HELP_NAMES
from ci.command.shared.running import INTERRUPTED
from testcases.registry import CHECKER
from util.errors import ABORT, MachineError, RigError
from util.stop import Stopped
from util.text import one_line, plain

COMPLETE = "_RIG_PY_COMPLETE"
"""The variable by which a shell asks for completions (click.shell_completion)."""


def show_version(context: click.Context, _param: click.Parameter, wanted: bool) -> None:
    """`--version`."""
    if wanted:
        from util.paths import version

        click.echo(f"rig.py {version()}")
        context.exit()


@click.group(context_settings={"help_option_names": list(HELP_NAMES), "max_content_width": 100})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=show_version,
              help="Show the version of the rig and leave.")  # fmt: skip
@click.pass_context
def main(context: click.Context) -> None:
    """Says whether a kernel patch series is safe and worth sending.

    Builds kernels with and without the series, boots them under QEMU, runs the kernel's own selftests under every
    ABI, compares the two, and says what the series changed.

    \b
    ./rig.py check                                   the built-in series on 5.10
    ./rig.py check --series v4.mbox                  your series, on the profile's source
    ./rig.py check --source . --series HEAD~3..HEAD  the last three commits of the tree you stand in
    ./rig.py check --source . --series none          the tree as it is (for git bisect run)
    ./rig.py bisect --source . --good v5.10 ...      the commit that broke it, with proof

    Exit status: 0 every cell ran and nothing regressed; 1 the kernel's or the series' fault, with evidence;
    2 your mistake, one line says which; 3 the machine could not say.
    """
    context.meta[CHECKER] = checker


for command in commands():
    main.add_command(command)


def run() -> None:
    """`main`, with our errors as one line and their exit status."""
    if instruction := os.environ.get(COMPLETE):
        sys.exit(shell_complete(main, {}, "rig.py", COMPLETE, instruction))
    bisect = "--bisect" in sys.argv  # also where the command line is too wrong to be read
    try:
        with main.make_context("rig.py", sys.argv[1:]) as context:
            try:
                main.invoke(context)
            finally:
                bisect = bisect or context.obj is True
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(plain(one_line(_mistake(error))), err=True)
        sys.exit(ABORT if bisect else error.exit_code)
    except click.Abort:
        sys.exit(INTERRUPTED)
    except RigError as error:
        click.echo(f"rig.py: {plain(str(error))}", err=True)
        if bisect:
            click.echo(plain(_for_git(error)))
        sys.exit(_status_of(error, bisect))
    except Stopped:
        click.echo("rig.py: interrupted", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader, `head` or a pager, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(INTERRUPTED)
    except OSError as error:  # a full disk, a missing permission, a file where a folder should be
        where = f"{error.filename}: " if error.filename else ""
        click.echo(plain(f"rig.py: {where}{error.strerror or error}"), err=True)
        sys.exit(_status_of(MachineError(), bisect))
    except Exception:  # a fault of ours must not look like one of the kernel (exit 1)
        click.echo(plain(traceback.format_exc()), err=True, nl=False)
        click.echo("rig.py: this is a fault of the rig itself, not of the kernel or the series", err=True)
        sys.exit(ABORT if bisect else 3)


def _mistake(error: click.ClickException) -> str:
    """What was wrong with the command line, and where the right one is described."""
    where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "rig.py"
    text = error.format_message().rstrip(".")
    return f"{where}: {text}; see `{where} --help`" if isinstance(error, click.UsageError) else f"{where}: {text}"


def _for_git(error: RigError) -> str:
    from ci.verdict.exit_status import error_line

    return error_line(error)


def _status_of(error: RigError, bisect: bool) -> int:
    from ci.verdict.exit_status import error_status

    return error_status(error, bisect)


if __name__ == "__main__":
    run()
