# SPDX-License-Identifier: GPL-2.0-or-later
"""One line for the whole run: how many of its kernels and guests are done, and how much time is left.

How long each takes is known from the last run of the profile, else it is a guess; what this run's own pieces took
corrects both. A kernel has all processors, a guest has one. The compilers that are asked about every patch are one
piece more. What says how far it is, as kernels and compilers do, goes by its own pace.
"""

import json
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from ci.cells.static.object_checks import COMPILERS
from ci.model.results import Run
from ci.model.shard import BUILDS, place_of
from ci.model.stages import CellResult
from ci.plan.build_tasks import KernelKey
from ci.plan.divide import Times, times_of
from ci.plan.plan import Plan
from configs.names import CHECKS
from configs.result import Cell
from kernels.build.build import Build
from util.children.tasks import succeeded
from util.events import WHOLE, Event, Listener, Phase
from util.files.atomic import write_atomic
from util.paths import cache
from util.text import duration

_CORRECTION = (0.1, 10.0)
"""The least and the most by which what was guessed is corrected."""
_TRUSTED = 5.0
"""Seconds of this run's own work from which on it corrects a guess."""
_TOLD = 0.02
"""The part of a piece from which on its own pace is believed: a build begins with the slowest of its targets."""
_SETTING, _TREE = 40.0, 5.0
"""Seconds on all processors that a compiler is taken to need for its first tree, and for each further one."""


@dataclass(slots=True)
class _Piece:
    """A kernel, a guest, or the compilers that are asked about every patch. `guess` are seconds of wall time, on one
    processor for a guest, else on all; `part` is what of it is done, from 0 to 1. `since` is when it first said
    something, and which part was done then."""

    guess: float
    kernel: bool
    part: float = 0.0
    since: tuple[float, float] = (0.0, 0.0)

    def hear(self, part: float) -> None:
        """How far it is; a build that goes back to objects of another one does not go back here."""
        self.part = max(self.part, part)
        if not self.since[0]:
            self.since = time.monotonic(), self.part

    def whole(self, now: float) -> float | None:
        """Seconds from its start to its end, by the pace since it first said something; None where that is too little
        to go by."""
        begun, first = self.since
        enough = begun and now - begun >= _TRUSTED and self.part - first >= _TOLD and self.part < 1
        return (now - begun) / (self.part - first) if enough else None

    def left(self, now: float, factor: float) -> float:
        """Seconds, by its own pace where it has one, else by the guess and the factor that corrects it."""
        whole = self.whole(now)
        return (1 - self.part) * (self.guess * factor if whole is None else whole)


@dataclass(slots=True)
class WholeRun:
    """Hears every event of a run and hands it on; the pieces say themselves when they end. Called from any thread. The
    guests of the plan are pieces from the start, kernels and re-runs as soon as they are known."""

    plan: Plan
    emit: Listener
    times: Times
    _pieces: dict[object, _Piece] = field(default_factory=dict)
    _compilers: _Piece | None = None
    _took: float = 0.0
    _guessed: float = 0.0
    _over: bool = False
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        judged = self.plan.variants[-1].name
        for cell in self.plan.cells():
            self._add((cell, 0, judged), self._guest_piece(cell))
        settings = len(self.plan.targets) * len(self.plan.profile.compile_with)
        if self.plan.each and CHECKS in self.plan.static and settings:
            trees = len(self.plan.variants)
            self._compilers = _Piece(settings * (_SETTING + _TREE * trees), kernel=True)
            self._add(COMPILERS, self._compilers)

    def hear(self, event: Event) -> None:
        """Events of a build and of the compilers also say how far they are."""
        self.emit(event)
        if event.phase is Phase.PROGRESS and event.step == COMPILERS and self._compilers:
            with self._lock:
                self._compilers.hear(event.done / event.total)
                self._tell()
        if event.phase is Phase.PROGRESS and event.total and event.step.startswith("build "):
            with self._lock:
                if piece := self._pieces.get(event.step):
                    piece.hear(min(event.done / event.total, 0.99))
                    self._tell()

    def kernels(self, builds: Mapping[KernelKey, "Future[Build]"]) -> None:
        """The kernels of the run, all at once."""
        for key, future in builds.items():
            place = place_of(Cell("", key.arch, "-", key.flavour, BUILDS))
            name = f"build {key.arch} {key.variant} {key.flavour}"
            self._add(name, _Piece(self.times.of(place) / max(1, len(self.plan.variants)), kernel=True))
            future.add_done_callback(lambda done, name=name: self._end(name, _built(done)))  # type: ignore[misc]

    def guest(self, cell: Cell, attempt: int, suite_variant: str, future: "Future[CellResult]") -> None:
        """One guest, also one that is booted again."""
        key = (cell, attempt, suite_variant)
        self._add(key, self._guest_piece(cell))
        future.add_done_callback(lambda done: self._end(key, _ran(done)))

    def _guest_piece(self, cell: Cell) -> _Piece:
        return _Piece(self.times.of(place_of(cell)) / max(1, len(self.plan.variants)), kernel=False)

    def over(self) -> None:
        """Takes the line away."""
        with self._lock:
            self._over = True
            self.emit(Event(WHOLE, Phase.DONE))

    def left(self) -> float:
        """Seconds that the run still takes, as far as its pieces are known."""
        with self._lock:
            now, factor = time.monotonic(), self._factor()
            pieces = [piece for piece in self._pieces.values() if piece is not self._compilers]
            kernels = [piece for piece in pieces if piece.kernel]
            built = [piece for piece in kernels if piece.whole(now) is not None]
            slower = max((factor, *((piece.whole(now) or 0.0) / piece.guess for piece in built if piece.guess)))
            # Those that are being built share the processors, and each sees its own share: they end together.
            seconds = max((piece.left(now, factor) for piece in built), default=0.0)
            seconds += sum(piece.left(now, slower) for piece in kernels if piece not in built)
            guests = sum(piece.left(now, factor) for piece in pieces if not piece.kernel)
            compilers = self._compilers.left(now, 1.0) if self._compilers else 0.0
            return seconds + guests / max(1, self.plan.jobs) + compilers

    def _factor(self) -> float:
        """What guesses are corrected by: what the pieces took that have ended, to what they were guessed to take."""
        least, most = _CORRECTION
        known = self._took >= _TRUSTED and self._guessed > 0
        return min(most, max(least, self._took / self._guessed)) if known else 1.0

    def _add(self, key: object, piece: _Piece) -> None:
        with self._lock:
            self._pieces[key] = piece

    def _end(self, key: object, took: float) -> None:
        with self._lock:
            piece = self._pieces[key]
            piece.part = 1.0
            if took:
                self._took += took
                self._guessed += piece.guess
            self._tell()

    def _tell(self) -> None:
        if self._over:
            return
        done = sum(piece.part == 1.0 for piece in self._pieces.values())
        text = f"about {duration(self.left())} left"
        unit = "kernels, guests and compilers" if self._compilers else "kernels and guests"
        self.emit(Event(WHOLE, Phase.PROGRESS, text, done, len(self._pieces), unit))


def _built(future: "Future[Build]") -> float:
    build = future.result() if succeeded(future) else None
    return 0.0 if build is None or build.cached else build.seconds


def _ran(future: "Future[CellResult]") -> float:
    cell = future.result() if succeeded(future) else None
    return 0.0 if cell is None or cell.cached or cell.same_as or cell.not_run else cell.seconds


def remembered(profile: str) -> Times:
    """What the last runs of a profile took; nothing where there was none, or where that cannot be read."""
    try:
        found = json.loads((cache("took") / f"{profile}.json").read_text(encoding="utf-8"))
        return Times({str(place): float(seconds) for place, seconds in found.items()})
    except (OSError, ValueError, TypeError, AttributeError):
        return Times()


def remember(run: Run) -> None:
    """Keeps what the pieces of a run took for the next one."""
    found = {**remembered(run.profile).by_place, **times_of([run]).by_place}
    write_atomic(cache("took") / f"{run.profile}.json", json.dumps(found, indent=1) + "\n")
