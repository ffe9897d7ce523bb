# SPDX-License-Identifier: GPL-2.0-or-later
"""Is a counted figure exact? The benchmark of every ABI again and again while the load of the machine changes, and the
number of differences of each figure: `python -m bench.campaign exact`.

What was counted is kept until all is: a campaign that was interrupted goes on, as long as the guests are the same.

The referee is QEMU itself: a guest that it recorded comes to the same figures where it is played from the recording, in
which nothing of the host takes part.
"""

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from bench.subject import subject
from ci.cells.guest.guest_cell import GuestCell, request_of
from ci.plan.variants import prepare_variants
from ci.plan.wishes import Wishes, make_plan
from ci.run.bench import bench_suites
from ci.run.tasks.executor import Executor
from configs.loader import load_profile
from guests.crash.outcome import End
from guests.host.host import LOCAL, CommandResult, Start
from guests.qemu.machine import DISCARDED, Spec
from guests.run.request import GuestRequest
from guests.run.run import run_guest
from kernels.source.store import Store
from testcases.registry import find_suite
from util.errors import MachineError, RigError
from util.events import silent
from util.files.atomic import write_atomic
from util.stop import Stop

REPETITIONS = 200
MOST_LOOPS = 4
"""Busy loops at a time at most."""
CHANGE = (0.05, 1.5)
"""Seconds between two changes of the load."""
_SHOWN = 40
"""Figures that the report names."""

Figures = Mapping[str, int]


@dataclass(slots=True)
class ExactCount:
    """One ABI: how many guests ran, and for each figure how many of them came to another value than the first. `other`
    has the figures as they were first and the values that differed; `failed` says what kept guests from figures."""

    abi: str
    first: Figures = field(default_factory=dict)
    guests: int = 0
    differences: Counter[str] = field(default_factory=Counter)
    other: dict[str, set[int | None]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def add(self, found: Figures) -> None:
        """The figures of one more guest."""
        self.guests += 1
        self.first = self.first or found
        for name in {**self.first, **found}:
            if self.first.get(name) != found.get(name):
                self.differences[name] += 1
                self.other.setdefault(name, set()).add(found.get(name))

    @property
    def tried(self) -> int:
        """Guests that were started."""
        return self.guests + len(self.failed)

    @property
    def good(self) -> bool:
        return self.guests > 0 and bool(self.first) and not self.differences and not self.failed

    @property
    def widest(self) -> int:
        """How many instructions one figure was apart at most."""
        return max((self._spread(name) for name in self.other), default=0)

    def lines(self) -> Iterator[str]:
        """What the report says of this ABI."""
        yield (
            f"{self.abi:8} {self.guests:5} guests  {len(self.first):4} figures  {len(self.differences):4} that differ  "
            f"{self.differences.total():6} differences  widest {self.widest} instructions"
        )
        for name, count in self.differences.most_common(_SHOWN):
            values = ", ".join(str(value) for value in sorted(self.other[name], key=lambda value: value or 0))
            yield f"         {count:5} of {self.guests}  {name}: {self.first.get(name)}, and also {values}"
        yield from (f"         {reason}" for reason in self.failed)

    def _spread(self, name: str) -> int:
        values = [value for value in (self.first.get(name), *self.other[name]) if value is not None]
        return max(values) - min(values)


_COUNT = TypeAdapter(ExactCount)


@contextmanager
def changing_load(seed: int) -> Iterator[None]:
    """Busy loops that come and go, up to MOST_LOOPS at a time, until the block is left; the seed says when."""
    over = threading.Event()
    loops: list[subprocess.Popen[bytes]] = []

    def change() -> None:
        chance = random.Random(seed)
        while not over.wait(chance.uniform(*CHANGE)):
            wanted = chance.randint(0, MOST_LOOPS)
            while len(loops) < wanted:
                loops.append(subprocess.Popen(["sh", "-c", "while :; do :; done"]))
            while len(loops) > wanted:
                _end(loops.pop())

    changing = threading.Thread(target=change)
    changing.start()
    try:
        yield
    finally:
        over.set()
        changing.join()
        for loop in loops:
            _end(loop)


def _end(loop: "subprocess.Popen[bytes]") -> None:
    loop.kill()
    loop.wait()


@contextmanager
def counted_guests(folder: Path, stop: Stop) -> Iterator[list[GuestCell]]:
    """What the benchmark's guest of each ABI is made of, on the judged variant. Raises what a build can."""
    name = subject().profile
    profile = load_profile(name)
    wishes = Wishes(suites=bench_suites(profile))
    plan = make_plan(profile, wishes, accel="tcg", jobs=2, fresh=True, spec=name)
    store = Store()
    variants = prepare_variants(plan, store, silent, stop)
    with Executor(plan, variants, store, folder, silent, stop) as executor:
        executor.prepare()
        made = [executor.guest_of(cell) for cell in plan.cells() if cell.variant == plan.judged.name]
        for item in made:
            if isinstance(item, str):
                raise MachineError(item)
        yield [item for item in made if not isinstance(item, str)]


def figures_of(guest: GuestCell, request: GuestRequest, stop: Stop) -> Figures:
    """`<test>/<figure>` and its value, of one guest. Raises MachineError for one that does not come to its end."""
    suite = find_suite(guest.blank.cell.suite)[0]
    outcome = run_guest(request, silent, stop)
    if outcome.end is not End.FINISHED:
        raise MachineError(f"{outcome.end}: {outcome.message}")
    return {f"{test.name}/{one.name}": one.value for test in suite.read(guest.payload, outcome) for one in test.figures}


@dataclass(frozen=True, slots=True)
class Recorder:
    """This machine, whose QEMU keeps the recording of a counted guest in a file, or plays it from there."""

    mode: Literal["record", "replay"]
    file: Path
    name: str = ""
    delay: float = 0.0
    system: str = LOCAL.system
    machine: str = LOCAL.machine

    def run(self, *command: str) -> CommandResult:
        return LOCAL.run(*command)

    def starter(self, spec: Spec, initrd: Sequence[Path | bytes], stop: Stop) -> Start:
        start = LOCAL.starter(spec, initrd, stop)

        def recorded(results: int, qmp: int, initrd: str) -> tuple[str, ...]:
            return tuple(word.replace(DISCARDED, self.option) for word in start(results, qmp, initrd))

        return recorded

    @property
    def option(self) -> str:
        return f"rr={self.mode},rrfile={self.file}"

    def used_seconds(self, pid: int) -> float | None:
        return LOCAL.used_seconds(pid)


def replayed(guest: GuestCell, folder: Path, stop: Stop) -> tuple[Figures, Figures]:
    """The figures of a guest that QEMU records, and those of the same guest played from the recording.

    Raises MachineError as `figures_of`, and where nothing was recorded."""
    folder.mkdir(parents=True, exist_ok=True)
    request, file = replace(request_of(guest), folder=folder), folder / "recording"
    first = figures_of(guest, replace(request, host=Recorder("record", file)), stop)
    if not file.is_file() or not file.stat().st_size:
        raise MachineError("QEMU recorded nothing")
    return first, figures_of(guest, replace(request, host=Recorder("replay", file)), stop)


def exact(repetitions: int, seed: int, folder: Path) -> Iterator[tuple[bool, str]]:
    """A row of the campaign for each ABI: whether no figure of any of so many guests differed from the first, nor a
    replayed one from the recorded."""
    started = time.monotonic()
    counts = exact_counts(repetitions, seed, folder)
    title = f"{time.monotonic() - started:6.0f} s  exact (seed {seed})"
    for count in counts:
        yield count.good, "\n".join((title, *count.lines()))


def exact_counts(repetitions: int, seed: int, folder: Path) -> list[ExactCount]:
    """The count of each ABI. They take turns, so that each meets every load; then each is replayed once."""
    stop, started = Stop(), time.monotonic()
    with counted_guests(folder, stop) as guests, changing_load(seed):
        files = [folder / f"{guest.blank.cell.abi}-{guest.key[:16]}.json" for guest in guests]
        counts = [_begun(file) or ExactCount(guest.blank.cell.abi) for file, guest in zip(files, guests, strict=True)]
        for number in range(min(count.tried for count in counts), repetitions):
            for count, guest, file in zip(counts, guests, files, strict=True):
                if count.tried <= number:
                    _once_more(count, guest, stop)
                    write_atomic(file, _COUNT.dump_json(count))
            _say(counts, number + 1, repetitions, started)
        for count, guest, file in zip(counts, guests, files, strict=True):
            _refereed(count, guest, folder / f"replay-{count.abi}", stop)
            file.unlink(missing_ok=True)
    return counts


def _begun(file: Path) -> ExactCount | None:
    """What an earlier call had counted when it was interrupted; None where there is nothing to be read."""
    try:
        return _COUNT.validate_json(file.read_bytes())
    except (OSError, ValueError):
        return None


def _once_more(count: ExactCount, guest: GuestCell, stop: Stop) -> None:
    try:
        count.add(figures_of(guest, request_of(guest), stop))
    except RigError as error:
        count.failed.append(f"guest {count.tried + 1}: {error}")


def _refereed(count: ExactCount, guest: GuestCell, folder: Path, stop: Stop) -> None:
    try:
        recorded, played = replayed(guest, folder, stop)
    except RigError as error:
        count.failed.append(f"replay: {error}")
        return
    count.add(recorded)
    differing = [name for name in {**recorded, **played} if recorded.get(name) != played.get(name)]
    count.failed += [f"replay: {name}: {recorded.get(name)}, and {played.get(name)} replayed" for name in differing]


def _say(counts: Collection[ExactCount], done: int, of: int, started: float) -> None:
    """Progress, on one line of standard error."""
    differing = sum(len(count.differences) for count in counts)
    failed = sum(len(count.failed) for count in counts)
    text = (
        f"exact: {done} of {of} rounds, {time.monotonic() - started:.0f} s, {differing} figures differ, {failed} failed"
    )
    print(text, file=sys.stderr, flush=True)
