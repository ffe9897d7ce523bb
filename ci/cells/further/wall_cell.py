# SPDX-License-Identifier: GPL-2.0-or-later
"""The wall time of one benchmark under one ABI: a fresh guest for each variant of each round, one at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from ci.cells.guest.guest_cell import GuestCell, request_of
from ci.model.figures import Wall, WallRow
from ci.model.stats import ERROR, compare, least_rounds, order
from ci.plan.build_tasks import RunContext
from configs.result import Cell
from guests.host.facts import host_facts
from guests.run.request import GuestRequest
from guests.run.run import End, run_guest
from initramfs.base import job_image
from initramfs.cpio import archive
from testcases.benchmark.suite import CLOCK
from testcases.benchmark.topic import TableRow, find_topic
from testcases.suite import Suite
from util.events import Event, Phase
from util.stop import Stopped
from util.text import file_name

Figures = Mapping[str, int]
"""The figures of one guest, in thousandths of ticks by `<test>/<figure>`."""
Pair = tuple[Figures, Figures]
"""One round: base and judged."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often both variants are measured, and the seed of the order in which."""

    count: int
    seed: int


@dataclass(frozen=True, slots=True)
class WallCell:
    """The guests of a cell of the base and of the judged variant, whose payloads are for wall time."""

    base: GuestCell
    judged: GuestCell
    rounds: Rounds

    @property
    def cell(self) -> Cell:
        return self.judged.blank.cell

    @property
    def pair(self) -> tuple[GuestCell, GuestCell]:
        return self.base, self.judged


@dataclass(slots=True)
class _Said:
    """The results of the guests so far."""

    rounds: list[Pair] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    qemu_version: str = ""
    command: tuple[str, ...] = ()


def measure(wall: WallCell, suite: Suite, context: RunContext) -> Wall:
    """All rounds of a cell of the judged variant, or those before the first problem or interruption. Raises
    MachineError."""
    host, accel, topic = wall.judged.host, wall.judged.accel.name, find_topic(wall.cell.suite.partition("/")[2])
    first = order(wall.rounds.count, wall.rounds.seed)
    _warn_of_few(wall.rounds, len(topic.rows()), context)
    before, said = host_facts(host), _Said()
    step = f"wall {wall.cell}"
    context.emit(Event(step, Phase.START, accel, total=len(first), unit="rounds"))
    try:
        for number, base_first in enumerate(first, start=1):
            _round(wall, suite, number, base_first, before.cpus[-1], said, context)
            context.emit(Event(step, Phase.PROGRESS, "", number, len(first), "rounds"))
            if said.problems:
                break
    except Stopped:
        said.problems.append(f"interrupted after {len(said.rounds)} rounds")
    context.emit(Event(step, Phase.FAILED if said.problems else Phase.DONE, "; ".join(said.problems)))
    names = [guest.blank.cell.variant for guest in wall.pair]
    return Wall(
        cell=wall.cell,
        against=names[0],
        accel=accel,
        qemu_version=said.qemu_version,
        host=before,
        load_after=host_facts(host).load,
        pinned=before.cpus[-1],
        seed=wall.rounds.seed,
        first=tuple(names[not base_first] for base_first in first[: len(said.rounds)]),
        confidence=1 - ERROR,
        ticks=ticks_of(said.rounds),
        rows=tuple(wall_rows(topic.rows(), said.rounds)),
        problems=tuple(said.problems),
        command=said.command,
    )


def _warn_of_few(rounds: Rounds, rows: int, context: RunContext) -> None:
    least = least_rounds(ERROR / rows)
    if rounds.count < least:
        text = f"{rounds.count} rounds can show no difference in a table of {rows} rows; {least} can"
        context.emit(Event("wall", Phase.NOTE, text))


def _round(
    wall: WallCell, suite: Suite, number: int, base_first: bool, pin: int, said: _Said, context: RunContext
) -> None:
    """Both variants; only a round that is whole counts. Raises MachineError, Stopped."""
    figures = {}
    for turn in (0, 1) if base_first else (1, 0):
        guest = wall.pair[turn]
        figures[turn] = _figures(guest, suite, _request(guest, number, pin), said, context)
    if not said.problems:
        said.rounds.append((figures[0], figures[1]))


def _figures(guest: GuestCell, suite: Suite, request: GuestRequest, said: _Said, context: RunContext) -> Figures:
    with context.jobserver.token(context.stop):
        outcome = run_guest(request, context.emit, context.stop)
    said.qemu_version, said.command = outcome.qemu_version, outcome.command
    faults = [fault.title for fault in outcome.faults]
    wrong = faults if outcome.end is End.FINISHED else [outcome.message, *faults]
    said.problems += [f"{request.label}: {text} ({outcome.console})" for text in wrong]
    tests = suite.read(guest.payload, outcome)
    return {f"{test.name}/{figure.name}": figure.value for test in tests for figure in test.figures}


def _request(guest: GuestCell, number: int, pin: int) -> GuestRequest:
    request, label = request_of(guest), f"{guest.label} round {number}"
    return replace(
        request,
        # What is the same in each round has an archive of its own: another host has it already.
        initrd=(guest.base_image, *guest.archives, archive(guest.payload.files), job_image(request.job)),
        folder=guest.folder / "console" / file_name(label),
        label=label,
        pin=pin,
    )


def ticks_of(rounds: Sequence[Pair]) -> int:
    """Ticks in a second: the median of all guests, because each one's own measurement would only add its error to its
    variant. 0 without any guest."""
    rates = [figures[CLOCK] for pair in rounds for figures in pair if CLOCK in figures]
    return round(median(rates)) if rates else 0


def wall_rows(rows: Sequence[TableRow], rounds: Sequence[Pair]) -> Iterator[WallRow]:
    """One for each row whose figure both variants have in every round."""
    ticks = ticks_of(rounds)
    guests = [figures for pair in rounds for figures in pair]
    whole = [row for row in rows if guests and all(figures.get(row.figure, 0) > 0 for figures in guests)]
    for row in whole:
        base, judged = (tuple(pair[variant][row.figure] * 1e9 / 1e3 / ticks for pair in rounds) for variant in (0, 1))
        ratio = compare(base, judged, ERROR / len(whole))
        yield WallRow(
            label=row.label,
            figure=row.figure,
            base=base,
            judged=judged,
            ratio=ratio.value,
            low=ratio.low,
            high=ratio.high,
            shown=ratio.shown,
        )
