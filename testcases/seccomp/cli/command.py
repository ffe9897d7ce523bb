# SPDX-License-Identifier: GPL-2.0-or-later
"""The command `rig.py filter`: it parses, calls and prints."""

from pathlib import Path

import click

from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.seccomp_data import ABIS
from testcases.seccomp.cli.precision_command import precision
from testcases.seccomp.cli.replay_command import replay
from testcases.seccomp.filters.policy import Form
from testcases.seccomp.prove.facts import KERNELS
from util.errors import UserError

_FILES = click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
_FORM = click.option(
    "--form",
    type=click.Choice([str(form) for form in Form]),
    default=str(Form.LINEAR),
    show_default=True,
    help="How libseccomp lays out a profile in JSON: SCMP_FLTATR_CTL_OPTIMIZE 1 or 2.",
)
_KERNEL = click.option(
    "--kernel",
    default="6.12",
    show_default=True,
    help=f"Whose bitmap sizes and exemptions hold: {', '.join(KERNELS)}.",
)


@click.group("filter")
def COMMAND() -> None:  # noqa: N802 - the name by which the registry finds it
    """What a seccomp filter does, what the kernel's action cache makes of it, and why.

    FILE is a raw array of struct sock_filter in either byte order, as seccomp_export_bpf(3) writes it; assembly text,
    as `show` prints it; a seccomp profile in JSON as Docker, containers/common and the OCI have it; or the folder of
    a failing case. Several files are a stack, in the order in which they are attached.

    \b
    ./rig.py filter show my.bpf
    ./rig.py filter analyse /usr/share/containers/seccomp.json --abi x86_64,i386
    ./rig.py filter prove my.bpf --nr personality
    """


@COMMAND.command()
@_FILES
@_FORM
@click.option("--arch", default="x86_64", show_default=True, help="Kernel architecture for a profile in JSON.")
def show(files: tuple[Path, ...], form: str, arch: str) -> None:
    """Disassembly, size, whether the kernel takes it, and how it is laid out.

    What is printed for one file is assembly that every `filter` command reads again.
    """
    from testcases.seccomp.cli import listing
    from testcases.seccomp.filters.filter_file import read_stack

    for position, program in enumerate(read_stack(files, _known_arch(arch), Form(form), _warn)):
        name = str(files[position]) if len(files) > position else f"filter {position}"
        for line in listing.lines(name, program):
            click.echo(line)


@COMMAND.command()
@_FILES
@_FORM
@_KERNEL
@click.option("--abi", "abis", metavar="ABI,...", default="", help="Absent: those that the filters name.")
@click.option("--table", is_flag=True, help="Every system call on a line of its own.")
def analyse(files: tuple[Path, ...], form: str, kernel: str, abis: str, table: bool) -> None:
    """Which system calls would be cached, by which design, and which instruction spoils the others.

    The designs are those that were proposed for Linux: by access tracking (access), Jann Horn's instruction subset
    (subset), the emulator of the second version (v2), lazily (lazy), and what was merged. "Always allowed" is
    proved for all arguments. A call whose cached bit is set runs no filter instruction at all.
    """
    from testcases.seccomp.cli import analysis
    from testcases.seccomp.prove.facts import kernel_facts

    stack, chosen = _stack_for(files, form, abis)
    facts = kernel_facts(kernel)
    for abi in chosen:
        found = analysis.analyse(stack, abi, facts)
        for line in analysis.summary(found, kernel):
            click.echo(line)
        if table:
            for line in analysis.table(found):
                click.echo(line)


@COMMAND.command()
@_FILES
@_FORM
@click.option("--nr", "word", required=True, metavar="N|NAME", help="As the filter sees it; of x32 with bit 30.")
@click.option("--abi", "abis", metavar="ABI,...", default="", help="Absent: those that the filters name.")
def prove(files: tuple[Path, ...], form: str, word: str, abis: str) -> None:
    """Whether a system call is always, never or sometimes allowed, with arguments for each outcome.

    The answer is exact for every filter: over all arguments and instruction pointers, by sets where they suffice and
    by z3 elsewhere. Arguments that are not printed are zero.
    """
    from testcases.seccomp.cli import analysis
    from testcases.seccomp.filters.words import number_of
    from testcases.seccomp.prove.oracle import Oracle

    stack, chosen = _stack_for(files, form, abis)
    oracle = Oracle(stack)
    for abi in chosen:
        nr = number_of(word, abi)
        found = oracle.prove(nr, ABIS[abi].audit_arch)
        for line in analysis.proof_lines(f"{word} ({nr:#x}) of {abi}", found):
            click.echo(line)


def _stack_for(files: tuple[Path, ...], form: str, abis: str) -> tuple[Stack, tuple[str, ...]]:
    """The valid stack and the ABIs to look at."""
    from configs.names import did_you_mean
    from testcases.seccomp.filters.filter_file import abis_of, kernel_arch, read_stack, require_valid

    chosen = tuple(word.strip() for word in abis.split(",")) if abis else ()
    for abi in chosen:
        if abi not in ABIS:
            raise UserError(f"no ABI `{abi}`{did_you_mean(abi, ABIS)} (known: {', '.join(ABIS)})")
    stack = read_stack(files, kernel_arch(chosen[0]) if chosen else "x86_64", Form(form), _warn)
    require_valid(files, stack)
    return stack, chosen or abis_of(stack)


def _known_arch(arch: str) -> str:
    from configs.names import did_you_mean
    from testcases.seccomp.filters.filter_file import kernel_arch

    archs = {kernel_arch(abi) for abi in ABIS}
    if arch not in archs:
        raise UserError(f"no architecture `{arch}`{did_you_mean(arch, archs)} (known: {', '.join(sorted(archs))})")
    return arch


def _warn(line: str) -> None:
    click.echo(line, err=True)


COMMAND.add_command(precision)
COMMAND.add_command(replay)
