# SPDX-License-Identifier: GPL-2.0-only
"""`rig.py wall`: the benchmarks in nanoseconds, base and judged side in turn, in guests with the host's own clock.

One guest at a time, a fresh one for each side of each round. The outcome informs and gates nothing.
"""

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from ci import json_report, output, records
from ci.atomic import write_atomic
from ci.executor import Executor
from ci.judge import conclude
from ci.kernels import KernelKey
from ci.paired import ERROR, Ratio, compare, least_rounds, order
from ci.plan import Plan
from ci.results import Run, RunVerdict, Wall, WallRow
from ci.sides import Sides, prepare_sides
from ci.wall_table import tables
from configs import host as tools
from configs.errors import UserError
from configs.events import Event, Listener, Phase
from configs.model import Arch, SuiteChoice
from configs.result import Cell
from configs.stop import Stop, Stopped
from guests.accel import Accelerator, prove_accel
from guests.facts import HostFacts, host_facts
from guests.host import Host
from guests.machine import kernel_of
from guests.request import GuestRequest
from guests.run import End, run_guest
from initramfs.base import base_image, job_image
from initramfs.cpio import archive
from initramfs.job import Job
from kernels.build import Build
from kernels.store import Store
from testcases.benchmark.suite import CLOCK, Benchmark
from testcases.benchmark.topic import Topic, find_topic
from testcases.suite import Payload, SuiteContext, SuiteError

TABLE = "wall.txt"


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often both sides are measured, and the seed of the order in which."""

    count: int
    seed: int


def rounds_of(count: int, seed: int | None) -> Rounds:
    """With a seed that is drawn where none is given."""
    return Rounds(count, secrets.randbelow(1_000_000) if seed is None else seed)


@dataclass(frozen=True, slots=True)
class _Bench:
    """What all cells of a run share."""

    plan: Plan
    sides: Sides
    builds: Mapping[KernelKey, Build]
    store: Store
    tree: Path
    folder: Path
    host: Host
    rounds: Rounds
    emit: Listener
    stop: Stop


@dataclass(slots=True)
class _Measured:
    """What the guests of one cell have said so far: figures in thousandths of ticks, for each round and variant."""

    rounds: list[dict[str, dict[str, int]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    qemu_version: str = ""
    command: tuple[str, ...] = ()


def wall(
    plan: Plan, host: Host, rounds: Rounds, folder: Path, command: Sequence[str], emit: Listener, stop: Stop
) -> Run:
    """The whole of `rig.py wall`; results.json and the table are in `folder` when it returns.

    An interruption is no error: the rounds that are whole are reported, and `stop` is set. The verdict is about what
    had to be built and whether every guest came to its end, never about a figure. Raises UserError, MachineError.
    """
    if len(plan.variants) < 2:
        raise UserError("wall time compares two sides, and there is no series; give one with --series")
    started, clock = datetime.now(UTC), time.monotonic()
    tools.require([target.arch for target in plan.targets], tools.NEEDS)
    output.clear(folder)
    store = Store()
    sides = prepare_sides(plan, store, emit, stop, leave_out=[folder])
    run = records.new_run(plan, sides, started, command)
    if not any(side.applied.failure for side in sides.sides):
        with Executor(plan, sides, store, folder, emit, stop) as executor:
            executor.build()
            builds = executor.kernels()
        with store.worktree(sides.judged.applied.commit, emit, stop) as tree:
            bench = _Bench(plan, sides, builds, store, tree, folder, host, rounds, emit, stop)
            found = tuple(_cells(bench))
        update = {"builds": records.build_results(builds, folder), "wall": found}
        run = run.model_copy(update=update)
    run = _concluded(run).model_copy(update={"seconds": round(time.monotonic() - clock, 1)})
    write_atomic(folder / TABLE, "\n".join(tables(run)))
    write_atomic(folder / output.RESULTS, json_report.dump(run))
    return run


def _concluded(run: Run) -> Run:
    run = conclude(run)
    counted = Counter(str(row.shown) for item in run.wall for row in item.rows)
    problems = [problem for item in run.wall for problem in item.problems]
    summary = "; ".join((*(f"{number} {word}" for word, number in counted.items()), *problems[:1])) or run.summary
    verdict = RunVerdict.UNKNOWN if problems and run.verdict is RunVerdict.PASS else run.verdict
    return run.model_copy(update={"summary": summary, "verdict": verdict, "exit_code": verdict.exit_code})


def _cells(bench: _Bench) -> Iterator[Wall]:
    """One after the other: two guests at once would measure one another."""
    sides = bench.sides
    for flavour in bench.plan.profile.flavours:
        for target in bench.plan.targets:
            pair = [
                bench.builds[KernelKey(side.name, target.arch.name, flavour)] for side in (sides.base, sides.judged)
            ]
            if not all(build.ok for build in pair):
                continue  # the comparison of builds says so
            for choice in bench.plan.profile.suites:
                for abi in target.abis:
                    if not bench.stop.is_set():
                        cell = Cell(sides.judged.name, target.arch.name, abi, flavour, choice.name)
                        yield _measure(bench, cell, target.arch, choice, pair)


def _measure(bench: _Bench, cell: Cell, arch: Arch, choice: SuiteChoice, pair: Sequence[Build]) -> Wall:
    machine = choice.machine or arch.default_machine
    image = base_image(arch, bench.emit, bench.stop)
    kernel = kernel_of(arch.machines[machine], pair[0].folder)
    accel = prove_accel(
        bench.plan.accel, arch, machine, kernel, image, bench.emit, bench.stop, cell.flavour, bench.host
    )
    payload = _payload(bench, cell, arch, choice)
    topic = find_topic(choice.name.partition("/")[2])
    before = host_facts(bench.host)
    names = (bench.sides.base.name, bench.sides.judged.name)
    first = order(bench.rounds.count, bench.rounds.seed)
    _warn_of_few(bench, len(topic.rows()))
    guests = _Guests(bench, cell, arch, machine, dict(zip(names, pair, strict=True)), payload, image, accel, before)
    found = _Measured()
    try:
        with ExitStack() as stack:
            stack.callback(bench.emit, Event(guests.step, Phase.DONE))
            bench.emit(Event(guests.step, Phase.START, accel.name, total=len(first), unit="rounds"))
            for number, base_first in enumerate(first):
                guests.round(number, names if base_first else names[::-1], found)
                bench.emit(Event(guests.step, Phase.PROGRESS, "", number + 1, len(first), "rounds"))
                if found.problems:
                    break
    except Stopped:
        found.problems.append(f"{cell}: interrupted after {len(found.rounds)} rounds")
    ticks = _ticks(found)
    return Wall(
        cell=cell,
        against=names[0],
        accel=accel.name,
        qemu_version=found.qemu_version,
        host=before,
        load_after=host_facts(bench.host).load,
        pinned=before.cpus[-1],
        seed=bench.rounds.seed,
        first=tuple(names[0 if base_first else 1] for base_first in first[: len(found.rounds)]),
        confidence=1 - ERROR,
        ticks=ticks,
        rows=tuple(_rows(topic, found, names, ticks)),
        problems=tuple(found.problems),
        command=found.command,
    )


def _payload(bench: _Bench, cell: Cell, arch: Arch, choice: SuiteChoice) -> Payload:
    """Raises UserError for a program that does not compile: it is none of the series'."""
    context = SuiteContext(
        choice=choice,
        tree=bench.tree,
        commit=bench.sides.judged.applied.commit,
        store=bench.store,
        arch=arch,
        abi_name=cell.abi,
        abi=arch.abis[cell.abi],
        emit=bench.emit,
        stop=bench.stop,
    )
    try:
        return Benchmark().prepare_wall(context)
    except SuiteError as error:
        raise UserError(str(error)) from None


def _warn_of_few(bench: _Bench, rows: int) -> None:
    least = least_rounds(ERROR / rows)
    if bench.rounds.count < least:
        text = f"{bench.rounds.count} rounds cannot show a difference in a table of {rows} rows; {least} can"
        bench.emit(Event("wall", Phase.NOTE, text))


@dataclass(frozen=True, slots=True)
class _Guests:
    """The guests of one cell."""

    bench: _Bench
    cell: Cell
    arch: Arch
    machine: str
    builds: Mapping[str, Build]
    payload: Payload
    image: Path
    accel: Accelerator
    facts: HostFacts

    @property
    def step(self) -> str:
        return f"wall {self.cell}"

    def round(self, number: int, names: Sequence[str], found: _Measured) -> None:
        """Both sides, in this order; only a round that is whole counts. Raises MachineError, Stopped."""
        figures = {name: self._figures(number, name, found) for name in names}
        if not found.problems:
            found.rounds.append(figures)

    def _figures(self, number: int, variant: str, found: _Measured) -> dict[str, int]:
        """By `<test>/<figure>`, in thousandths of ticks."""
        request = self._request(number, variant)
        outcome = run_guest(request, self.bench.emit, self.bench.stop)
        found.qemu_version, found.command = outcome.qemu_version, outcome.command
        tests = Benchmark().read(self.payload, outcome)
        where = f"{request.label}: "
        if outcome.end is not End.FINISHED:
            found.problems.append(f"{where}{outcome.message} ({outcome.console})")
        found.problems += [f"{where}{fault.title} ({outcome.console})" for fault in outcome.faults if not fault.allowed]
        return {f"{test.name}/{figure.name}": figure.value for test in tests for figure in test.figures}

    def _request(self, number: int, variant: str) -> GuestRequest:
        cell, build = self.cell, self.builds[variant]
        label = f"{variant}/{cell.arch}/{cell.abi}/{cell.flavour} round {number + 1}"
        job = Job(nonce=secrets.token_hex(16), steps=self.payload.steps, time_scale=self.accel.time_scale)
        return GuestRequest(
            arch=self.arch,
            machine=self.machine,
            kernel=kernel_of(self.arch.machines[self.machine], build.folder),
            vmlinux=build.output("vmlinux"),
            # An archive for what is the same in each round: another host has it already.
            initrd=(self.image, archive(self.payload.files), job_image(job)),
            job=job,
            accel=self.accel.name,
            folder=self.bench.folder / "console" / output.file_name(label),
            memory_mb=self.bench.plan.profile.memory_mb,
            smp=1,
            label=label,
            host=self.bench.host,
            pin=self.facts.cpus[-1],
        )


def _ticks(found: _Measured) -> int:
    """Ticks in a second, the median of all guests: each one's own measurement would only add its error to its side."""
    rates = [figures[CLOCK] for pair in found.rounds for figures in pair.values() if CLOCK in figures]
    return round(median(rates)) if rates else 0


def _rows(topic: Topic, found: _Measured, names: Sequence[str], ticks: int) -> Iterator[WallRow]:
    whole = [row for row in topic.rows() if found.rounds and all(_has(pair, row.figure) for pair in found.rounds)]
    for row in whole:
        base, judged = (
            tuple(pair[name][row.figure] * 1e6 / ticks for pair in found.rounds) for name in names
        )  # a thousandth of a tick is 1e9 / 1e3 / ticks nanoseconds
        ratio: Ratio = compare(base, judged, ERROR / len(whole))
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


def _has(pair: Mapping[str, Mapping[str, int]], figure: str) -> bool:
    return all(figures.get(figure, 0) > 0 for figures in pair.values())
