# SPDX-License-Identifier: GPL-2.0-or-later
"""`rig.py bisect`: which history is meant, where its facts are kept, and the reports in the end."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ci.bisect.bisect import Bisection, BisectQuestion
from ci.bisect.facts.oracle import BisectContext, RigOracle
from ci.bisect.facts.state import State, forget, held, remember, state_folder
from ci.bisect.facts.steps import History, git_history, series_history
from ci.bisect.options import OptionSearch, read_lines
from ci.bisect.report import files
from ci.bisect.report.answer import BisectAnswer
from ci.bisect.request import BisectRequest
from ci.plan.plan import Plan
from configs import host as tools
from configs.model import Profile
from guests.host.host import LOCAL, Host
from guests.run.qemu import qemu_version
from kernels.build.make import compiler
from kernels.source.store import Store
from util.errors import UserError
from util.events import Event, Listener, Phase
from util.files.cached import code_digest
from util.stop import Stop, Stopped

CODE = ("configs/archs", "configs/fragments", "initramfs", "guests", "testcases", "ci/bisect")
"""What of the rig itself an answer of an earlier bisection depends on."""


def run_bisection(
    asked: BisectRequest, plan: Plan, folder: Path, fresh: bool, command: Sequence[str], emit: Listener, stop: Stop,
    host: Host = LOCAL,
) -> BisectAnswer:  # fmt: skip
    """The answer, with its reports in `folder`. Raises UserError, MachineError, Stopped; what is known by then is kept,
    and `--resume` goes on."""
    tools.require([target.arch.name for target in plan.targets], tools.NEEDS)
    store = Store()
    asked.git_terms()
    history = None if asked.good_config else _history(asked, plan, store, emit, stop)
    where = state_folder(*_identity(asked, plan, history, host))
    with held(where, fresh, emit, stop) as state:
        remember(where, tuple(word for word in command[2:] if word != "--fresh"), str(Path.cwd()))
        context = BisectContext(plan, asked.sought, store, where, emit, stop, host, asked.fixup)
        try:
            with RigOracle(context) as oracle:
                answer = _search(asked, context, history, state, oracle, tuple(command))
        except Stopped:
            emit(Event("bisect", Phase.NOTE, "what is known is kept; ./rig.py bisect --resume goes on"))
            raise
        except UserError:
            forget(where)  # the same words would end in the same way
            raise
        answer = files.write(answer, folder)
        forget(where)
    return answer


def _search(
    asked: BisectRequest,
    context: BisectContext,
    history: History | None,
    state: State,
    oracle: RigOracle,
    command: tuple[str, ...],
) -> BisectAnswer:
    plan, cells = context.plan, len(context.plan.cells())
    if history is None:
        assert asked.good_config and asked.bad_config
        good, bad = read_lines(asked.good_config), read_lines(asked.bad_config)
        return OptionSearch(
            asked.sought, plan.profile.source, good, bad, state, oracle, plan.jobs, cells, asked.confidence, asked.rate,
            context.emit, command,
        ).run()  # fmt: skip
    question = BisectQuestion(
        asked.sought, history, asked.confidence, asked.rate, asked.fixed, asked.git_terms(), command, cells
    )
    return Bisection(question, state, oracle, plan.jobs, context.emit, context.stop).run()


def _history(asked: BisectRequest, plan: Plan, store: Store, emit: Listener, stop: Stop) -> History:
    if plan.profile.series == "none":
        return git_history(
            Path(plan.profile.source).expanduser(),
            str(asked.good),
            asked.bad or "HEAD",
            asked.paths,
            asked.first_parent,
        )
    first = int(asked.good) if asked.good else None
    last = int(asked.bad) if asked.bad else None
    return series_history(plan, store, emit, stop, first, last)


def _identity(asked: BisectRequest, plan: Plan, history: History | None, host: Host) -> tuple[object, ...]:
    """All that the facts depend on but the commits themselves: another range of the same history shares them."""
    shape: Profile = plan.profile.model_copy(update={"source": "", "series": "", "name": "", "description": ""})
    archs = [target.arch for target in plan.targets]
    fixup = hashlib.sha256(Path(asked.fixup).read_bytes()).hexdigest() if asked.fixup else ""
    return (
        str(history.place) if history else plan.profile.source,
        history.order if history and history.series else (),
        asked.sought.model_dump_json(),
        shape.model_dump_json(),
        [(target.arch.name, target.abis) for target in plan.targets],
        [choice.name for choice in plan.shaping],
        [(arch.name, compiler.identity(arch), qemu_version(arch.qemu, host)) for arch in archs],
        (plan.accel, host.name, fixup, code_digest(*CODE)),
    )
