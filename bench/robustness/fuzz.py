# SPDX-License-Identifier: GPL-2.0-or-later
"""A campaign over the readers of what others wrote: `python -m bench.campaign fuzz`, or
`python -m bench.robustness.fuzz [READER...]` for some of them. All in turn, from a seed.

A reader returns, or refuses with one line of ours. Anything else is a finding: an exception that is not ours, a message
that is no plain line, an end of the whole process, or more processor time than a second per megabyte (a second for
less). Input N of a reader is made from the seed, the reader's name and N alone, whatever the machine's speed is.
"""

import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from types import FrameType

import click

from bench.robustness.mutate import mutated
from bench.robustness.readers import READERS, seeds_of
from util.errors import UserError
from util.paths import ROOT, cache

HOUR = 3600
BATCH = 20
"""Inputs of one reader before the next one has its turn."""
_SLOW = 1.0
"""Seconds of processor time, for each megabyte, and for an input that is smaller."""
_HANGS = 20.0
"""Seconds of processor time after which an input is not waited for."""
_MEMORY = 4 << 30
"""Bytes of address space of the process that reads."""


class _TooSlowError(Exception):
    """The input is not waited for any longer."""


@dataclass(frozen=True, slots=True)
class BadInput:
    """What is wrong, and by which input: `what` is the same for the same fault."""

    reader: str
    number: int
    what: str
    detail: str = ""


@dataclass(slots=True)
class ReaderTally:
    """Counts of one reader. `refused` are inputs that came to an error of ours."""

    inputs: int = 0
    refused: int = 0
    size: int = 0
    slowest: float = 0.0
    """Seconds of processor time per megabyte, of inputs from a quarter of one up."""
    findings: list[BadInput] = field(default_factory=list)

    def add(self, other: "ReaderTally") -> None:
        self.inputs += other.inputs
        self.refused += other.refused
        self.size += other.size
        self.slowest = max(self.slowest, other.slowest)
        self.findings += other.findings


def input_of(reader: str, seed: int, number: int) -> bytes:
    """Input `number` of a reader."""
    return mutated(random.Random(f"{seed}/{reader}/{number}"), seeds_of(reader))


def fuzz(
    seconds: float, seed: int, readers: tuple[str, ...] = tuple(READERS), tell: Callable[[BadInput], None] = print
) -> dict[str, ReaderTally]:
    """The readers in turn, for so many seconds in all. `tell` hears of each finding at once."""
    end = time.monotonic() + seconds
    tallies = {reader: ReaderTally() for reader in readers}
    pool = _pool()
    while True:
        for reader, tally in tallies.items():
            numbers = range(tally.inputs, tally.inputs + BATCH)
            try:
                done = pool.submit(_batch, reader, seed, numbers, end).result()
            except BrokenProcessPool:
                what = f"the process died in inputs {numbers.start} to {numbers.stop - 1}"
                done = ReaderTally(inputs=BATCH, findings=[BadInput(reader, numbers.start, what)])
                pool = _pool()
            tally.add(done)
            for finding in done.findings:
                tell(finding)
            if time.monotonic() >= end:
                pool.shutdown()
                return tallies


def _pool() -> ProcessPoolExecutor:
    """One process: a reader that brings it down does not bring the campaign down."""
    return ProcessPoolExecutor(1, mp_context=get_context("fork"), initializer=_bounded)


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _batch(reader: str, seed: int, numbers: range, end: float) -> ReaderTally:
    tally = ReaderTally()
    for number in numbers:
        if time.monotonic() >= end:
            break
        data = input_of(reader, seed, number)
        took, refused, what, detail = _tried(reader, data)
        if not what and took > _allowed(data):  # once more, for the machine has others to serve
            took = min(took, _tried(reader, data)[0])
            what = "slower than a second per megabyte" if took > _allowed(data) else ""
            detail = f"{took:.1f} s for {len(data)} bytes"
        tally.inputs += 1
        tally.refused += refused
        tally.size += len(data)
        if len(data) >= 250_000:
            tally.slowest = max(tally.slowest, took / len(data) * 1e6)
        if what:
            tally.findings.append(BadInput(reader, number, what, detail))
    return tally


def _allowed(data: bytes) -> float:
    return _SLOW * max(1.0, len(data) / 1e6)


def _tried(reader: str, data: bytes) -> tuple[float, bool, str, str]:
    """(seconds of processor time, whether it was refused, what is wrong or nothing, more about it)."""
    begun = time.process_time()
    refused, what, detail = False, "", ""
    try:
        with _deadline():
            READERS[reader].read(data)
    except UserError as error:
        refused = True
        if not str(error).isprintable():
            what, detail = "a message that is no plain line", ascii(str(error))[:300]
    except _TooSlowError:
        what, detail = f"not read after {_HANGS:g} s", f"{len(data)} bytes"
    except BaseException as error:
        what, detail = _place_of(error), str(error)[:300]
    return time.process_time() - begun, refused, what, detail


def _place_of(error: BaseException) -> str:
    """The exception and the last line of ours on its way."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(ROOT))]
    ours = [frame for frame in frames if "bench/" not in frame.filename and ".venv/" not in frame.filename]
    last = (ours or frames)[-1]
    return f"{type(error).__name__} at {Path(last.filename).relative_to(ROOT)}:{last.lineno}"


@contextmanager
def _deadline() -> Iterator[None]:
    def out(_number: int, _frame: FrameType | None) -> None:
        raise _TooSlowError

    signal.signal(signal.SIGPROF, out)
    signal.setitimer(signal.ITIMER_PROF, _HANGS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def counts(tallies: dict[str, ReaderTally], seed: int) -> Iterator[str]:
    """The counts as a table, then one line for each kind of finding, with its smallest input kept in a file."""
    yield f"{'reader':8} {'inputs':>8} {'refused':>8} {'MB':>7} {'slowest, s/MB':>14} {'findings':>9}"
    for reader, tally in tallies.items():
        row = f"{tally.inputs:8} {tally.refused:8} {tally.size / 1e6:7.1f} {tally.slowest:14.2f}"
        yield f"{reader:8} {row} {len(tally.findings):9}"
    for tally in tallies.values():
        for what in dict.fromkeys(finding.what for finding in tally.findings):
            found = [finding for finding in tally.findings if finding.what == what]
            yield _told(found, seed)


def _told(found: list[BadInput], seed: int) -> str:
    smallest = min(found, key=lambda finding: len(input_of(finding.reader, seed, finding.number)))
    folder = cache("campaign", "fuzz")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{smallest.reader}-{seed}-{smallest.number}"
    path.write_bytes(input_of(smallest.reader, seed, smallest.number))
    return f"{smallest.reader}: {len(found)} x {smallest.what} ({smallest.detail}): {path}"


@click.command()
@click.argument("readers", nargs=-1, type=click.Choice(list(READERS)))
@click.option("--seconds", default=HOUR, show_default=True, help="How long, all readers together.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same inputs.")
def main(readers: tuple[str, ...], seconds: int, seed: int) -> None:
    """Tries all READERS, or those named, and prints the counts. Exit status 1 if anything was found."""
    click.echo(f"seed {seed}, {seconds} seconds")
    tallies = fuzz(seconds, seed, readers or tuple(READERS), lambda found: click.echo(f"{found}", err=True))
    for line in counts(tallies, seed):
        click.echo(line)
    sys.exit(1 if any(tally.findings for tally in tallies.values()) else 0)


if __name__ == "__main__":
    main()
