# SPDX-License-Identifier: GPL-2.0-or-later
"""The wall time of one benchmark under one ABI: a fresh guest for each variant of each round, one at a time."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ci.cells.wall_rows import Figures, Pair, ticks_of, wall_rows
from ci.model.results import Wall
from ci.model.stats import ERROR, least_rounds, order
from ci.plan.build_tasks import KernelKey
from ci.plan.plan import Plan
from ci.plan.variants import PreparedVariant, Variants
from configs.model import Arch
from configs.result import Cell
from guests.host.facts import host_facts
from guests.host.host import Host
from guests.qemu.machine import kernel_of
from guests.run.accel import Accelerator, prove_accel
from guests.run.request import GuestRequest
from guests.run.run import End, run_guest
from initramfs.base import base_image, job_image
from initramfs.cpio import archive
from initramfs.job import GuestJob
from kernels.build.build import Build
from kernels.source.store import Store
from testcases.benchmark.suite import Benchmark
from testcases.benchmark.topic import find_topic
from testcases.suite import Payload, SuiteContext, SuiteError
from util.errors import UserError
from util.events import Event, Listener, Phase
from util.stop import Stop, Stopped
from util.text import file_name


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often both variants are measured, and the seed of the order in which."""

    count: int
    seed: int


@dataclass(frozen=True, slots=True)
class WallContext:
    """What all cells of a run share; `tree` is a checkout of the judged variant."""

    plan: Plan
    variants: Variants
    builds: Mapping[KernelKey, Build]
    store: Store
    tree: Path
    folder: Path
    host: Host
    rounds: Rounds
    emit: Listener
    stop: Stop

    @property
    def pair(self) -> tuple[PreparedVariant, PreparedVariant]:
        return self.variants.base, self.variants.judged


@dataclass(slots=True)
class _Said:
    """The results of the guests so far."""

    rounds: list[Pair] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    qemu_version: str = ""
    command: tuple[str, ...] = ()


def measure(context: WallContext, cell: Cell) -> Wall:
    """All rounds of a cell of the judged variant, or those before the first problem or interruption.

    Raises UserError for a program that does not compile, MachineError, and Stopped before the first guest.
    """
    guests = _guests(context, cell)
    topic = find_topic(cell.suite.partition("/")[2])
    first = order(context.rounds.count, context.rounds.seed)
    _warn_of_few(context, len(topic.rows()))
    before, said = host_facts(context.host), _Said()
    step = f"wall {cell}"
    context.emit(Event(step, Phase.START, guests.accel.name, total=len(first), unit="rounds"))
    try:
        for number, base_first in enumerate(first, start=1):
            guests.round(number, base_first, before.cpus[-1], said)
            context.emit(Event(step, Phase.PROGRESS, "", number, len(first), "rounds"))
            if said.problems:
                break
    except Stopped:
        said.problems.append(f"interrupted after {len(said.rounds)} rounds")
    context.emit(Event(step, Phase.FAILED if said.problems else Phase.DONE, "; ".join(said.problems)))
    names = [variant.name for variant in context.pair]
    return Wall(
        cell=cell,
        against=names[0],
        accel=guests.accel.name,
        qemu_version=said.qemu_version,
        host=before,
        load_after=host_facts(context.host).load,
        pinned=before.cpus[-1],
        seed=context.rounds.seed,
        first=tuple(names[not base_first] for base_first in first[: len(said.rounds)]),
        confidence=1 - ERROR,
        ticks=ticks_of(said.rounds),
        rows=tuple(wall_rows(topic.rows(), said.rounds)),
        problems=tuple(said.problems),
        command=said.command,
    )


def _warn_of_few(context: WallContext, rows: int) -> None:
    least = least_rounds(ERROR / rows)
    if context.rounds.count < least:
        text = f"{context.rounds.count} rounds can show no difference in a table of {rows} rows; {least} can"
        context.emit(Event("wall", Phase.NOTE, text))


@dataclass(frozen=True, slots=True)
class _Guests:
    """The guests of one cell; `builds` are those of base and judged."""

    context: WallContext
    cell: Cell
    arch: Arch
    machine: str
    builds: tuple[Build, ...]
    payload: Payload
    image: Path
    accel: Accelerator

    def round(self, number: int, base_first: bool, pin: int, said: _Said) -> None:
        """Both variants; only a round that is whole counts. Raises MachineError, Stopped."""
        turns = (0, 1) if base_first else (1, 0)
        figures = {turn: self._figures(self._request(number, turn, pin), said) for turn in turns}
        if not said.problems:
            said.rounds.append((figures[0], figures[1]))

    def _figures(self, request: GuestRequest, said: _Said) -> Figures:
        outcome = run_guest(request, self.context.emit, self.context.stop)
        said.qemu_version, said.command = outcome.qemu_version, outcome.command
        faults = [fault.title for fault in outcome.faults]
        wrong = faults if outcome.end is End.FINISHED else [outcome.message, *faults]
        said.problems += [f"{request.label}: {text} ({outcome.console})" for text in wrong]
        tests = Benchmark().read(self.payload, outcome)
        return {f"{test.name}/{figure.name}": figure.value for test in tests for figure in test.figures}

    def _request(self, number: int, turn: int, pin: int) -> GuestRequest:
        cell, build, context = self.cell, self.builds[turn], self.context
        job = GuestJob(nonce=secrets.token_hex(16), steps=self.payload.steps, time_scale=self.accel.time_scale)
        label = f"{context.pair[turn].name}/{cell.arch}/{cell.abi}/{cell.flavour} round {number}"
        return GuestRequest(
            arch=self.arch,
            machine=self.machine,
            kernel=kernel_of(self.arch.machines[self.machine], build.folder),
            vmlinux=build.output("vmlinux"),
            # What is the same in each round has an archive of its own: another host has it already.
            initrd=(self.image, archive(self.payload.files), job_image(job)),
            job=job,
            accel=self.accel.name,
            folder=context.folder / "console" / file_name(label),
            memory_mb=context.plan.profile.memory_mb,
            smp=1,
            label=label,
            host=context.host,
            pin=pin,
        )


def _guests(context: WallContext, cell: Cell) -> _Guests:
    plan = context.plan
    arch = next(target.arch for target in plan.targets if target.arch.name == cell.arch)
    choice = next(choice for choice in plan.profile.suites if choice.name == cell.suite)
    builds = tuple(context.builds[KernelKey(variant.name, cell.arch, cell.flavour)] for variant in context.pair)
    machine = choice.machine or arch.default_machine
    image = base_image(arch, context.emit, context.stop)
    kernel = kernel_of(arch.machines[machine], builds[0].folder)
    accel = prove_accel(
        plan.accel, arch, machine, kernel, image, context.emit, context.stop, cell.flavour, context.host
    )
    suite_context = SuiteContext(
        choice=choice,
        tree=context.tree,
        commit=context.variants.judged.applied.commit,
        store=context.store,
        arch=arch,
        abi_name=cell.abi,
        abi=arch.abis[cell.abi],
        emit=context.emit,
        stop=context.stop,
    )
    try:
        payload = Benchmark().prepare_wall(suite_context)
    except SuiteError as error:
        raise UserError(str(error)) from None
    return _Guests(context, cell, arch, machine, builds, payload, image, accel)
