# SPDX-License-Identifier: GPL-2.0-only
"""What is too long for every day, at full size and in turn: `make campaign`, or `python -m bench.campaign [PART...]`.

Each job is a call of `rig.py` with the exit status that it must have. One that ends otherwise does not keep the rest
from running; the table at the end says which, and the exit status is 1.
"""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

from configs.paths import ROOT, cache

PASS, FAIL = 0, 1


@dataclass(frozen=True, slots=True)
class Job:
    """One call of `rig.py check`. `part` is the word by which it is chosen."""

    part: str
    arguments: tuple[str, ...]
    expected: int = PASS


def release(version: str) -> tuple[str, ...]:
    """The arguments for a Debian kernel as it is."""
    return ("--source", f"debian:linux-source-{version}", "--series", "none")


ONE = ("--arch", "x86_64", "--abi", "x86_64")
JOBS = (
    Job("releases", ()),
    Job("releases", ("--profile", "seccomp-cache-revert")),
    Job("releases", release("6.1")),
    Job("releases", release("7.2")),
    Job("profiles", ("--profile", "boot")),
    Job("profiles", ("--profile", "bpf-jit")),
    Job("profiles", ("--profile", "processes")),
    Job("flavours", ("--flavour", "kasan", *ONE)),
    Job("flavours", ("--flavour", "gcov", *ONE)),
    Job("flavours", ("--flavour", "lockdep", *ONE)),
    Job("flavours", ("--flavour", "lockdep", *ONE, "--series", "tests/series/lockdep-splat"), FAIL),
)


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(sorted({job.part for job in JOBS})))
def main(parts: tuple[str, ...]) -> None:
    """Runs all jobs, or those of PARTS, and prints a table."""
    folder = cache("campaign")
    rows = []
    for number, job in enumerate(JOBS, 1):
        if not parts or job.part in parts:
            rows.append(_run(job, folder / f"{number:02}"))
            click.echo(rows[-1][1])
    click.echo("\n" + "\n".join(line for _, line in rows))
    sys.exit(0 if all(good for good, _ in rows) else 1)


def _run(job: Job, out: Path) -> tuple[bool, str]:
    """Whether the job ended as it must, and a line that says how."""
    command = [str(ROOT / "rig.py"), "check", *job.arguments, "--out", str(out), "--quiet"]
    click.echo(f"$ {' '.join(command)}")
    start = time.monotonic()
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    seconds = time.monotonic() - start
    good = run.returncode == job.expected
    answer = run.stdout.strip().splitlines()[-1:] or ["no answer"]
    mark = "as it must" if good else f"NOT {job.expected} AS IT MUST BE"
    return good, f"{seconds:6.0f} s  exit {run.returncode} {mark}: check {' '.join(job.arguments)}: {answer[0]}"


if __name__ == "__main__":
    main()
