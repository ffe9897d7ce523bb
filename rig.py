#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The command line of the rig: it parses, calls and prints, and holds no logic."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHON = HERE / ".venv" / "bin" / "python"

if __name__ == "__main__" and Path(sys.prefix) != HERE / ".venv":
    if not PYTHON.exists():
        sys.exit(f"rig.py: not set up yet; run: make -C {HERE} setup")
    os.execv(PYTHON, [str(PYTHON), str(Path(__file__).resolve()), *sys.argv[1:]])

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from ci import clean as cleaning
from ci import doctor as doctoring
from ci import guest_commands, output, terminal
from ci.check import check as run_check
from ci.check import dry_run
from ci.plan import Wishes, make_plan, plan_names
from ci.progress import listener
from configs.errors import RigError, UserError
from configs.host import mend_command
from configs.loader import load_arch, load_profile
from configs.stop import Stop, Stopped

INTERRUPTED = 130


class CommaList(click.ParamType):
    """`a,b,c` as a tuple; an empty word is a mistake."""

    name = "a,b,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        words = tuple(word.strip() for word in str(value).split(","))
        if not all(words):
            self.fail(f"{value!r} has an empty word", param, ctx)
        return words


def cells_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which every command says which source, series, architectures and flavours it means."""
    for option in reversed(
        [
            click.option("--profile", default="seccomp-cache", show_default=True, metavar="NAME|FILE",
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
@click.option("--test", "tests", multiple=True, metavar="GLOB", help="Only these tests count; may be repeated.")
@accel_option
@click.option("--rerun", type=click.IntRange(0), help="Re-runs on both sides of a suspected regression.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Output folder; made if absent.")
@click.option("--fresh", is_flag=True, help="Run every cell again, whatever an earlier run found.")
@click.option("--bisect", is_flag=True, help="For git bisect run: what cannot be built or booted exits 125.")
@click.option("--dry-run", is_flag=True, help="Print every command instead of running it.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json on standard output instead of the table.")
def check(
    profile: str, source: str | None, series: str | None, archs: tuple[str, ...], flavours: tuple[str, ...],
    jobs: int, quiet: bool, abis: tuple[str, ...], suites: tuple[str, ...], tests: tuple[str, ...], accel: str,
    rerun: int | None, out: Path | None, fresh: bool, bisect: bool, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    """Build with and without the series, boot, test, compare, report."""


if __name__ == "__main__":
    main()
