# SPDX-License-Identifier: GPL-2.0-or-later
"""The command `rig.py filter`: it parses, calls and prints."""

import textwrap
import time
from pathlib import Path

import click

from testcases.seccomp.cli.options import FILES, SECONDS, FilterWishes, wishes
from testcases.seccomp.cli.precision_command import precision
from testcases.seccomp.cli.replay_command import replay
from util.errors import MachineError


@click.group("filter")
def COMMAND() -> None:  # noqa: N802 - the name by which the registry finds it
    """What a seccomp filter does, what the kernel's action cache makes of it, and why.

    FILE is a raw array of struct sock_filter in either byte order, as seccomp_export_bpf(3) writes it, or the same in
    hexadecimal, as an array in C or in bpf_asm's decimals; assembly text, as `show` prints it; a seccomp profile in
    JSON as Docker, containers/common and the OCI have it, or as the security profiles operator has it in JSON or YAML;
    Firecracker's filters; minijail's policies; the folder of a failing case. `-` is standard input. Several files are
    a stack, in the order in which they are attached.

    \b
    ./rig.py filter show my.bpf
    ./rig.py filter analyse /usr/share/containers/seccomp.json --abi x86_64,i386
    ./rig.py filter prove my.bpf --nr personality
    ./rig.py filter prove profile.json --nr clone3 --runtime runc --capabilities default,SYS_ADMIN
    """


@COMMAND.command()
@FILES
@wishes()
def show(files: tuple[Path, ...], wishes: FilterWishes) -> None:
    """Disassembly, size, whether the kernel takes it, and how it is laid out.

    What is printed for one file is assembly that every `filter` command reads again.
    """
    from testcases.seccomp.cli import listing
    from testcases.seccomp.cli.questions import programs
    from testcases.seccomp.filters.filter_file import open_files

    opened = open_files(files)
    for file, position, made in programs(opened, wishes):
        for note in made.notes:
            _warn(f"{file.name}: {note}")
        name = f"filter {position}" if position else file.name
        for line in listing.lines(name, made.program, made.how):
            click.echo(line)


@COMMAND.command()
@FILES
@wishes()
@SECONDS
@click.option("--table", is_flag=True, help="Every system call on a line of its own.")
def analyse(files: tuple[Path, ...], wishes: FilterWishes, seconds: float, table: bool) -> None:
    """Which system calls would be cached, by which design, and which instruction spoils the others.

    The designs are those that were proposed for Linux: by access tracking (access), Jann Horn's instruction subset
    (subset), the emulator of the second version (v2), lazily (lazy), and what was merged. "Always allowed" is
    proved for all arguments. A call whose cached bit is set runs no filter instruction at all.
    """
    from testcases.seccomp.cli import analysis
    from testcases.seccomp.cli.questions import questions
    from testcases.seccomp.filters.filter_file import open_files
    from testcases.seccomp.prove.facts import kernel_facts
    from util.stop import Deadline

    facts = kernel_facts(wishes.kernel)
    found = questions(open_files(files), wishes, _warn)
    until, unknown = Deadline(seconds), 0
    for one in found.asked:
        progress = _Progress(one.abi)
        analysed = analysis.analyse(one.stack, one.abi, facts, until, progress)
        unknown += analysed.unknown
        for line in analysis.summary(analysed, wishes.kernel):
            click.echo(line)
        for line in analysis.table(analysed) if table else ():
            click.echo(line)
    _remarks(found.remarks)
    if unknown:
        raise MachineError(f"{unknown} numbers are not answered within {seconds:g} s; --seconds gives more time")


@COMMAND.command()
@FILES
@wishes()
@SECONDS
@click.option("--nr", "word", required=True, metavar="N|NAME", help="As the filter sees it; of x32 with bit 30.")
@click.option("--all", "whole", is_flag=True, help="Every alternative of a condition, however many they are.")
def prove(files: tuple[Path, ...], wishes: FilterWishes, seconds: float, word: str, whole: bool) -> None:
    """Whether a system call is always, never or sometimes allowed, and for which arguments.

    The answer is exact for every filter: over all arguments and instruction pointers, by sets where they suffice and
    by z3 elsewhere. For each outcome a call to try is shown, in which arguments that are not printed are zero, and the
    condition. A name is looked up in every ABI that has the call; of i386 also behind socketcall(2) and ipc(2).
    """
    from testcases.seccomp.cli.proving import proved, require_call
    from testcases.seccomp.cli.questions import questions
    from testcases.seccomp.filters.filter_file import open_files
    from util.stop import Deadline

    require_call(word, wishes.abis)
    found = questions(open_files(files), wishes, _warn)
    until, unknown = Deadline(seconds), 0
    for answer in proved(found.asked, word, until, whole=whole):
        unknown += answer.unknown
        for line in answer.lines:
            click.echo(line)
    _remarks(found.remarks)
    if unknown:
        raise MachineError(f"not answered within {seconds:g} s; --seconds gives more time")


class _Progress:
    """Says on standard error how far a long analysis is, from the second second on."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._next = time.monotonic() + 2

    def __call__(self, done: int, everything: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 2
            _warn(f"{self._what}: {done} of {everything} classes of numbers are answered")


def _remarks(lines: tuple[str, ...]) -> None:
    for line in dict.fromkeys(lines):
        click.echo(textwrap.fill(f"({line})", 98, subsequent_indent=" ", break_on_hyphens=False))


def _warn(line: str) -> None:
    click.echo(line, err=True)


COMMAND.add_command(precision)
COMMAND.add_command(replay)
