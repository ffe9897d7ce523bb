# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py bench`: the benchmarks of a profile alone, once or twice, and the reports on their figures."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from ci.model.results import Run, first_runs
from ci.model.verdicts import Effect
from ci.plan.plan import Plan
from ci.report.output import AGAIN, BENCH_TABLE, write_page
from ci.run.check import check
from ci.text.bench_table import tables
from ci.text.changes import of_guests
from ci.verdict.figures.explain import lines as explained_lines
from configs.model import Profile
from configs.names import BENCHMARK
from configs.result import Cell
from testcases.benchmark import topics
from testcases.benchmark.topic import find_topic
from util.events import Listener
from util.files.atomic import write_atomic
from util.stop import Stop


@dataclass(frozen=True, slots=True)
class BenchResult:
    """`run` is the first run, `second` the digest of the other one, empty without it; `differences` one line for each
    figure that was not the same in both, `unanswered` the globs of the plan's `explain` that name no figure."""

    run: Run
    text: str
    digest: str
    second: str = ""
    differences: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[str, ...]:
        """One line for each budget that is broken, and whatever else counts in the verdict."""
        counted = (item for item in self.run.comparisons if item.effect is not Effect.NONE)
        return tuple(
            f"{item.verdict}: {item.cell.arch} {item.cell.abi} {item.test}: {item.message}" for item in counted
        )

    @property
    def explained(self) -> tuple[str, ...]:
        """What was explained, function by function."""
        return tuple(explained_lines(self.run, self.run.explanations))

    def lines(self) -> Iterator[str]:
        """The text for the terminal; its last line is the verdict."""
        yield self.text
        yield f"digest of all figures: {self.digest}{f' and again {self.second}' if self.second else ''}"
        yield from (f"not the same twice: {difference}" for difference in self.differences)
        yield from (f"{cell.arch} {cell.abi} {cell.suite}: {text}" for cell, text in of_guests(self.run).items())
        yield from self.explained
        yield from (f"--explain {glob}: no figure in instructions has this name" for glob in self.unanswered)
        yield from self.findings
        yield f"{self.run.verdict}: {self.run.summary}"


def bench_suites(profile: Profile) -> tuple[str, ...]:
    """The benchmarks that the profile names, or else all there are."""
    named = tuple(suite.name for suite in profile.suites if suite.name.startswith(BENCHMARK))
    return named or tuple(BENCHMARK + topic for topic in topics())


def bench(plan: Plan, folder: Path, twice: bool, command: Sequence[str], emit: Listener, stop: Stop) -> BenchResult:
    """Runs the plan, which holds benchmarks only, and writes table and plots beside the other reports.

    With `twice` every guest runs again, from nothing, into `folder/again`. Raises as `check` does.
    """
    run = check(plan, folder, command, emit, stop)
    text = "\n".join(tables(run))
    write_atomic(folder / BENCH_TABLE, text)
    for suite in {cell.cell.suite for cell in first_runs(run)}:
        _plot(run, suite, folder)
    write_page(run, folder)  # again, with the plots
    if not twice or stop.is_set():
        return BenchResult(run, text, digest(run), unanswered=_unanswered(run, plan))
    again = check(replace(plan, fresh=True), folder / AGAIN, command, emit, stop)
    return BenchResult(run, text, digest(run), digest(again), differences(run, again), _unanswered(run, plan))


def _unanswered(run: Run, plan: Plan) -> tuple[str, ...]:
    names = [item.figure for item in run.explanations]
    return tuple(glob for glob in plan.explain if not any(fnmatchcase(name, glob) for name in names))


def _plot(run: Run, suite: str, folder: Path) -> None:
    from ci.report.bench_plot import write_plots

    write_plots(run, suite, find_topic(suite.removeprefix(BENCHMARK)).plots(), folder)


def figures(run: Run) -> dict[tuple[Cell, str], str]:
    """Every figure of the first runs by cell and `<test>/<figure>`, with its unit; of a test without, its status."""
    found = {}
    for cell in first_runs(run):
        for test in cell.tests:
            for figure in test.figures:
                found[cell.cell, f"{test.name}/{figure.name}"] = f"{figure.value} {figure.unit}"
            if test.name.count("/") and not test.figures and not test.name.startswith(("guest/", BENCHMARK)):
                found[cell.cell, test.name] = str(test.status)
    return found


def digest(run: Run) -> str:
    """Hexadecimal name of all figures: the same for two runs if, and only if, each figure is."""
    lines = sorted(f"{cell} {name} {value}\n" for (cell, name), value in figures(run).items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def differences(run: Run, again: Run) -> tuple[str, ...]:
    """One line for each figure that is not the same in both."""
    one, other = figures(run), figures(again)
    keys = [key for key in dict.fromkeys((*one, *other)) if one.get(key) != other.get(key)]
    return tuple(f"{cell} {name}: {_said(one, cell, name)} and then {_said(other, cell, name)}" for cell, name in keys)


def _said(found: Mapping[tuple[Cell, str], str], cell: Cell, name: str) -> str:
    return found.get((cell, name), "nothing")
