# SPDX-License-Identifier: GPL-2.0-or-later
"""The evidence for a finding: the run in which it appeared, the test's output, trace, console, and the commands that
repeat it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ci.model.results import Run
from ci.model.stages import END, FAULT, BuildResult, CellResult
from ci.model.verdicts import Comparison, Effect
from ci.verdict.compare.builds import BUILD, KERNEL, SERIES
from ci.verdict.figures.budget import PREFIX
from ci.verdict.figures.explain import lines as explained_lines
from ci.verdict.figures.explain import of_budget
from configs.names import STATIC
from configs.result import Cell, Status, TestResult
from guests.crash.outcome import Fault
from util.text import paste

_TRACE = 12


@dataclass(frozen=True, slots=True)
class Evidence:
    """`text` is for a log or a report; `trace` the decoded `file:line` list; `commands` repeat the finding by hand;
    `seconds` is what the test or the build took."""

    test: TestResult | None
    run: CellResult | None
    trace: tuple[str, ...]
    text: str
    commands: tuple[tuple[str, ...], ...]
    seconds: float = 0.0


class Witnesses:
    """The results of one run, indexed by cell so that evidence can be looked up."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._cells: dict[Cell, list[_Indexed]] = {}
        for result in run.cells:
            if not result.suite_variant:
                self._cells.setdefault(result.cell, []).append(_Indexed(result, _by_name(result)))
        self._first: dict[_Report, Cell] = {}
        for item in run.comparisons:
            if item.test.startswith(FAULT) and item.effect is not Effect.NONE:
                self._first.setdefault(_report_of(item), item.cell)

    def told_in(self, item: Comparison) -> Cell | None:
        """The cell under which the report that `item` speaks of stands, where that is another one: all ABIs run on one
        kernel, and what it reports in each of them is one finding."""
        first = self._first.get(_report_of(item), item.cell)
        return None if first == item.cell else first

    def of(self, item: Comparison) -> Evidence:
        """All that the run holds about one comparison. No text where it has no effect: there is nothing to prove."""
        if item.cell.suite == SERIES:
            return _of_series(self._run, item)
        if item.cell.suite == BUILD:
            return _of_build(self._run, item)
        found = _of_cell(self._cells.get(item.cell, []), item)
        if first := self.told_in(item):
            return replace(found, trace=(), text=f"the same report as in {first.arch}/{first.abi}/{first.suite}")
        explained = explained_lines(self._run, of_budget(self._run, item))
        return replace(found, text="\n".join((*explained, found.text)))


_Report = tuple[str, str, str, str]
"""What two comparisons share that speak of one report: variant, arch, flavour, name."""


def _report_of(item: Comparison) -> _Report:
    return item.cell.variant, item.cell.arch, item.cell.flavour, item.test


@dataclass(frozen=True, slots=True)
class _Indexed:
    """A result with its tests by name."""

    result: CellResult
    tests: dict[str, TestResult]


def _by_name(result: CellResult) -> dict[str, TestResult]:
    return {test.name: test for test in result.tests}


def _of_series(run: Run, item: Comparison) -> Evidence:
    failure = next((variant.failure for variant in run.variants if variant.name == item.cell.variant), None)
    text = f"{failure.message}\n" if failure else ""
    return Evidence(None, None, (), text, (run.command,) if failure and run.command else ())


def _of_build(run: Run, item: Comparison) -> Evidence:
    build = next((found for found in run.builds if _is_of(found, item)), None)
    if build is None:
        return Evidence(None, None, (), "", ())
    parts = [*build.log_tail, *([f"complete log: {build.log}"] if build.log else [])]
    # A kernel's findings are its warnings and whether it was built; only the latter took the time.
    seconds = build.seconds if item.test == KERNEL else 0.0
    return Evidence(None, None, (), "\n".join(parts), build.commands, seconds)


def _is_of(build: BuildResult, item: Comparison) -> bool:
    cell = item.cell
    return (build.variant, build.arch, build.flavour) == (cell.variant, cell.arch, cell.flavour)


def _of_cell(runs: Sequence[_Indexed], item: Comparison) -> Evidence:
    pairs = [(_test(run.tests, item.test), run.result) for run in runs]
    worst = [pair for pair in pairs if pair[0] and pair[0].status is Status.FAIL]
    # a test that was not reached has no line of its own; the guest that crashed before it is the evidence
    test, result = next(iter((*worst, *(pair for pair in pairs if not _good(pair[0])), *pairs)), (None, None))
    seconds = test.seconds if test else 0.0
    if result is None or item.effect is Effect.NONE:
        return Evidence(test, result, (), "", (), seconds)
    fault = _fault(result, item.test)
    commands = tuple(command for command in (result.reproduce, result.command) if command)
    return Evidence(
        test, result, fault.trace if fault else (), "\n".join(_cell_lines(test, result, fault)), commands, seconds
    )


def _test(tests: dict[str, TestResult], name: str) -> TestResult | None:
    """The test of this name; for a budget the test whose figure it speaks of."""
    if not name.startswith(PREFIX):
        return tests.get(name)
    figure = name.removeprefix(PREFIX)
    fitting = (test for test in tests.values() if figure.startswith(f"{test.name}/"))
    return max(fitting, key=lambda test: len(test.name), default=None)


def _good(test: TestResult | None) -> bool:
    return test is not None and test.status is Status.PASS


def _fault(result: CellResult, name: str) -> Fault | None:
    """The fault that the test names; of the guest's end the fatal one. Other tests have none: a report that the kernel
    made while one of them failed is a finding of its own."""
    if name.startswith(FAULT):
        return next((fault for fault in result.faults if FAULT + fault.title == name), None)
    return next((fault for fault in result.faults if fault.fatal), None) if name == END else None


def _cell_lines(test: TestResult | None, result: CellResult, fault: Fault | None) -> Iterator[str]:
    is_report = test is not None and test.name.startswith(FAULT)
    if test and test.output and not is_report:
        yield from ("--- output of the test", test.output.rstrip("\n"))
    if fault and is_report:
        yield from (f"--- {fault.kind}: {fault.title}", *fault.lines)
    fatal = next((found for found in result.faults if found.fatal), None)
    if fatal and not _good(test) and not is_report:
        yield f"--- the kernel fell over: see {FAULT}{fatal.title}"
    if fault and fault.trace:
        yield from ("--- decoded trace", *fault.trace)
    if result.state:
        yield from ("--- where the processors stood", *result.state)
    if result.notes:
        yield from ("--- notes", *result.notes)
    if (test is None or test.name == END) and not _good(test) and result.console_tail:
        yield from ("--- end of the console", *result.console_tail)
    if result.cell.suite not in STATIC:
        yield f"--- guest ended: {result.end or 'never started'}{': ' if result.message else ''}{result.message}"
        yield f"machine {result.machine or '-'}, accelerator {result.accel or '-'}, {result.seconds:.1f} s"
    if result.console:
        yield f"complete console: {result.console}"
    for command in (result.reproduce, result.command):
        if command:
            yield f"repeat by hand: {paste(command)}"


def trace_lines(found: Evidence) -> tuple[str, ...]:
    """The part of the trace that fits a summary."""
    more = len(found.trace) - _TRACE
    return (*found.trace[:_TRACE], f"and {more} more lines") if more > 0 else found.trace
