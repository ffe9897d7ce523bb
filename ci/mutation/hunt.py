# SPDX-License-Identifier: GPL-2.0-or-later
"""The mutants of one architecture, from the compiler to the last guest."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ci.mutation.judge_cells import JudgeCell, JudgeOrder, ask, qualify
from ci.mutation.kernels import Compiler, Screened, Switched, compiler, kernel, screen, switched
from ci.mutation.model import MutantFate, MutantResult
from ci.mutation.mutant_store import MutantStore
from ci.plan.plan import ArchTarget
from ci.run.tasks.executor import Executor
from configs.result import Cell
from kernels.build.build import Build
from kernels.mutants.mutant import Mutant
from util.events import Event, Phase
from util.text import counted, duration

_STEP = "mutants"


@dataclass(slots=True)
class MutationFindings:
    """What a run found out so far, by the mutants' names; filled by many threads. `suites` has the cells that judge."""

    results: dict[str, MutantResult] = field(default_factory=dict)
    suites: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


class Hunt:
    """The mutants that are not killed yet, on one architecture and flavour."""

    def __init__(
        self, executor: Executor, target: ArchTarget, flavour: str, cells: Sequence[Cell], records: MutantStore,
        found: MutationFindings, until: float,
    ) -> None:  # fmt: skip
        """`until` is the moment (monotonic) at which no further mutant is begun."""
        self._executor, self._context = executor, executor.context
        self._arch, self._flavour = target.arch.name, flavour
        self._cells = [cell for cell in cells if cell.arch == self._arch and cell.flavour == flavour]
        self._records, self._found, self._until = records, found, until
        self._build = executor.build_of(self._arch, flavour, objects=True)
        self._lock = threading.Lock()
        self._done, self._total, self._begun = 0, 0, 0.0

    def go(self, mutants: Sequence[Mutant], every: Sequence[Mutant]) -> str:
        """Tries `mutants`, which are some of `every`, all of the series. Returns why none could be tried where the
        kernel is to blame, else nothing."""
        if not self._build.ok:
            return f"{self._arch}: the kernel does not build without a fault: {self._build.failure}"
        with compiler(self._build, self._executor.judged_tree(), self._context, self._records) as beside:
            viable = self._screened(mutants, beside)
            if not viable:
                return ""
            request = self._executor.request_for(self._arch, self._flavour)
            family = self._family(viable, every, beside)
            together = switched(family, beside, request, self._build, self._context)
        judges = self._judges(together)
        if not judges:
            return f"{self._arch}: no suite can judge a mutant: {'; '.join(self._found.notes)}"
        self._try(viable, together, judges)
        return ""

    # What the compiler says ----------------------------------------------------------------------------------------

    def _screened(self, mutants: Sequence[Mutant], beside: Compiler) -> list[Screened]:
        """Those that do something else than the original and than each other."""
        viable = []
        for mutant, item, fate, why in sorted_out(mutants, screen(mutants, beside, self._context, self._arch)):
            if item is None or fate is not None:
                self._put(mutant, fate or MutantFate.NO_COMPILE, why)
            else:
                viable.append(item)
        return viable

    @staticmethod
    def _family(viable: Sequence[Screened], every: Sequence[Mutant], beside: Compiler) -> list[Mutant]:
        """Which mutants stand in the kernel. An earlier run that looked at the whole series has left one that holds all
        of them: a few are tried again on that one, and none is built."""
        known = [beside.known(mutant) for mutant in every]
        if any(item is None for item in known):
            return [item.mutant for item in viable]
        names = {item.mutant.name for item in viable}
        whole = [mutant for mutant, _item, fate, _why in sorted_out(every, known) if fate is None]
        return whole if names <= {mutant.name for mutant in whole} else [item.mutant for item in viable]

    # The judges ----------------------------------------------------------------------------------------------------

    def _judges(self, together: Switched | None) -> list[JudgeCell]:
        build = together.build if together else self._build
        futures = [self._context.tasks.start(self._judge, cell, build) for cell in self._cells]
        self._context.emit(
            Event(_STEP, Phase.NOTE, f"{counted(len(self._cells), 'cell')} on {self._arch} without a fault first")
        )
        made = [future.result() for future in futures]
        for item in made:
            if isinstance(item, str):
                self._found.note(f"{self._arch} {item}")
        by_key = {item.key: item for item in reversed(made) if isinstance(item, JudgeCell)}
        judges = [item for item in made if isinstance(item, JudgeCell) and by_key[item.key] is item]
        self._found.suites |= {f"{self._arch} {item.name}": round(item.seconds, 1) for item in judges}
        return judges

    def _judge(self, cell: Cell, build: Build) -> JudgeCell | str:
        guest = self._executor.guest_of(cell)
        if isinstance(guest, str):
            return f"{cell.abi} {cell.suite}: no use here: {guest}"
        return qualify(cell, guest, build, self._context, self._records)

    # The guests ----------------------------------------------------------------------------------------------------

    def _try(self, viable: Iterable[Screened], together: Switched | None, judges: Sequence[JudgeCell]) -> None:
        waiting = deque(viable)
        self._total, self._begun = len(waiting), time.monotonic()
        order = JudgeOrder(judges)
        tasks = self._context.tasks
        workers = [tasks.start(self._work, waiting, together, order) for _ in range(self._context.plan.jobs)]
        for worker in workers:
            worker.result()
        for item in waiting:
            self._put(item.mutant, MutantFate.NOT_TRIED, "the time limit came first")

    def _work(self, waiting: deque[Screened], together: Switched | None, order: JudgeOrder) -> None:
        while time.monotonic() < self._until:
            self._context.stop.check()
            with suppress(IndexError):
                item = waiting.popleft()
                self._one(item, together, order)
                self._progress()
                continue
            return

    def _one(self, item: Screened, together: Switched | None, order: JudgeOrder) -> None:
        started = time.monotonic()
        known = self._records.answers(self._build.key, item.target, self._code(item))
        judges = order.now(item.mutant.function.name)
        for judge in judges:
            if (answer := known.get(judge.key)) and answer.killer:
                killer = f"{judge.name} {answer.killer}"
                self._put(item.mutant, MutantFate.KILLED, answer.message, killer, cached=True)
                return
        left = [judge for judge in judges if judge.key not in known]
        if not left:
            self._put(item.mutant, MutantFate.SURVIVED, cached=True)
            return
        build, number = self._kernel(item, together)
        if not build.ok:
            self._put(item.mutant, MutantFate.NO_COMPILE, build.failure, seconds=time.monotonic() - started)
            return
        fate, killer, message = MutantFate.SURVIVED, "", ""
        for judge in left:
            if time.monotonic() >= self._until:
                fate, message = MutantFate.NOT_TRIED, "the time limit came first"
                break
            answer = ask(judge, build, number, self._context)
            if answer is None:
                fate, message = MutantFate.UNKNOWN, f"{judge.name}: the machine could not say"
                continue
            order.note(judge, item.mutant.function.name, bool(answer.killer))
            self._records.keep_answer(self._build.key, item.target, self._code(item), judge.key, answer)
            if answer.killer:
                fate, killer, message = MutantFate.KILLED, f"{judge.name} {answer.killer}", answer.message
                break
        self._put(item.mutant, fate, message, killer, time.monotonic() - started)

    def _kernel(self, item: Screened, together: Switched | None) -> tuple[Build, int]:
        """The kernel in which the mutant stands, and its number there; 0 in a kernel of its own."""
        if together and item.mutant.name in together.numbers:
            return together.build, together.numbers[item.mutant.name]
        request = self._executor.request_for(self._arch, self._flavour)
        files = {item.mutant.path: item.mutant.text}
        return kernel(files, request, self._build, self._context, f"mutant {item.mutant.name}"), 0

    @staticmethod
    def _code(item: Screened) -> str:
        """Names what is tried: the object's code, or where one object does not show all of it, the file."""
        return item.mutant.digest if item.mutant.path.endswith(".h") else item.compiled.digest

    def _put(
        self, mutant: Mutant, fate: MutantFate, message: str = "", killer: str = "", seconds: float = 0.0,
        cached: bool = False,
    ) -> None:  # fmt: skip
        result = MutantResult(
            name=mutant.name, path=mutant.path, line=mutant.line, kind=mutant.kind, function=mutant.function.name,
            patch=mutant.patch, diff=mutant.diff, fate=fate, arch=self._arch, killer=killer, message=message,
            seconds=round(seconds, 2), cached=cached,
        )  # fmt: skip
        with self._lock:
            known = self._found.results.get(mutant.name)
            if known is None or _WEIGHT[fate] > _WEIGHT[known.fate]:
                self._found.results[mutant.name] = result

    def _progress(self) -> None:
        with self._lock:
            self._done += 1
            now, known = time.monotonic(), list(self._found.results.values())
            # What an earlier run had found out says nothing of how long the others take.
            tried = self._done - sum(item.cached for item in known)
            each = (now - self._begun) / max(1, tried)
            left = min(each * (self._total - self._done), self._until - now)
            fates = [item.fate for item in known]
        killed, survived = fates.count(MutantFate.KILLED), fates.count(MutantFate.SURVIVED)
        text = f"{killed} killed, {survived} survived{f', about {duration(left)} left' if tried > 0 else ''}"
        self._context.emit(Event(_STEP, Phase.PROGRESS, text, self._done, self._total, "mutants"))


def sorted_out(
    mutants: Sequence[Mutant], made: Sequence[Screened | None]
) -> Iterator[tuple[Mutant, Screened | None, MutantFate | None, str]]:
    """(mutant, what the compiler made of it, why it does not count, in words) of each; the fate is None where the
    mutant is one to try."""
    twins: dict[tuple[str, str], Mutant] = {}
    for mutant, item in zip(mutants, made, strict=True):
        if item is None:
            yield mutant, item, MutantFate.NO_COMPILE, "no configuration of this run compiles the file"
        elif item.compiled.error:
            yield mutant, item, MutantFate.NO_COMPILE, item.compiled.error
        elif mutant.path.endswith(".h"):
            yield mutant, item, None, ""  # one object of several: that it is the same proves nothing
        elif item.compiled.digest == item.original:
            yield mutant, item, MutantFate.EQUIVALENT, "the same object code as without the fault"
        elif twin := twins.get((item.target, item.compiled.digest)):
            yield mutant, item, MutantFate.DUPLICATE, f"the same object code as {twin.name}"
        else:
            twins[item.target, item.compiled.digest] = mutant
            yield mutant, item, None, ""


_WEIGHT = {fate: weight for weight, fate in enumerate((
    MutantFate.NO_COMPILE, MutantFate.EQUIVALENT, MutantFate.DUPLICATE, MutantFate.NOT_TRIED, MutantFate.UNKNOWN,
    MutantFate.SURVIVED, MutantFate.KILLED,
))}  # fmt: skip
"""Of two architectures' answers the heavier one is the mutant's."""
