# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py mutate` from the series to the reports."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ci.mutation.hunt import Hunt, MutationFindings
from ci.mutation.model import MutantFate, MutantResult, Mutation
from ci.mutation.mutant_store import MutantStore
from ci.mutation.report import write_reports
from ci.mutation.wish import LineRange, chosen
from ci.plan.plan import Plan
from ci.plan.variants import Variants, prepare_variants
from ci.run.tasks.executor import Executor
from configs import host as tools
from kernels.mutants.find import interleaved, mutants
from kernels.mutants.mutant import Mutant
from kernels.patches.added import Added, added_lines
from kernels.source.store import Store
from testcases.registry import package_files
from util.errors import UserError
from util.events import Event, Listener, Phase
from util.paths import version
from util.stop import Stop, Stopped
from util.text import counted


@dataclass(frozen=True, slots=True)
class MutationWish:
    """`budget` in seconds, None for as long as it takes; `parts` empty for all that the series adds."""

    parts: tuple[LineRange, ...] = ()
    budget: float | None = None


def mutate(
    plan: Plan, wish: MutationWish, folder: Path, command: Sequence[str], emit: Listener, stop: Stop
) -> Mutation:
    """Tries every mutant of the series' added lines. The reports are in `folder` when it returns; an interruption is
    no error. Raises UserError and MachineError."""
    started, clock = datetime.now(UTC), time.monotonic()
    if plan.profile.series == "none":
        raise UserError("mutate changes the lines that a series adds, and there is no series: name one by --series")
    if not plan.profile.suites:
        raise UserError("mutate needs suites that run in a guest: name some by --suite, for example boot")
    suites = package_files(choice.name for choice in plan.profile.suites)
    tools.require([target.arch.name for target in plan.targets], tools.NEEDS, suites)
    store = Store()
    variants = prepare_variants(plan, store, emit, stop, leave_out=[folder])
    judged = variants.judged
    blank = Mutation(
        rig_version=version(), started=started, command=tuple(command), source=variants.source.title,
        series=judged.series.title if judged.series else "", lines=0,
        archs=tuple(target.arch.name for target in plan.targets),
    )  # fmt: skip
    if judged.applied.failure:
        return _report(blank.model_copy(update={"failure": str(judged.applied.failure)}), folder, clock)
    added = added_lines(store, variants.base.applied.commit, judged.applied.commit)
    wanted = chosen(added, wish.parts)
    every = find(store, judged.applied.commit, added)
    # By its first line, as reports name it: a fault of several lines would not be in one of them alone.
    found = [mutant for mutant in every if mutant.line in wanted.get(mutant.path, {})]
    if not found:
        raise UserError(_NO_FAULT)
    blank = blank.model_copy(update={"lines": sum(map(len, added.values()))})
    until = clock + wish.budget if wish.budget is not None else float("inf")
    return _report(_hunted(plan, variants, store, found, every, folder, until, blank, emit, stop), folder, clock)


def find(store: Store, commit: str, added: Added) -> list[Mutant]:
    """The mutants in the order in which they are tried. Raises UserError where there is none."""
    files = {path: (store.blob(commit, path) or b"").decode("utf-8", "surrogateescape") for path in added}
    every = interleaved([mutant for path, text in sorted(files.items()) for mutant in mutants(path, text, added[path])])
    if not every:
        raise UserError(_NO_FAULT)
    return every


_NO_FAULT = "in these lines there is no C code that the series adds, into which a fault can be put"


def _hunted(
    plan: Plan, variants: Variants, store: Store, mutants: Sequence[Mutant], every: Sequence[Mutant], folder: Path,
    until: float, blank: Mutation, emit: Listener, stop: Stop,
) -> Mutation:  # fmt: skip
    alone = replace(plan, variants=(variants.judged.choice,), static=())
    variants = replace(variants, all=(variants.judged,))
    found, failures, whole = MutationFindings(), [], False
    files = counted(len({item.path for item in mutants}), "file")
    emit(Event("mutants", Phase.NOTE, f"{counted(len(mutants), 'mutant')} of {files}"))
    if plan.test:
        found.note(f"only tests that --test {plan.test} names were asked")
    with Executor(alone, variants, store, folder, emit, stop) as executor:
        try:
            executor.prepare()
            records = MutantStore(fresh=plan.fresh)
            for flavour in alone.profile.flavours:
                for target in alone.targets:
                    left = [item for item in mutants if not _killed(found.results.get(item.name))]
                    hunt = Hunt(executor, target, flavour, alone.cells(), records, found, until)
                    failures += [text for text in [hunt.go(left, every)] if text]
            whole = True
        except Stopped:
            emit(Event("mutants", Phase.NOTE, "interrupted; what was found out is reported, and the next run goes on"))
    return blank.model_copy(
        update={
            "mutants": tuple(_result(item, found) for item in sorted(mutants, key=lambda item: item.name)),
            "suites": tuple(sorted(found.suites.items())),
            "notes": tuple(found.notes),
            "failure": "; ".join(failures),
            "interrupted": not whole,
        }
    )


def _killed(result: MutantResult | None) -> bool:
    return result is not None and result.fate is MutantFate.KILLED


def _result(mutant: Mutant, found: MutationFindings) -> MutantResult:
    return found.results.get(mutant.name) or MutantResult(
        name=mutant.name, path=mutant.path, line=mutant.line, kind=mutant.kind, function=mutant.function.name,
        patch=mutant.patch, diff=mutant.diff, fate=MutantFate.NOT_TRIED, message="the run ended before",
    )  # fmt: skip


def _report(made: Mutation, folder: Path, clock: float) -> Mutation:
    made = made.model_copy(update={"seconds": round(time.monotonic() - clock, 1)})
    write_reports(made, folder)
    return made
