# SPDX-License-Identifier: GPL-2.0-or-later
"""One run from plan to verdict: the variants, the executor, the re-runs, the reports."""

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ci.cells.follow_up import failures_that_hold, first_few
from ci.model.results import CellResult, Explanation, Run
from ci.plan.each import each_patch
from ci.plan.plan import Plan
from ci.plan.variants import prepare_variants
from ci.report import output
from ci.run import to_model as records
from ci.run.executor import Executor
from ci.verdict.compare_cells import compare_boot, compare_cell, needs_rerun
from ci.verdict.conclude import conclude
from ci.verdict.explain import explanations, questions
from ci.verdict.known import Issue, load_known
from configs import host as tools
from configs.result import Cell
from guests.host.host import LOCAL, Host
from kernels.source.store import Store
from testcases.registry import package_files
from util.events import Event, Listener, Phase
from util.stop import Stop, Stopped


def check(plan: Plan, folder: Path, command: Sequence[str], emit: Listener, stop: Stop, host: Host = LOCAL) -> Run:
    """The whole of `rig.py check`, its guests on `host`. The reports are in `folder` when it returns.

    An interruption is no error: what was finished is reported, the verdict cannot be `pass`, and `stop` is set.
    Raises UserError and MachineError; what was finished by then is in `folder` as well.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    suites = package_files(choice.name for choice in plan.profile.suites)
    tools.require([target.arch for target in plan.targets], tools.NEEDS, suites)
    known = load_known(Path(plan.profile.known_issues)) if plan.profile.known_issues else ()
    output.clear(folder)
    store = Store()
    variants = prepare_variants(plan, store, emit, stop, leave_out=[folder])
    if plan.each:
        plan, variants = each_patch(plan, variants, store, emit, stop)
    run = records.new_run(plan, variants, started, command, host)
    if any(variant.applied.failure for variant in variants.all):
        return _report(conclude(run, known, test=plan.test), folder, clock)  # no figures yet, so no budgets
    with Executor(plan, variants, store, folder, emit, stop, host) as executor:
        try:
            executor.first_runs()
            _settle(executor, run, plan, emit)
            _look_into(executor, run, plan, known, emit)
            run = run.model_copy(update={"explanations": _explain(executor, run, plan, known, emit)})
        except Stopped:
            emit(Event("check", Phase.NOTE, "interrupted; what was finished is reported"))
        finally:
            run = run.model_copy(
                update={
                    "builds": records.build_results(executor.kernels(), folder),
                    "cells": tuple(executor.cells()),
                    "findings": executor.findings(),
                    "host": records.host_facts(plan, executor.accels(), host),
                }
            )
            run = _report(conclude(run, known, test=plan.test, budgets=plan.profile.budgets), folder, clock)
    return run


def _so_far(executor: Executor, run: Run, plan: Plan, known: Sequence[Issue]) -> Run:
    """The run with the results of the cells that have finished."""
    run = run.model_copy(update={"cells": tuple(executor.cells())})
    return conclude(run, known, test=plan.test, budgets=plan.profile.budgets)


def _explain(
    executor: Executor, run: Run, plan: Plan, known: Sequence[Issue], emit: Listener
) -> tuple[Explanation, ...]:
    """Traces the guests of figures that broke their budget, and of those that the plan asks for."""
    run = _so_far(executor, run, plan, known)
    asked = questions(run, plan.explain)
    if not asked:
        return ()
    count = sum(len(question.figures) for question in asked)
    emit(Event("check", Phase.NOTE, f"tracing {count} figures of {len(asked)} cells, function by function"))
    traced = executor.trace((cell, question.figures) for question in asked for cell in question.cells)
    found = [item for question in asked for item in explanations(run, question, traced)]
    return tuple(item.model_copy(update={"reproduce": plan.explain_command(item.cell, item.figure)}) for item in found)


def _report(run: Run, folder: Path, clock: float) -> Run:
    run = run.model_copy(update={"seconds": round(time.monotonic() - clock, 1)})
    output.write_reports(run, folder)
    return run


def _settle(executor: Executor, run: Run, plan: Plan, emit: Listener) -> None:
    """Runs both variants of every doubtful cell again, in fresh guests, as often as the profile says."""
    if run.base is None or plan.profile.rerun == 0:
        return
    doubtful = _doubtful(executor.cells(), run)
    if not doubtful:
        return
    emit(
        Event(
            "check", Phase.NOTE, f"{len(doubtful)} cells differ; running both variants {plan.profile.rerun} times more"
        )
    )
    cells = list(dict.fromkeys(cell for pair in doubtful for cell in pair))
    executor.rerun((cell, attempt) for attempt in range(1, plan.profile.rerun + 1) for cell in cells)


def _look_into(executor: Executor, run: Run, plan: Plan, known: Sequence[Issue], emit: Listener) -> None:
    """Lets the suites find out more about what failed, where fresh guests confirmed it."""
    if plan.profile.rerun == 0 or not plan.follow:
        return
    held = failures_that_hold(_so_far(executor, run, plan, known).comparisons)
    if not held:
        return
    chosen = first_few(held)
    several = f"{len(chosen)} of {len(held)} cells" if len(held) > 1 else "the cell"
    emit(Event("check", Phase.NOTE, f"failures hold; looking into {several}, for about a minute"))
    executor.follow_up(chosen)


def _doubtful(results: Iterable[CellResult], run: Run) -> list[tuple[Cell, Cell]]:
    """The pairs (base, judged or between) of cells whose comparison a re-run could change."""
    found = {(result.cell, result.suite_variant): result for result in results}
    pairs = []
    for (cell, suite_variant), result in found.items():
        if cell.variant == run.variants[0].name or suite_variant:
            continue
        base_cell = Cell(run.variants[0].name, cell.arch, cell.abi, cell.flavour, cell.suite)
        base = found[base_cell, ""]
        base_suite = found.get((base_cell, base_cell.variant))
        if cell.variant == run.judged.name or run.each:
            compared = compare_cell([base], [result], [base_suite] if base_suite else None)
        else:
            compared = compare_boot([base], [result])
        if needs_rerun(base, result, compared):
            pairs.append((base_cell, cell))
    return pairs
