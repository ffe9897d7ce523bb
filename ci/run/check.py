# SPDX-License-Identifier: GPL-2.0-or-later
"""One run from plan to verdict: the variants, the executor, the re-runs, the reports."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ci.cells.further.follow_up import failures_that_hold, first_few
from ci.model.coverage import Coverage
from ci.model.figures import Explanation
from ci.model.results import Run
from ci.model.shard import Shard
from ci.model.verdicts import RunVerdict
from ci.plan.expand import expanded
from ci.plan.places import ShardPlaces, narrowed
from ci.plan.plan import Plan
from ci.plan.variants import Variants, each_patch, prepare_variants
from ci.report import output
from ci.report.unfinished import begin
from ci.run import to_model as records
from ci.run.coverage import measure
from ci.run.settle import Settling
from ci.run.tasks.executor import Executor
from ci.run.tasks.whole import WholeRun, remember, remembered
from ci.verdict.conclude import conclude
from ci.verdict.figures.explain import explanations, questions
from ci.verdict.known import Issue, known_issues
from configs import host as tools
from guests.host.host import LOCAL, Host
from kernels.source.store import Store
from testcases.registry import package_files
from util.events import Event, Listener, Phase
from util.stop import Stop, Stopped
from util.text import counted


def check(
    plan: Plan,
    folder: Path,
    command: Sequence[str],
    emit: Listener,
    stop: Stop,
    host: Host = LOCAL,
    finish: Callable[[Run], Run] = lambda run: run,
    part: ShardPlaces | None = None,
) -> Run:
    """The whole of `rig.py check`, its guests on `host`, or that `part` of it. The reports are in `folder` when it
    returns; `finish` adds to the run before they are written.

    An interruption is no error: what was finished is reported, the verdict cannot be `pass`, and `stop` is set.
    Raises UserError and MachineError; what was finished by then is in `folder` as well.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    begin(folder)
    entire, plan = plan, narrowed(plan, part.places) if part else plan
    require_tools(plan)
    known = known_issues(plan.profile)  # a mistake in them is told before anything takes time
    store = Store()
    variants = prepare_variants(plan, store, emit, stop, leave_out=[folder])
    if plan.each:
        plan, variants = each_patch(plan, variants, store, emit, stop)
    shard = part.shard(entire, variants, folder, known) if part else None
    begun = (started, clock)
    return check_variants(plan, variants, store, folder, command, emit, stop, host, begun, finish, shard)


def require_tools(plan: Plan) -> None:
    """Raises UserError for the programs that the plan needs and this machine lacks."""
    suites = package_files(choice.name for choice in plan.profile.suites)
    tools.require([target.arch.name for target in plan.targets], tools.NEEDS, suites)


def check_variants(
    plan: Plan, variants: Variants, store: Store, folder: Path, command: Sequence[str], emit: Listener, stop: Stop,
    host: Host = LOCAL, begun: tuple[datetime, float] | None = None, finish: Callable[[Run], Run] = lambda run: run,
    shard: Shard | None = None,
) -> Run:  # fmt: skip
    """The same for trees that are there already; `folder` is ready for a run (`ci.report.unfinished.begin`). `begun` is
    when the run began, by the calendar and by the monotonic clock; absent: now. `shard` says which part of a plan it
    is."""
    started, clock = begun or (datetime.now(UTC), time.monotonic())
    known = known_issues(plan.profile)
    plan = expanded(plan, variants, store, emit, stop)
    run = records.new_run(plan, variants, started, command, host).model_copy(update={"shard": shard})
    if any(variant.applied.failure for variant in variants.all):
        run = conclude(_came_to_its_end(run), known, test=plan.test)  # no figures yet, so no budgets
        return _report(finish(run), folder, clock)
    whole = False
    progress = WholeRun(plan, emit, remembered(plan.profile.name))
    with Executor(plan, variants, store, folder, progress.hear, stop, host, progress) as executor:
        try:
            _run_cells(executor, run, plan, known, emit)
            _look_into(executor, run, plan, known, emit)
            run = run.model_copy(update={"explanations": _explain(executor, run, plan, known, emit)})
            run = run.model_copy(update={"coverage": _coverage(executor, plan, folder, emit, stop)})
            run, whole = _came_to_its_end(run), True
        except Stopped:
            emit(Event("check", Phase.NOTE, "interrupted; what was finished is reported"))
        finally:
            progress.over()
            run = run.model_copy(
                update={
                    "builds": records.build_results(executor.kernels(), folder),
                    "cells": tuple(executor.cells()),
                    "findings": executor.findings(),
                    "host": records.host_record(plan, executor.accels(), host),
                }
            )
            run = conclude(run, known, test=plan.test, budgets=plan.profile.budgets)
            run = _report(finish(run if whole else _unfinished(run)), folder, clock)
    remember(run)
    return run


def _run_cells(executor: Executor, run: Run, plan: Plan, known: Sequence[Issue], emit: Listener) -> None:
    """Every cell of the plan with its re-runs; with `--fail-fast` suite by suite, until a verdict fails the run."""
    if not plan.fail_fast:
        executor.first_runs()
        _settle(executor, run, plan, known, emit)
        return
    left = plan.cells()
    executor.first_runs(())
    while left and (so_far := _so_far(executor, run, plan, known)).verdict is not RunVerdict.FAIL:
        now = [cell for cell in left if cell.suite == left[0].suite]
        left = [cell for cell in left if cell not in now]
        executor.first_runs(now)
        _settle(executor, run, plan, known, emit)
    if left:
        emit(Event("check", Phase.NOTE, f"--fail-fast: {so_far.summary}; left out: {counted(len(left), 'cell')}"))
        executor.leave_out(left, "left out by --fail-fast: a verdict that fails the run holds")


def _came_to_its_end(run: Run) -> Run:
    """Says so of a shard: others are joined with it only then as if it were all there."""
    return run.model_copy(update={"shard": run.shard.model_copy(update={"whole": True})}) if run.shard else run


def _unfinished(run: Run) -> Run:
    """What was interrupted, or gave up, cannot pass: perhaps nothing had been started yet that could have failed."""
    if run.verdict is not RunVerdict.PASS:
        return run
    verdict = RunVerdict.UNKNOWN
    summary = f"the run did not come to its end; {run.summary}"
    return run.model_copy(update={"verdict": verdict, "summary": summary, "exit_code": verdict.exit_code})


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
    text = f"tracing {counted(count, 'figure')} of {counted(len(asked), 'cell')}, function by function"
    emit(Event("check", Phase.NOTE, text))
    traced = executor.trace((cell, question.figures) for question in asked for cell in question.cells)
    found = [item for question in asked for item in explanations(run, question, traced)]
    return tuple(item.model_copy(update={"reproduce": plan.explain_command(item.cell, item.figure)}) for item in found)


def _coverage(executor: Executor, plan: Plan, folder: Path, emit: Listener, stop: Stop) -> Coverage | None:
    """Which of the added lines the suites execute, where the plan asks for it."""
    if not plan.coverage:
        return None
    judged = executor.variants.judged.name
    builds = [build for key, build in executor.kernels().items() if key.variant == judged]
    return measure(plan, executor.variants, executor.context.store, builds, folder, emit, stop, executor.host)


def _report(run: Run, folder: Path, clock: float) -> Run:
    run = run.model_copy(update={"seconds": round(time.monotonic() - clock, 1)})
    output.write_reports(run, folder)
    return run


def _settle(executor: Executor, run: Run, plan: Plan, known: Sequence[Issue], emit: Listener) -> None:
    """The re-runs that the profile allows."""

    def so_far() -> Run:
        return _so_far(executor, run, plan, known)

    Settling(executor, run, plan.profile.rerun, so_far, emit).settle()


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
