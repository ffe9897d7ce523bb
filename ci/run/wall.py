# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py wall`: the benchmarks in nanoseconds, base and judged variant in turn, in guests with the host's own clock.

The result is information only and no verdict depends on it; budgets are set on the exact figures of `rig.py bench`.
"""

import secrets
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ci.cells.further.wall_cell import Rounds
from ci.model.results import Run
from ci.model.verdicts import RunVerdict
from ci.plan.expand import expanded
from ci.plan.plan import Plan
from ci.plan.variants import prepare_variants
from ci.report import output
from ci.report.formats import json_report
from ci.report.unfinished import begin
from ci.run import to_model as records
from ci.run.tasks.executor import Executor
from ci.text.wall_table import tables
from ci.verdict.conclude import conclude
from configs import host as tools
from guests.host.host import Host
from kernels.source.store import Store
from testcases.registry import package_files
from util.errors import UserError
from util.events import Event, Listener, Phase
from util.files.atomic import write_atomic
from util.stop import Stop, Stopped


def rounds_of(count: int, seed: int | None) -> Rounds:
    """With a seed that is drawn where none is given."""
    return Rounds(count, secrets.randbelow(1_000_000) if seed is None else seed)


def wall(
    plan: Plan, host: Host, rounds: Rounds, folder: Path, command: Sequence[str], emit: Listener, stop: Stop
) -> Run:
    """The whole of `rig.py wall`; results.json, the page and the table are in `folder` when it returns.

    An interruption is no error: the rounds that are whole are reported, and `stop` is set. A suite that cannot be made
    is one ERROR for each of its cells. Raises UserError, MachineError, and Stopped before the first build.
    """
    if len(plan.variants) < 2:
        raise UserError("wall time compares two variants, and there is no series; give one with --series")
    started, clock = datetime.now(UTC), time.monotonic()
    begin(folder)
    suites = package_files(choice.name for choice in plan.profile.suites)
    tools.require([target.arch.name for target in plan.targets], tools.NEEDS, suites)
    store = Store()
    variants = prepare_variants(plan, store, emit, stop, leave_out=[folder])
    run = records.new_run(plan, variants, started, command, host)
    if not any(variant.applied.failure for variant in variants.all):
        plan = expanded(plan, variants, store, emit, stop)
        with Executor(plan, variants, store, folder, emit, stop, host) as executor:
            try:
                executor.prepare(wall=True)
                executor.wall_times.measure(rounds)
            except Stopped:
                emit(Event("wall", Phase.NOTE, "interrupted; the rounds that are whole are reported"))
            builds = records.build_results(executor.kernels(), folder)
            results = {"cells": tuple(executor.wall_times.unmeasured()), "wall": tuple(executor.wall_times.measured())}
            run = run.model_copy(update={"builds": builds, **results})
    run = concluded(run).model_copy(update={"seconds": round(time.monotonic() - clock, 1)})
    write_atomic(folder / output.WALL_TABLE, "\n".join(tables(run)))
    output.write_page(run, folder)
    write_atomic(folder / output.RESULTS, json_report.dump(run))
    return run


def concluded(run: Run) -> Run:
    """The verdict is about what had to be built and whether each guest came to its end, never about a figure."""
    run = conclude(run)
    shown = Counter(str(row.shown) for wall in run.wall for row in wall.rows)
    problems = [problem for wall in run.wall for problem in wall.problems]
    words = [", ".join(f"{count} {word}" for word, count in shown.items())] if shown else []
    verdict = RunVerdict.UNKNOWN if problems and run.verdict is RunVerdict.PASS else run.verdict
    return run.model_copy(
        update={
            "summary": "; ".join((*problems[:1], *words, run.summary)),
            "verdict": verdict,
            "exit_code": verdict.exit_code,
        }
    )
