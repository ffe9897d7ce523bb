# SPDX-License-Identifier: GPL-2.0-or-later
"""Wall time as a table for a mail: monospace, below 75 columns, with a clear warning where the times were measured
under an emulator."""

from collections.abc import Iterator, Sequence
from statistics import median

from ci.model.figures import Wall, WallRow
from ci.model.results import Run
from ci.model.stats import Shown
from ci.text.bench_table import WIDTH

LOUD = (
    "*** EMULATED (TCG): THESE TIMES SAY NOTHING ABOUT HARDWARE. ***",
    "*** What the emulator is quick at is not what a processor is quick at; ***",
    "*** `rig.py bench` counts instructions instead, exactly. ***",
)


def tables(run: Run) -> Iterator[str]:
    """Lines: one table for each benchmark and ABI, its rows by what they show."""
    for wall in run.wall:
        yield from _head(run, wall)
        label = max((len(row.label) for row in wall.rows), default=0)
        yield f"{'':{label}} {wall.against[:8]:>8} {wall.cell.variant[:8]:>8} {'ratio':>6} {'interval':>11}"
        for shown in Shown:
            rows = [row for row in wall.rows if row.shown is shown]
            if rows:
                yield f"{shown} ({len(rows)}):"
                yield from (_row(row, label) for row in rows)
        yield from (f"PROBLEM: {problem}" for problem in wall.problems)
        yield ""


def _head(run: Run, wall: Wall) -> Iterator[str]:
    yield f"{run.source.title}, {wall.cell.arch}, ABI {wall.cell.abi}"[:WIDTH]
    if run.series:
        yield f"{wall.cell.variant}: {run.series.title}, v{run.series.version}"[:WIDTH]
    if wall.emulated:
        yield from LOUD
    yield from head_lines(run, wall)
    yield ""


def head_lines(run: Run, wall: Wall) -> Iterator[str]:
    """What the times are, how many rounds there were, and the machine."""
    words = dict(zip(wall.command, wall.command[1:], strict=False))
    host = wall.host
    yield "Nanoseconds, the median of all rounds; of each guest its quickest batch."
    yield f"Rounds of a fresh guest for each variant: {len(wall.first)}, order by seed {wall.seed};"
    yield f"the intervals hold together with {wall.confidence:.0%} confidence."
    yield f"QEMU {wall.qemu_version} {wall.accel}, -cpu {words.get('-cpu', '?')}, 1 processor,"[:WIDTH]
    yield f"QEMU pinned to processor {wall.pinned} of {host.name or 'this machine'}"[:WIDTH]
    yield f"{host.cpu or 'unknown processor'}{' (itself a guest)' if host.virtual else ''}"[:WIDTH]
    yield f"governor {host.governor or 'not known'}, load {host.load:.2f} before and {wall.load_after:.2f} after"
    yield run.host.compilers.get(wall.cell.arch, "compiler unknown")[:WIDTH]


def _row(row: WallRow, label: int) -> str:
    times = f"{time_text(row.base):>8} {time_text(row.judged):>8}"
    return f"{row.label:{label}} {times} {ratio_text(row.ratio):>6} {interval_text(row):>11}"


def interval_text(row: WallRow) -> str:
    """Both ends of the ratio's interval; a dash where there is none."""
    return "-" if row.low is None or row.high is None else f"{ratio_text(row.low)} {ratio_text(row.high)}"


def time_text(nanoseconds: Sequence[float]) -> str:
    """The median of the rounds."""
    middle = median(nanoseconds)
    return f"{middle:.1f}" if middle < 1000 else f"{middle:.0f}"


def ratio_text(ratio: float) -> str:
    """Five characters."""
    return f"{ratio:.{3 if ratio < 10 else 1 if ratio < 1000 else 0}f}"
