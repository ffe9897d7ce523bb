# SPDX-License-Identifier: GPL-2.0-or-later
"""What the compiler says to each mutant on one architecture, and the kernel in which all that it accepts stand."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ci.mutation.mutant_store import MutantStore
from ci.plan.build_tasks import RunContext
from kernels.build.build import Build, KernelRequest, build_kernel
from kernels.build.units import Unit, Units
from kernels.mutants.mutant import Mutant
from kernels.mutants.schema import HOME, fits, schema, with_switch
from kernels.mutants.screen import Compiled, compile_unit
from kernels.source.store import changed_tree
from util.children.tasks import Tasks
from util.errors import MachineError
from util.events import Event, Phase


@dataclass(frozen=True, slots=True)
class Screened:
    """A mutant and the object that shows it: None where this architecture's configuration compiles nothing of it."""

    mutant: Mutant
    target: str
    original: str
    compiled: Compiled


class Compiler:
    """Compiles mutants beside one finished build, of which it keeps a copy: other rigs may clear the cache."""

    def __init__(self, build: Build, copy: Path, source: Path, context: RunContext, records: MutantStore) -> None:
        self._build, self._copy, self._source = build, copy, source
        self._context, self._records = context, records
        self._units = Units(copy)

    def unit(self, path: str) -> Unit | None:
        """What shows a file: its own object, or of those that include a header the one with the fewest others."""
        return self._units.showing(path)

    def original(self, unit: Unit) -> Compiled:
        """Raises MachineError where the file of a finished build does not compile once more."""
        found = self._records.compiled(self._build.key, unit.target) or self._compile(unit, unit.source, None)
        if found.error:
            raise MachineError(f"{unit.source} does not compile beside its own build: {found.error}")
        self._records.keep_compiled(self._build.key, unit.target, found)
        return found

    def screened(self, mutant: Mutant) -> Screened | None:
        """From an earlier run where that is known; None where no object of this build shows the file."""
        unit = self.unit(mutant.path)
        if unit is None:
            return None
        known = self._records.compiled(self._build.key, mutant.digest)
        found = known or self._compile(unit, mutant.path, mutant.text)
        if known is None:
            self._records.keep_compiled(self._build.key, mutant.digest, found)
        return Screened(mutant, unit.target, self.original(unit).digest, found)

    def known(self, mutant: Mutant) -> Screened | None:
        """What an earlier run found out; None where that is not known, or no object of this build shows the file."""
        unit = self.unit(mutant.path)
        found = self._records.compiled(self._build.key, mutant.digest) if unit else None
        return Screened(mutant, unit.target, self.original(unit).digest, found) if unit and found else None

    def accepts(self, path: str, text: str) -> bool:
        """Whether the file compiles with this content."""
        unit = self.unit(path)
        return unit is not None and not self._compile(unit, path, text).error

    def _compile(self, unit: Unit, path: str, text: str | None) -> Compiled:
        context = self._context
        with context.jobserver.token(context.stop):
            return compile_unit(unit, path, text, self._copy, self._source, context.stop)


@contextmanager
def compiler(build: Build, source: Path, context: RunContext, records: MutantStore) -> Iterator[Compiler]:
    """For a build that still has its objects. Raises MachineError where builds keep none."""
    objects = build.folder / "objects"
    if not objects.is_dir():
        raise MachineError(
            "mutants are compiled beside the kernel's own objects, which only builds in bubblewrap keep"
            f" (this one ran in {build.sandbox}): see `./rig.py doctor`"
        )
    with tempfile.TemporaryDirectory(prefix="rig-mutants-") as name:
        copy = Path(name) / "objects"
        shutil.copytree(objects, copy, symlinks=True, ignore=shutil.ignore_patterns("*.o", "*.a", "*.ko", "vmlinux*"))
        yield Compiler(build, copy, source, context, records)


def screen(found: Iterable[Mutant], compiler: Compiler, context: RunContext, arch: str) -> list[Screened | None]:
    """All of them, several at a time, in their order."""
    found = list(found)
    step = f"compile {arch} mutants"
    done = 0

    def one(mutant: Mutant) -> Screened | None:
        nonlocal done
        made = compiler.screened(mutant)
        done += 1
        context.emit(Event(step, Phase.PROGRESS, "", done, len(found), "mutants"))
        return made

    context.emit(Event(step, Phase.START, total=len(found), unit="mutants"))
    with Tasks(context.stop) as tasks:
        futures = [tasks.start(one, mutant) for mutant in found]
        tasks.join()
    context.emit(Event(step, Phase.DONE, f"{len(found)} mutants"))
    return [future.result() for future in futures]


@dataclass(frozen=True, slots=True)
class Switched:
    """The kernel with the switch, and the number of each mutant that stands in it, by the mutant's name."""

    build: Build
    numbers: dict[str, int]


def switched(
    found: Sequence[Mutant], compiler: Compiler, request: KernelRequest, wish: Build, context: RunContext
) -> Switched | None:
    """One kernel for all mutants that can stand behind a switch; None where there is none, or it does not build."""
    numbered = list(enumerate((mutant for mutant in found if fits(mutant)), 1))
    by_path: dict[str, list[tuple[int, Mutant]]] = {}
    for number, mutant in numbered:
        by_path.setdefault(mutant.path, []).append((number, mutant))
    good = {path: left for path, group in by_path.items() if (left := _accepted(path, group, compiler))}
    home = context.store.blob(request.tree, HOME)
    if not good or home is None:
        return None
    files = {path: schema(group) for path, group in good.items()}
    build = kernel({**files, HOME: with_switch(home.decode("utf-8", "surrogateescape"))}, request, wish, context)
    if not build.ok:
        context.emit(Event("mutants", Phase.NOTE, f"no kernel holds them all ({build.failure}); one kernel for each"))
        return None
    return Switched(build, {mutant.name: number for group in good.values() for number, mutant in group})


def kernel(files: dict[str, str], request: KernelRequest, wish: Build, context: RunContext, label: str = "") -> Build:
    """The kernel of `request` with these files changed."""
    commit, tree = changed_tree(context.store, request.tree, files)
    name = f"{request.arch.name} {label or 'mutants'}"
    request = replace(request, commit=commit, tree=tree, label=name)
    return build_kernel(request, context.store, context.jobserver, context.emit, context.stop, wish)


def _accepted(path: str, group: list[tuple[int, Mutant]], compiler: Compiler) -> list[tuple[int, Mutant]]:
    """Those of one file whose functions the compiler takes in copies."""
    if compiler.accepts(path, schema(group)):
        return group
    by_function: dict[int, list[tuple[int, Mutant]]] = {}
    for number, mutant in group:
        by_function.setdefault(mutant.function.header[0].start, []).append((number, mutant))
    return [item for part in by_function.values() if compiler.accepts(path, schema(part)) for item in part]
