#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of the rig: it parses, calls and prints, and holds no logic."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = HERE / ".venv" / "bin" / "python"

if __name__ == "__main__" and Path(sys.prefix) != HERE / ".venv":
    if not PYTHON.exists():
        print(f"rig.py: not set up yet; run: make -C {HERE} setup", file=sys.stderr)
        sys.exit(3)
    os.execv(PYTHON, [str(PYTHON), str(Path(__file__).resolve()), *sys.argv[1:]])

import shlex
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

import click

from ci.command import clean as cleaning
from ci.command import doctor as doctoring
from ci.command import listing
from ci.plan.plan import Wishes, make_plan
from ci.report import json_report, terminal
from ci.report.progress import listener
from ci.report.wall_table import tables as wall_tables
from ci.run.bench import bench as run_bench
from ci.run.bench import bench_suites
from ci.run.check import check as run_check
from ci.run.dry_run import dry_run as render_dry_run
from ci.run.kernel_builds import build_kernels
from ci.run.one_guest import GuestWish, one_guest, run_interactive
from ci.run.wall import rounds_of
from ci.run.wall import wall as run_wall
from ci.verdict import exit_status as bisection
from configs.host import mend_command
from configs.loader import load_arch, load_profile, names
from guests.host.open import open_host
from testcases.registry import suite_commands
from util.errors import RigError
from util.events import Listener
from util.paths import new_run_folder
from util.stop import Stop, Stopped

INTERRUPTED = 130


class CommaList(click.ParamType[tuple[str, ...]]):
    """`a,b,c` as a tuple; an empty word is a mistake."""

    name = "a,b,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        words = tuple(word.strip() for word in str(value).split(","))
        if not all(words):
            self.fail(f"{value!r} has an empty word", param, ctx)
        return words


def cells_options(command: Callable[..., None], profile: str = "seccomp-cache") -> Callable[..., None]:
    """The options by which every command says which source, series, architectures and flavours it means."""
    for option in reversed(
        [
            click.option("--profile", default=profile, show_default=True, metavar="NAME|FILE",
                         help="What to do, as YAML; `rig.py list` names them."),
            click.option("--source", metavar="SPEC",
                         help="Base tree: debian:linux-source-5.10, tarball:FILE, git:PATH@REV, or a folder."),
            click.option("--series", metavar="FILE|FOLDER|RANGE|none",
                         help="Patches: an mbox, a folder of git format-patch, a git range A..B."),
            click.option("--arch", "archs", type=CommaList(), default=(), help="Architectures."),
            click.option("--flavour", "flavours", type=CommaList(), default=(), help="plain, kasan, lockdep, ..."),
            click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default=True,
                         help="How many compilers and guests run at once."),
            click.option("--quiet", is_flag=True, help="No progress; only the result."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


accel_option = click.option(
    "--accel", type=click.Choice(["auto", "kvm", "tcg", "hvf"]), default="auto", show_default=True,
    help="How guests run; auto proves KVM by booting the kernel under test, and falls back to TCG.",
)  # fmt: skip


def host_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that send guests to another machine."""
    host = click.option("--host", metavar="ssh://[USER@]MACHINE[:PORT]", default="",
                        help="Run the guests on another machine; its key must be in ~/.ssh/known_hosts.")  # fmt: skip
    identity = click.option("--identity", type=click.Path(path_type=Path), metavar="FILE",
                            help="The private key for --host; absent: the agent's and those of ~/.ssh.")  # fmt: skip
    return host(identity(command))


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Says whether a kernel patch series is safe and worth sending.

    Builds kernels with and without the series, boots them under QEMU, runs the kernel's own selftests under every
    ABI, compares the two sides, and says what the series changed.

    \b
    ./rig.py check                                   the built-in series on 5.10
    ./rig.py check --series v4.mbox                  your series, on the profile's source
    ./rig.py check --source . --series HEAD~3..HEAD  the last three commits of the tree you stand in
    ./rig.py check --source . --series none          the tree as it is (for git bisect run)

    Exit status: 0 every cell ran and nothing regressed; 1 the kernel's or the series' fault, with evidence;
    2 your mistake, one line says which; 3 the machine could not say.
    """


@main.command()
@cells_options
@click.option("--abi", "abis", type=CommaList(), default=(), help="ABIs, for example x86_64,x32.")
@click.option("--suite", "suites", type=CommaList(), default=(), help="Suites, for example selftests/seccomp.")
@click.option("--test", default="", metavar="GLOB", help="Only the tests of this name count.")
@accel_option
@host_options
@click.option("--rerun", type=click.IntRange(0), help="Re-runs on both sides of a suspected regression.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Output folder; made if absent.")
@click.option("--fresh", is_flag=True, help="Run every guest again, whatever an earlier run found.")
@click.option(
    "--bisect/--no-bisect",
    default=None,
    help="Exit 125 for what cannot be built or booted; the default while a git bisect goes on in the source.",
)
@click.option("--dry-run", is_flag=True, help="Print every command instead of running it.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json on standard output instead of the table.")
def check(
    *, profile: str, source: str | None, series: str | None, archs: tuple[str, ...], flavours: tuple[str, ...],
    jobs: int, quiet: bool, abis: tuple[str, ...], suites: tuple[str, ...], test: str, accel: str,
    host: str, identity: Path | None, rerun: int | None,
    out: Path | None, fresh: bool, bisect: bool | None, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Build with and without the series, boot, test, compare, report."""
    bisect = bisection.under_way(source) if bisect is None else bisect
    click.get_current_context().find_root().obj = bisect
    wishes = Wishes(source, series, archs, abis, suites, flavours, rerun)
    plan = make_plan(
        load_profile(profile), wishes, accel=accel, jobs=jobs, fresh=fresh, test=test, spec=profile, follow=not bisect
    )
    with running(quiet) as (emit, stop):
        if dry_run:
            click.echo(render_dry_run(plan, emit, stop), nl=False)
            return
        folder = (out or new_run_folder(plan.profile.name)).resolve()
        with open_host(host, identity) as where:
            run = run_check(plan, folder, (sys.argv[0], *sys.argv[1:]), emit, stop, where)
    if as_json:
        click.echo(json_report.dump(run), nl=False)
    elif quiet:
        click.echo(f"{run.verdict}: {run.summary}")
    else:
        click.echo(terminal.show(run), nl=False)
        click.echo(f"reports: {folder}", err=True)
    sys.exit(INTERRUPTED if stop.is_set() else bisection.exit_status(run, bisect, test))


@main.command()
@partial(cells_options, profile="seccomp-cost")
@click.option("--abi", "abis", type=CommaList(), default=(), help="ABIs, for example x86_64,x32.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Output folder; made if absent.")
@click.option("--fresh", is_flag=True, help="Run every guest again, whatever an earlier run found.")
@click.option("--twice", is_flag=True, help="Run every guest a second time and compare every figure.")
@click.option(
    "--explain",
    multiple=True,
    metavar="FIGURE",
    help="Say which kernel functions the instructions of a figure are in, such as 'call/none/*'; "
    "of a broken budget that is said anyway.",
)
def bench(
    *, profile: str, source: str | None, series: str | None, archs: tuple[str, ...], flavours: tuple[str, ...],
    jobs: int, quiet: bool, abis: tuple[str, ...], out: Path | None, fresh: bool, twice: bool,
    explain: tuple[str, ...],
) -> None:  # fmt: skip
    """Count what a series costs in guest instructions: a table for the cover letter, plots, budgets."""
    loaded = load_profile(profile)
    wishes = Wishes(source, series, archs, abis, bench_suites(loaded), flavours, rerun=0)
    plan = make_plan(loaded, wishes, accel="tcg", jobs=jobs, fresh=fresh, spec=profile, explain=explain)
    folder = (out or new_run_folder(plan.profile.name)).resolve()
    with running(quiet) as (emit, stop):
        made = run_bench(plan, folder, twice, (sys.argv[0], *sys.argv[1:]), emit, stop)
    click.echo(made.text)
    click.echo(f"digest of all figures: {made.digest}{f' and again {made.second}' if made.second else ''}")
    for difference in made.differences:
        click.echo(f"not the same twice: {difference}")
    for line in made.explained:
        click.echo(line)
    for pattern in made.unanswered:
        click.echo(f"--explain {pattern}: no figure in instructions has this name")
    for finding in made.findings:
        click.echo(finding)
    click.echo(f"{made.run.verdict}: {made.run.summary}")
    click.echo(f"reports: {folder}", err=True)
    sys.exit(INTERRUPTED if stop.is_set() else 3 if made.differences else made.run.exit_code)


@main.command("wall")
@partial(cells_options, profile="seccomp-cost")
@click.option("--abi", "abis", type=CommaList(), default=(), help="ABIs, for example x86_64,x32.")
@accel_option
@click.option(
    "--rounds", type=click.IntRange(1), default=20, show_default=True, help="How often each side is measured."
)
@click.option("--seed", type=click.IntRange(0), help="Of the order of the sides; absent: drawn, and printed.")
@host_options
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Output folder; made if absent.")
def wall_(
    *, profile: str, source: str | None, series: str | None, archs: tuple[str, ...], flavours: tuple[str, ...],
    jobs: int, quiet: bool, abis: tuple[str, ...], accel: str, rounds: int, seed: int | None, host: str,
    identity: Path | None, out: Path | None,
) -> None:  # fmt: skip
    """Time what a series costs: base and patched in turn, on KVM here or on a machine reached over SSH.

    Prints nanoseconds and ratios with confidence intervals. That informs and decides nothing: the exit status is only
    about what was built and whether each guest came to its end. Under TCG the times are the emulator's own.
    """
    loaded = load_profile(profile)
    wishes = Wishes(source, series, archs, abis, bench_suites(loaded), flavours, rerun=0)
    plan = make_plan(loaded, wishes, accel=accel, jobs=jobs, fresh=True, spec=profile)
    folder = (out or new_run_folder(plan.profile.name)).resolve()
    with running(quiet) as (emit, stop), open_host(host, identity) as where:
        made = run_wall(plan, where, rounds_of(rounds, seed), folder, (sys.argv[0], *sys.argv[1:]), emit, stop)
    click.echo("\n".join(wall_tables(made)))
    click.echo(f"{made.verdict}: {made.summary}")
    click.echo(f"reports: {folder}", err=True)
    sys.exit(INTERRUPTED if stop.is_set() else made.exit_code)


@main.command()
@cells_options
def build(
    *, profile: str, source: str | None, series: str | None, archs: tuple[str, ...], flavours: tuple[str, ...],
    jobs: int, quiet: bool,
) -> None:  # fmt: skip
    """Build the kernels of every variant, and say where they are."""
    wishes = Wishes(source=source, series=series, archs=archs, flavours=flavours)
    plan = make_plan(load_profile(profile), wishes, accel="auto", jobs=jobs, fresh=False)
    with running(quiet) as (emit, stop):
        kernels = build_kernels(plan, emit, stop)
    for line in kernels.lines():
        click.echo(line)
    sys.exit(0 if kernels.ok else 1)


def guest_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which one guest is chosen."""
    for option in reversed(
        [
            click.option("--variant", default="", help="base, patched, ...; absent: the judged one."),
            click.option("--machine", default="", help="A machine of the architecture's file; absent: its default."),
            accel_option,
        ]
    ):
        command = option(command)
    return command


@main.command()
@cells_options
@guest_options
@click.option("--kernel", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="This kernel instead.")
@click.option("--initrd", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="This image instead.")
def boot(
    *, profile: str, source: str | None, series: str | None, archs: tuple[str, ...], flavours: tuple[str, ...],
    jobs: int, quiet: bool, variant: str, machine: str, accel: str, kernel: Path | None, initrd: Path | None,
) -> None:  # fmt: skip
    """Boot one kernel with one image, its console on the terminal."""
    wishes = Wishes(source=source, series=series, archs=archs, flavours=flavours)
    plan = make_plan(load_profile(profile), wishes, accel=accel, jobs=jobs, fresh=False)
    with running(quiet) as (emit, stop):
        guest = one_guest(plan, GuestWish(variant, machine, kernel, initrd, shell=False), emit, stop)
    sys.exit(run_interactive(guest))


@main.command()
@cells_options
@guest_options
def shell(
    *, profile: str, source: str | None, series: str | None, archs: tuple[str, ...], flavours: tuple[str, ...],
    jobs: int, quiet: bool, variant: str, machine: str, accel: str,
) -> None:  # fmt: skip
    """A busybox shell in a guest of any variant; leave it with `exit`."""
    wishes = Wishes(source=source, series=series, archs=archs, flavours=flavours)
    plan = make_plan(load_profile(profile), wishes, accel=accel, jobs=jobs, fresh=False)
    with running(quiet) as (emit, stop):
        guest = one_guest(plan, GuestWish(variant, machine, None, None, shell=True), emit, stop)
    sys.exit(run_interactive(guest))


@main.command("list")
def list_() -> None:
    """Profiles, architectures with their ABIs, flavours, suites, sources."""
    for line in listing.lines():
        click.echo(line)


@main.command()
@click.option("--mend", is_flag=True, help="Install what is missing.")
def doctor(mend: bool) -> None:
    """What this machine lacks, and the one command that mends it."""
    archs = [load_arch(name) for name in names("archs")]
    findings, missing = doctoring.examine(archs)
    if mend and missing:
        doctoring.mend(missing)
        findings, missing = doctoring.examine(archs)
    for finding in findings:
        mark = "ok " if finding.ok else "!  " if finding.warning else "NO "
        click.echo(f"{mark} {finding.name}: {finding.text}")
    if missing:
        click.echo(f"mend it with: {shlex.join(mend_command(missing))}")
    sys.exit(0 if all(finding.ok or finding.warning for finding in findings) else 3)


@main.command()
@click.option("--older-than", type=click.FloatRange(0), metavar="DAYS", help="Remove what was not used for so long.")
@click.option("--all", "everything", is_flag=True, help="Remove all of it.")
def clean(older_than: float | None, everything: bool) -> None:
    """What the cache holds, by age and size; removes nothing unless asked."""
    days = 0.0 if everything else older_than
    if days is not None:
        with running(quiet=False) as (emit, stop):
            freed = cleaning.remove(days, emit, stop)
        click.echo(freed)
    for line in cleaning.lines():
        click.echo(line)


@contextmanager
def running(quiet: bool) -> Iterator[tuple[Listener, Stop]]:
    """Progress on stderr, and a stop that Ctrl-C and SIGTERM set once; the second Ctrl-C is no other than the first."""
    stop = Stop()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with listener(quiet) as emit:
            yield emit, stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


for suite_command in suite_commands():
    main.add_command(suite_command)


def run() -> None:
    """`main`, with our errors as one line and their exit status."""
    bisect = "--bisect" in sys.argv  # also where the command line is too wrong to be read
    try:
        with main.make_context("rig.py", sys.argv[1:]) as context:
            try:
                main.invoke(context)
            finally:
                bisect = bisect or context.obj is True
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(bisection.ABORT if bisect else error.exit_code)
    except click.Abort:
        sys.exit(INTERRUPTED)
    except RigError as error:
        click.echo(f"rig.py: {error}", err=True)
        sys.exit(bisection.error_status(error, bisect))
    except Stopped:
        click.echo("rig.py: interrupted", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader, `head` or a pager, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(INTERRUPTED)
    except Exception:  # a fault of ours must not look like one of the kernel (exit 1)
        traceback.print_exc()
        click.echo("rig.py: this is a fault of the rig itself, not of the kernel or the series", err=True)
        sys.exit(bisection.ABORT if bisect else 3)


if __name__ == "__main__":
    run()
