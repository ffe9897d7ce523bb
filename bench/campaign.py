# SPDX-License-Identifier: GPL-2.0-or-later
"""What is too long for every day, at full size and in turn: `make campaign`, or `python -m bench.campaign [PART...]`.

Each job is a call of `rig.py` with the exit status that it must have. One that ends otherwise does not keep the rest
from running; the table at the end says which, and the exit status is 1.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import click

from bench.bisect.bisections import killed, real, simulated
from bench.debian_queue import debian_queue
from bench.guests.boots import built
from bench.guests.exact import REPETITIONS, exact
from bench.reach import reach
from bench.reverted import reverted
from bench.robustness.faults import run_faults
from bench.robustness.fuzz import HOUR, counts, fuzz
from bench.subject import subject
from bench.subsystems import subsystems
from configs.loader import as_yaml, load_profile
from testcases.measured import CampaignPart, brought
from tests.kernels.equality import WHOLE, there_and_back
from util.paths import ROOT, cache

PASS, FAIL = 0, 1
OWN = FAULTS, BISECT, CHECKS, REACH, EQUALITY, READING, EXACT, SUBSYSTEMS, REVERTED = (
    *("faults", "bisect", "checks", "reach", "equality", "fuzz"),
    *("exact", "subsystems", "reverted"),
)
OF_SUITES: dict[str, CampaignPart] = brought("campaign", "PARTS")
"""What the suites bring."""
REACHED = (("6.12", "x86_64"),)
"""Releases and architectures of which every selftest is run; one that is named on the command line comes instead."""


@dataclass(frozen=True, slots=True)
class CheckCall:
    """One call of `rig.py check`. `part` is the word by which it is chosen. With a seed it runs the input that is
    generated from that seed and nothing else."""

    part: str
    arguments: tuple[str, ...]
    expected: int = PASS
    seed: int = 0


def release(version: str) -> tuple[str, ...]:
    """The arguments for a Debian kernel as it is."""
    return ("--source", f"debian:linux-source-{version}", "--series", "none")


def seeds(profile: str, *arguments: str) -> tuple[CheckCall, ...]:
    """Twenty runs of `profile` that nothing may complain of: a tool that cries wolf is not used twice."""
    return tuple(CheckCall("seeds", ("--profile", profile, *arguments), seed=seed) for seed in range(2, 22))


FURTHER = ("s390x", "riscv64")
"""Architectures whose toolchains and emulators no profile asks for by itself (`rig.py doctor --arch`)."""
ONE = ("--arch", "x86_64", "--abi", "x86_64")
JOBS = (
    CheckCall("releases", ()),
    CheckCall("releases", ("--profile", subject().revert)),
    *(CheckCall("releases", ("--profile", subject().revert, "--arch", arch)) for arch in FURTHER),
    CheckCall("releases", release("6.1")),
    CheckCall("releases", release("7.2")),
    CheckCall("profiles", ("--profile", "boot")),
    CheckCall("profiles", ("--profile", subject().patches)),
    CheckCall("profiles", ("--profile", "bpf-jit")),
    CheckCall("profiles", ("--profile", "processes")),
    CheckCall("flavours", ("--flavour", "kasan", *ONE)),
    CheckCall("flavours", ("--flavour", "gcov", *ONE)),
    CheckCall("flavours", ("--flavour", "lockdep", *ONE)),
    CheckCall("flavours", ("--flavour", "lockdep", *ONE, "--series", "tests/series/lockdep-splat"), FAIL),
    *seeds(subject().profile),
    *seeds(subject().revert),
    *seeds(subject().profile, *release("6.1")),
    *seeds(subject().profile, *release("7.2")),
)


@click.command()
@click.argument(
    "parts",
    nargs=-1,
    type=click.Choice(sorted({*OWN, *OF_SUITES, *(job.part for job in JOBS)})),
)
@click.option("--seed", default=1, show_default=True, help="Of faults, fuzz, kills, exact: a seed makes the same.")
@click.option("--share", default=1.0, show_default=True, help="Of the faults: this part of their full number.")
@click.option("--seconds", default=HOUR, show_default=True, help="Of the fuzzed readers: all together.")
@click.option("--repetitions", default=REPETITIONS, show_default=True, help="Of exact: guests of each ABI.")
@click.option("--version", default="", help="Of reach: this release of Debian's sources, such as 6.12.")
@click.option("--arch", default="x86_64", show_default=True, help="The one of reach, subsystems, reverted.")
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="GLOB",
    help="Of reach: these targets, or not these (`!GLOB`); several times.",
)
@click.option("--twice", is_flag=True, help="Of reach: all guests start a second time, and must come to the same.")
@click.option(
    "--jobs", type=click.IntRange(1), help="Of reach: guests at once; most of them wait more than they compute."
)
@click.option("--case", "cases", multiple=True, metavar="GLOB", help="Those of bisect, subsystems, reverted.")
def main(
    parts: tuple[str, ...], seed: int, share: float, seconds: int, version: str, arch: str, targets: tuple[str, ...],
    twice: bool, jobs: int | None, cases: tuple[str, ...], repetitions: int,
) -> None:  # fmt: skip
    """Runs all jobs, or those of PARTS, and prints a table."""
    folder = cache("campaign")
    rows = []
    if not parts or FAULTS in parts:
        rows.append(_faults(seed, share))
        click.echo(rows[-1][1])
    if not parts or READING in parts:
        rows.append(_reading(seed, seconds))
        click.echo(rows[-1][1])
    wanted = ((version, arch),) if version else REACHED
    for release_, on in wanted if not parts or REACH in parts else ():
        rows.append(_reach(release_, on, targets, folder / f"reach-{release_}-{on}", jobs, twice=twice))
        click.echo(rows[-1][1])
    for number, job in enumerate(JOBS, 1):
        if not parts or job.part in parts:
            rows.append(_run(job, folder / f"{number:03}"))
            click.echo(rows[-1][1])
    further: dict[str, tuple[Callable[[], Iterator[tuple[bool, str]]], ...]] = {
        BISECT: (simulated, lambda: real(cases or ("*",)), lambda: iter(()) if cases else killed(seed)),
        CHECKS: (debian_queue,),
        EQUALITY: (equality,),
        EXACT: (partial(exact, repetitions, seed, folder / EXACT),),
        SUBSYSTEMS: (lambda: subsystems(folder / SUBSYSTEMS, cases or ("*",), arch),),
        REVERTED: (lambda: reverted(folder / REVERTED, cases or ("*",), arch),),
        **{part: (partial(work, built),) for part, work in OF_SUITES.items()},
    }
    for row in chain(*(work() for part, works in further.items() if not parts or part in parts for work in works)):
        click.echo(row[1])
        rows.append(row)
    click.echo("\n" + "\n".join(line for _, line in rows))
    sys.exit(0 if all(good for good, _ in rows) else 1)


def _faults(seed: int, share: float) -> tuple[bool, str]:
    """Whether no fault had a consequence that it must not have, and the counts."""
    start = time.monotonic()
    tally = run_faults(seed, share)
    words = "\n".join(tally.lines())
    title = f"{time.monotonic() - start:6.0f} s  faults (seed {seed}, share {share:g})"
    return not tally.wrong, f"{title}\n{words}"


def _reach(
    version: str, arch: str, targets: tuple[str, ...], folder: Path, jobs: int | None, *, twice: bool
) -> tuple[bool, str]:
    """Whether every target came to results, and the table."""
    start = time.monotonic()
    good, words = reach(version, arch, targets, folder, jobs, twice=twice)
    return good, f"{time.monotonic() - start:6.0f} s  reach {version} {arch}\n{words}"


def _reading(seed: int, seconds: int) -> tuple[bool, str]:
    """Whether no reader met an input that it could not deal with, and the counts."""
    tallies = fuzz(seconds, seed)
    words = "\n".join(counts(tallies, seed))
    return not any(tally.findings for tally in tallies.values()), f"{seconds:6} s  fuzz (seed {seed})\n{words}"


def equality() -> Iterator[tuple[bool, str]]:
    """Whether objects that a series changed in great number, and changed back, give the image of a clean build."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="equality-", dir=cache("campaign")) as folder:
        wrong = there_and_back(WHOLE, Path(folder)).wrong
    yield not wrong, f"{time.monotonic() - start:6.0f} s  equality: {wrong or 'the image is that of a clean build'}"


def _run(job: CheckCall, out: Path) -> tuple[bool, str]:
    """Whether the job ended as it must, and a line that says how."""
    out.mkdir(parents=True, exist_ok=True)
    arguments = _seeded(job, out / "profile.yaml") if job.seed else job.arguments
    command = [str(ROOT / "rig.py"), "check", *arguments, "--out", str(out), "--quiet"]
    click.echo(f"$ {' '.join(command)}")
    start = time.monotonic()
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    seconds = time.monotonic() - start
    answer = run.stdout.strip().splitlines()[-1:] or ["no answer"]
    # Generated input that fails on both sides is the fault of the check, not of two kernels.
    good = run.returncode == job.expected and not (job.seed and "pre-existing" in answer[0])
    mark = "as it must" if good else f"NOT {job.expected} AS IT MUST BE"
    seeded = f" (seed {job.seed})" if job.seed else ""
    return good, f"{seconds:6.0f} s  exit {run.returncode} {mark}: check {' '.join(job.arguments)}{seeded}: {answer[0]}"


def _seeded(job: CheckCall, path: Path) -> tuple[str, ...]:
    """The job's arguments with its profile replaced by one of the same kernels and another seed."""
    _option, name, *rest = job.arguments
    profile = load_profile(name)
    suites = tuple(
        choice.model_copy(update={"options": {**choice.options, "seed": job.seed}})
        if choice.name == subject().seeded
        else choice
        for choice in profile.suites
    )
    seeded = profile.model_copy(update={"suites": suites})
    path.write_text(as_yaml(seeded.model_dump(mode="json")), encoding="utf-8")
    return ("--profile", str(path), *rest, "--suite", subject().seeded)


if __name__ == "__main__":
    main()
