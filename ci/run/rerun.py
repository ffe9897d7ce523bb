# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py rerun`: which cells and tests of an earlier run are run again, and what differs from what it said."""

from collections.abc import Iterable, Iterator, Sequence

from ci.model.results import Repeated, RepeatedTest, Run
from ci.model.verdicts import Comparison, Effect
from ci.plan.places import Chosen
from ci.text.cell_text import cells_of, named_cells, nearest_cells
from ci.verdict.compare.builds import BUILD, SERIES
from ci.verdict.test_filter import named, nearest
from configs.names import STATIC
from configs.result import Cell
from util.errors import UserError
from util.text import counted


def choose(run: Run, *, failed: bool, cells: Sequence[str] = (), tests: Sequence[str] = ()) -> Chosen:
    """What is run again: the comparisons to which all of the conditions apply. `failed`: what kept the run from
    passing; `cells` and `tests`: globs, of which one has to fit.

    Nothing where nothing failed. Raises UserError for a glob that names nothing at all.
    """
    known = list(dict.fromkeys((*cells_of(run), *(item.cell for item in run.comparisons))))
    for glob in cells:
        if not named_cells(known, glob):
            raise UserError(f"no cell `{glob}`{nearest_cells(known, glob)}")
    for glob in tests:
        if not any(named(item, glob) for item in run.comparisons):
            raise UserError(f"no test `{glob}`{nearest(glob, (item.test for item in run.comparisons))}")
    items = [item for item in run.comparisons if not failed or item.effect is not Effect.NONE]
    if cells:
        fitting = {cell for glob in cells for cell in named_cells(known, glob)}
        items = [item for item in items if item.cell in fitting or _base_of(item) in fitting]
    if tests:
        items = [item for item in items if any(named(item, glob) for glob in tests)]
    return _wanted(run, items, whole=not failed and not tests)


def _base_of(item: Comparison) -> Cell:
    return _of_variant(item.cell, item.against)


def _of_variant(cell: Cell, variant: str) -> Cell:
    return Cell(variant, cell.arch, cell.abi, cell.flavour, cell.suite)


def _wanted(run: Run, items: Iterable[Comparison], *, whole: bool) -> Chosen:
    """The tests of each cell, none for a cell that has to run whole: because it was named, or because something other
    than a test of its suite is in question."""
    tests_of: dict[Cell, set[str]] = {}
    for result in run.cells:
        own = (test.name for test in result.tests if not test.name.startswith("guest/"))
        tests_of.setdefault(_of_variant(result.cell, ""), set()).update(own)
    found: dict[Cell, tuple[str, ...]] = {}
    entire: set[Cell] = set()
    for item in items:
        cell = _of_variant(item.cell, "")
        if whole or cell.suite in (*STATIC, BUILD, SERIES) or item.test not in tests_of.get(cell, ()):
            entire.add(cell)
        found[cell] = tuple(dict.fromkeys((*found.get(cell, ()), item.test)))
    return {cell: () if cell in entire else tests for cell, tests in found.items()}


def count(chosen: Chosen) -> str:
    """`3 tests of 2 cells`, `2 cells`."""
    cells = counted(len(chosen), "cell")
    tests = sum(map(len, chosen.values()))
    if not tests or not all(chosen.values()):
        return cells
    return f"{counted(tests, 'test')} of {cells}"


def repeated(folder: str, earlier: Run, now: Run, chosen: Chosen, command: Sequence[str], called_in: str) -> Repeated:
    """What `now` has to say of the run that it repeats."""
    return Repeated(
        folder=folder,
        started=earlier.started,
        summary=f"{earlier.verdict}: {earlier.summary}",
        command=tuple(command),
        called_in=called_in,
        moved=tuple(_moved(earlier, now)),
        tests=tuple(_tests(earlier, now, chosen)),
    )


def _tests(earlier: Run, now: Run, chosen: Chosen) -> Iterator[RepeatedTest]:
    """Each test that was to be run again, in the order of the earlier run; then what only this run complains of."""
    said = {(item.cell, item.test): item for item in now.comparisons}
    told = set()
    for item in earlier.comparisons:
        cell = _of_variant(item.cell, "")
        if cell not in chosen or (chosen[cell] and item.test not in chosen[cell]):
            continue
        key = (item.cell, item.test)
        told.add(key)
        yield RepeatedTest(
            cell=item.cell, test=item.test, then=_word(item), now=_word(said[key]) if key in said else ""
        )
    for key, item in said.items():
        if key not in told and item.effect is not Effect.NONE:
            yield RepeatedTest(cell=item.cell, test=item.test, then="", now=_word(item))


def _word(item: Comparison) -> str:
    statuses = "/".join(dict.fromkeys(status.value if status else "absent" for status in item.patched))
    return f"{item.verdict} ({statuses})" if item.verdict else statuses


def _moved(earlier: Run, now: Run) -> Iterator[str]:
    """What the results depend on and is not as it was."""
    yield from _pair("the rig", earlier.rig_version, now.rig_version)
    if earlier.profile_digest != now.profile_digest:
        yield f"the profile {now.profile} is not as it was"
    was, now_is = (f"{run.source.title} ({run.source.commit[:12]})" for run in (earlier, now))
    if earlier.source.tree != now.source.tree:
        yield from _pair("the source", was, now_is)
    yield from _series(earlier, now)
    for what in ("system", "qemu", "guests", "sandbox"):
        yield from _pair(what, getattr(earlier.host, what), getattr(now.host, what))
    for what, then, current in (
        ("the compiler of", earlier.host.compilers, now.host.compilers),
        ("the accelerator of", earlier.host.accel, now.host.accel),
    ):
        for arch in then.keys() & current.keys():
            yield from _pair(f"{what} {arch}", then[arch], current[arch])


def _series(earlier: Run, now: Run) -> Iterator[str]:
    then, current = earlier.series, now.series
    if (then.digest if then else "") == (current.digest if current else ""):
        return
    if not then or not current:
        yield f"the series: {'none' if not then else then.title} then, {'none' if not current else current.title} now"
        return
    known = {patch.patch_id for patch in then.patches}
    other = [str(patch.number) for patch in current.patches if patch.patch_id not in known]
    counts = "" if len(then.patches) == len(current.patches) else f", {counted(len(then.patches), 'patch')} then"
    which = f"patch{'' if len(other) == 1 else 'es'} {', '.join(other)}" if other else "its text or its order"
    yield f"the series {current.origin} changed: {which} of {len(current.patches)}{counts}"


def _pair(what: str, then: str, current: str) -> Iterator[str]:
    if then != current:
        yield f"{what}: {then or 'none'} then, {current or 'none'} now"
