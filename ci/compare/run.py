# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py compare`: a check of every revision against its own base, and one of each revision against the one before.

All of them share the rig's cache, so that a kernel or a guest that one of them needed, or any earlier run, is there for
the others.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ci.compare.answer import CompareAnswer, ComparedRevision, CompareOutcome, RevisionStep
from ci.compare.changes import Runs, changes, coverage_change, outcome, summary
from ci.compare.figures import base_name, columns, rows
from ci.compare.report import files
from ci.compare.revisions import PreparedRevision, between, prepare
from ci.model.results import Run
from ci.plan.plan import Plan
from ci.plan.variants import Variants
from ci.report.unfinished import begin
from ci.run.check import check_variants, require_tools
from guests.host.host import LOCAL, Host
from kernels.mail.thread import ThreadChoice
from kernels.patches.range_diff import AppliedRevision, PatchPair, by_patch_id, range_diff
from kernels.source.store import Store
from util.events import Event, Listener, Phase
from util.paths import version
from util.stop import Stop, Stopped


@dataclass(frozen=True, slots=True)
class CompareQuestion:
    """What is compared: series as `--series` takes them, the oldest first, with the user's names for them or none."""

    plan: Plan
    specs: tuple[str, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Room:
    """What every run of a comparison shares."""

    store: Store
    folder: Path
    command: Sequence[str]
    emit: Listener
    stop: Stop
    host: Host
    choice: ThreadChoice


def compare(
    question: CompareQuestion, folder: Path, command: Sequence[str], emit: Listener, stop: Stop, host: Host = LOCAL
) -> CompareAnswer:
    """The answer, with its reports in `folder`, beside a folder for each run. An interruption is no error: what was
    finished is reported, and the outcome is never `no worse`. Raises UserError and MachineError."""
    started, clock = datetime.now(UTC), time.monotonic()
    files.begin(folder)
    require_tools(question.plan)
    room = _Room(Store(), folder, command, emit, stop, host, question.plan.choice)
    revisions = prepare(question.plan, question.specs, question.names, room.store, folder, emit, stop)
    checks: list[Run] = []
    steps: list[RevisionStep] = []
    try:
        for number, revision in enumerate(revisions):
            emit(Event("compare", Phase.NOTE, f"{revision.name}, {number + 1} of {len(revisions)}: against its base"))
            checks.append(_run(revision.name, revision.plan, revision.variants, room))
            if number:
                steps.append(_step(revisions[number - 1], revision, checks[-2:], room))
    except Stopped:
        pass
    whole = len(steps) == len(revisions) - 1 and not stop.is_set()
    answer = _answer(question, revisions, checks, steps, whole, room)
    answer = answer.model_copy(update={"started": started, "seconds": round(time.monotonic() - clock, 1)})
    files.write(answer, folder)
    return answer


def _run(name: str, plan: Plan, variants: Variants, room: _Room) -> Run:
    """One ordinary run with its reports in a folder of its own. Raises Stopped where it did not come to its end."""
    folder = room.folder / name
    begin(folder)
    run = check_variants(plan, variants, room.store, folder, room.command, room.emit, room.stop, room.host)
    room.stop.check()
    return run


def _step(before: PreparedRevision, after: PreparedRevision, checks: Sequence[Run], room: _Room) -> RevisionStep:
    pairs, notes = _patches(before, after, room)
    same_base = before.variants.source.tree == after.variants.source.tree
    if not same_base:
        titles = (revision.variants.source for revision in (before, after))
        old, new = (f"{source.title} ({source.commit[:12]})" for source in titles)
        notes = (*notes, f"the base is another: {old}, then {new}; costs hold what the bases differ by")
    run, name = None, f"{before.name}-to-{after.name}"
    if not (before.judged.applied.failure or after.judged.applied.failure):
        room.emit(Event("compare", Phase.NOTE, f"{after.name} against {before.name}"))
        run = _run(name, *between(before, after, room.choice), room)
    found = changes(Runs(checks[0], checks[1], run, same_base))
    return RevisionStep(
        before=before.name, after=after.name, patches=pairs, changes=found, outcome=outcome(found),
        summary=summary(found), notes=notes, folder=name if run else "",
        coverage=coverage_change(checks[0].coverage, checks[1].coverage),
    )  # fmt: skip


def _patches(
    before: PreparedRevision, after: PreparedRevision, room: _Room
) -> tuple[tuple[PatchPair, ...], tuple[str, ...]]:
    """The patches side by side, and why git could not pair them."""
    for revision in (before, after):
        if revision.judged.applied.failure:
            pairs = by_patch_id((), before.series.patches, after.series.patches)
            return pairs, (f"{revision.name} does not apply, so that patches are paired by patch-id alone",)
    old, new = (
        AppliedRevision(one.series.patches, one.variants.base.applied.commit, one.judged.applied.commit)
        for one in (before, after)
    )
    return range_diff(room.store, old, new, room.stop), ()


def _answer(
    question: CompareQuestion, revisions: Sequence[PreparedRevision], checks: Sequence[Run],
    steps: Sequence[RevisionStep], whole: bool, room: _Room,
) -> CompareAnswer:  # fmt: skip
    last = steps[-1] if steps else None
    result = last.outcome if last and whole else CompareOutcome.UNKNOWN
    if last and whole:
        text = f"{last.after} against {last.before}: {last.summary}"
    else:
        text = f"interrupted after {len(checks)} of {len(revisions)} revisions"
    found = columns(checks)
    return CompareAnswer(
        rig_version=version(),
        started=datetime.now(UTC),
        command=tuple(room.command),
        profile=question.plan.profile.name,
        host=checks[-1].host if checks else Run.model_fields["host"].default,
        revisions=tuple(_revision(revisions[at], checks, at) for at in range(len(checks))),
        steps=tuple(steps),
        columns=tuple(column.name for column in found),
        figures=rows(found),
        outcome=result,
        summary=text,
        whole=whole,
    )


def _revision(prepared: PreparedRevision, checks: Sequence[Run], at: int) -> ComparedRevision:
    run = checks[at]
    assert run.series is not None
    work = [*(build.cached for build in run.builds), *(cell.cached for cell in run.cells if cell.command)]
    return ComparedRevision(
        name=prepared.name, spec=prepared.spec, series=run.series, source=run.source, base=base_name(checks, at),
        folder=prepared.name, verdict=run.verdict, summary=run.summary, cached=sum(work), made=len(work) - sum(work),
    )  # fmt: skip
