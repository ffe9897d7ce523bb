# SPDX-License-Identifier: GPL-2.0-only
"""What speaks for a finding: the run in which it showed, the test's own words, trace, console and how to repeat it."""

from collections.abc import Iterator
from dataclasses import dataclass

from ci.commands import paste
from ci.compare_builds import BUILD, SERIES
from ci.results import FAULT, BuildResult, CellResult, Comparison, Fault, Run
from configs.result import Status, TestResult

_TRACE = 12


@dataclass(frozen=True, slots=True)
class Evidence:
    """`text` is for a log or a report; `trace` the decoded `file:line` list; `commands` repeat the finding by hand."""

    test: TestResult | None
    run: CellResult | None
    trace: tuple[str, ...]
    text: str
    commands: tuple[tuple[str, ...], ...]


def evidence(run: Run, item: Comparison) -> Evidence:
    """All that the run holds about one comparison; much of it is empty where nothing went wrong."""
    if item.cell.suite == SERIES:
        return _of_series(run, item)
    if item.cell.suite == BUILD:
        return _of_build(run, item)
    return _of_cell(run, item)


def _of_series(run: Run, item: Comparison) -> Evidence:
    failure = next((side.failure for side in run.variants if side.name == item.cell.variant), None)
    text = f"{failure.message}\n" if failure else ""
    return Evidence(None, None, (), text, (run.command,) if failure and run.command else ())


def _of_build(run: Run, item: Comparison) -> Evidence:
    build = next((found for found in run.builds if _is_of(found, item)), None)
    if build is None:
        return Evidence(None, None, (), "", ())
    parts = [*build.log_tail, *([f"complete log: {build.log}"] if build.log else [])]
    return Evidence(None, None, (), "\n".join(parts), build.commands)


def _is_of(build: BuildResult, item: Comparison) -> bool:
    cell = item.cell
    return (build.variant, build.arch, build.flavour) == (cell.variant, cell.arch, cell.flavour)


def _of_cell(run: Run, item: Comparison) -> Evidence:
    found = [result for result in run.cells if result.cell == item.cell and not result.suite_variant]
    pairs = [(_find(result, item.test), result) for result in found]
    worst = [pair for pair in pairs if pair[0] and pair[0].status is Status.FAIL]
    # a test that was not reached has no line of its own; the guest that fell over before it is the evidence
    test, result = next(iter((*worst, *(pair for pair in pairs if not _good(pair[0])), *pairs)), (None, None))
    if result is None:
        return Evidence(None, None, (), "", ())
    fault = _fault(result, item.test)
    commands = tuple(command for command in (result.reproduce, result.command) if command)
    return Evidence(test, result, fault.trace if fault else (), "\n".join(_cell_lines(test, result, fault)), commands)


def _good(test: TestResult | None) -> bool:
    return test is not None and test.status is Status.PASS


def _find(result: CellResult, name: str) -> TestResult | None:
    return next((test for test in result.tests if test.name == name), None)


def _fault(result: CellResult, name: str) -> Fault | None:
    """The fault that the test names; otherwise a fatal one, which explains whatever came after it."""
    if name.startswith(FAULT):
        return next((fault for fault in result.faults if FAULT + fault.title == name), None)
    return next((fault for fault in result.faults if fault.fatal), None)


def _cell_lines(test: TestResult | None, result: CellResult, fault: Fault | None) -> Iterator[str]:
    if test and test.output:
        yield from ("--- output of the test", test.output.rstrip("\n"))
    if fault:
        yield from (f"--- {fault.kind}: {fault.title}", *fault.lines)
        if fault.trace:
            yield from ("--- decoded trace", *fault.trace)
    if not _good(test) and result.console_tail:
        yield from ("--- end of the console", *result.console_tail)
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
