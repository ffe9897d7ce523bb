# SPDX-License-Identifier: GPL-2.0-or-later
"""`check --coverage`: the judged variant once more, of flavour gcov and with counters in the objects that the series
touches; every suite of the plan under every ABI, and what of the added lines all of them together executed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ci.cells.further.coverage_cell import GuestCounters, count
from ci.model.coverage import AddedLine, Coverage, FileCoverage, LineState
from ci.plan.plan import ArchTarget, Plan
from ci.plan.variants import Variants
from ci.run.tasks.executor import Executor
from configs.names import BENCHMARK
from configs.result import Cell
from guests.host.host import Host
from kernels.build.build import Build
from kernels.build.units import Units
from kernels.coverage.code_lines import code_lines, left_out
from kernels.coverage.gcov import Counts, active_lines, read_counts
from kernels.coverage.instrument import counting_tree
from kernels.patches.added import Added, added_lines
from kernels.patches.apply import Applied
from kernels.source.store import Store
from util.events import Event, Listener, Phase
from util.stop import Stop
from util.text import counted

FLAVOUR = "gcov"
_INCLUDERS = 20
"""Objects that count for the sake of one header: its inline functions are in each object that uses them."""


@dataclass(slots=True)
class _Seen:
    """`counts` of all guests, and the lines that the preprocessor leaves of each file on any architecture."""

    counts: Counts = field(default_factory=dict)
    active: dict[str, set[int]] = field(default_factory=dict)
    cells: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, counts: Counts) -> None:
        for path, lines in counts.items():
            mine = self.counts.setdefault(path, {})
            for line, times in lines.items():
                mine[line] = mine.get(line, 0) + times


def measure(
    plan: Plan, variants: Variants, store: Store, builds: Sequence[Build], folder: Path, emit: Listener, stop: Stop,
    host: Host,
) -> Coverage:  # fmt: skip
    """The coverage of the series' added lines. `builds` are the judged variant's, by whose records the objects are
    found that include a header. Raises UserError, MachineError, Stopped."""
    base, judged = variants.base.applied.commit, variants.judged.applied
    added = added_lines(store, base, judged.commit)
    texts = {path: (store.blob(judged.commit, path) or b"").decode("utf-8", "replace") for path in added}
    targets = _targets(added, texts, builds)
    seen = _Seen()
    if not targets:
        return Coverage(files=_files(added, texts, seen), notes=("the series adds no code of which objects are made",))
    commit, tree = counting_tree(store, judged.tree, targets)
    counting = replace(variants.judged, applied=Applied(commit, tree))
    alone = replace(
        plan, profile=plan.profile.model_copy(update={"flavours": (FLAVOUR,)}), variants=(counting.choice,), static=(),
        each="", part=plan.part and frozenset((arch, abi, FLAVOUR, suite) for arch, abi, _, suite in plan.part),
    )  # fmt: skip
    text = f"lines are counted in {counted(len(targets), 'object')}: {', '.join(targets[:6])}"
    emit(Event("coverage", Phase.NOTE, text))
    with Executor(alone, replace(variants, all=(counting,)), store, folder, emit, stop, host) as executor:
        executor.prepare()
        for target in alone.targets:
            _of_arch(executor, target, alone.cells(), targets, added, seen)
    if plan.test:
        seen.notes.append(f"programs of which no result can answer to --test {plan.test} did not run")
    return Coverage(files=_files(added, texts, seen), cells=tuple(seen.cells), notes=tuple(dict.fromkeys(seen.notes)))


def _targets(added: Added, texts: Mapping[str, str], builds: Sequence[Build]) -> list[str]:
    """The objects that show the added lines that hold code."""
    wanted = [path for path, lines in added.items() if code_lines(texts[path]) & lines.keys()]
    found = {f"{path.removesuffix('.c')}.o" for path in wanted if path.endswith(".c")}
    headers = [path for path in wanted if path.endswith(".h")]
    folders = [build.folder / "objects" for build in builds if build.ok] if headers else []
    for objects in folders:
        units = Units(objects).all if objects.is_dir() else []
        for header in headers:
            including = sorted((unit for unit in units if header in unit.headers), key=lambda unit: len(unit.headers))
            found |= {unit.target for unit in including[:_INCLUDERS]}
    return sorted(found)


def _of_arch(
    executor: Executor, target: ArchTarget, cells: Sequence[Cell], targets: Sequence[str], added: Added, seen: _Seen
) -> None:
    arch, context = target.arch, executor.context
    build = executor.build_of(arch.name, FLAVOUR, objects=True)
    if not build.ok:
        seen.notes.append(f"{arch.name}: the kernel that counts does not build: {build.failure}")
        return
    objects, source = build.folder / "objects", executor.judged_tree()
    units = Units(objects)
    shown = [name for name in targets if (objects / f"{name.removesuffix('.o')}.gcno").is_file()]
    for path in added:
        if unit := units.showing(path):
            active = active_lines(unit, path, objects, source, context.stop)
            seen.active.setdefault(path, set()).update(active)
    mine = [cell for cell in cells if cell.arch == arch.name]
    futures = [(cell, context.tasks.start(_count, executor, cell, shown)) for cell in mine]
    done = [(cell, future.result()) for cell, future in futures]
    for cell, ran in done:
        name = f"{cell.arch} {cell.abi} {cell.suite}"
        if ran.problem:
            seen.notes.append(f"{name}: {ran.problem}")
        for one, data in ran.counters.items():
            try:
                seen.add(read_counts(arch, one, data, objects, source, context.stop))
            except (ValueError, KeyError, TypeError) as error:
                seen.notes.append(f"{name}: {error}")
        if ran.counters:
            seen.cells.append(name)


def _count(executor: Executor, cell: Cell, targets: Sequence[str]) -> GuestCounters:
    if cell.suite.startswith(BENCHMARK):
        return GuestCounters({}, "measures costs; it is not asked what it executes")
    guest = executor.guest_of(cell)
    if isinstance(guest, str):
        return GuestCounters({}, guest)
    return count(guest, targets, executor.context)


def _files(added: Added, texts: Mapping[str, str], seen: _Seen) -> tuple[FileCoverage, ...]:
    return tuple(
        FileCoverage(path=path, lines=tuple(_lines(path, added[path], texts[path], seen))) for path in sorted(added)
    )


def _lines(path: str, added: Mapping[int, int], text: str, seen: _Seen) -> list[AddedLine]:
    rows, code = text.split("\n"), code_lines(text)
    absent = left_out(text, seen.active[path]) if path in seen.active else set(added)
    counts = seen.counts.get(path, {})
    found = []
    for number, patch in sorted(added.items()):
        if number in counts:
            state = LineState.EXECUTED if counts[number] else LineState.MISSED
        elif number in code and number in absent:
            state = LineState.LEFT_OUT
        else:
            state = LineState.NO_CODE
        row = rows[number - 1] if number <= len(rows) else ""
        found.append(AddedLine(number=number, patch=patch, text=row, state=state, count=counts.get(number, 0)))
    return found
