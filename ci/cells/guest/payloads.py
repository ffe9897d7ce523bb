# SPDX-License-Identifier: GPL-2.0-or-later
"""The suites of a run as futures: what the guests of each one get, for each architecture and ABI."""

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path

from ci.plan.build_tasks import RunContext
from ci.plan.variants import PreparedVariant
from configs.model import SuiteChoice
from configs.result import Cell
from testcases.registry import find_suite
from testcases.suite import Payload, SuiteContext, SuiteError
from util.children.jobserver import Jobserver


@dataclass(frozen=True, slots=True)
class _Key:
    """Which suite, built from whose tree, for which ABI."""

    variant: str
    arch: str
    abi: str
    suite: str


class Payloads:
    """`preparing` is the one token that the suites share while they are made: most of that is Python. It is none of the
    machine's, so that the first guest does not wait until all suites are prepared."""

    def __init__(self, shared: RunContext, preparing: Jobserver) -> None:
        self._shared, self._preparing = shared, preparing
        self._contexts: dict[_Key, SuiteContext] = {}
        self._futures: dict[_Key, Future[Payload | SuiteError]] = {}

    def start(self, variant: PreparedVariant, tree: Path, choices: Iterable[SuiteChoice], wall: bool = False) -> None:
        """Starts to make suites from `tree`, a checkout of the variant; with `wall` for guests that measure wall
        time."""
        shared = self._shared
        for choice in choices:
            wanted = (one for one in shared.plan.targets if not choice.archs or one.arch.name in choice.archs)
            for target in wanted:
                for abi in target.abis:
                    if not shared.plan.wants_suite(target.arch.name, abi, choice.name):
                        continue
                    context = SuiteContext(
                        choice=choice,
                        tree=tree,
                        commit=variant.applied.commit,
                        store=shared.store,
                        arch=target.arch,
                        abi_name=abi,
                        abi=target.arch.abis[abi],
                        emit=shared.emit,
                        stop=shared.stop,
                        kernels=shared.plan.kernels,
                        wall=wall,
                        test=shared.plan.test,
                    )
                    key = _Key(variant.name, target.arch.name, abi, choice.name)
                    self._contexts[key] = context
                    self._futures[key] = shared.tasks.start(self._prepare, context)

    def of(self, cell: Cell, variant: str) -> Payload | SuiteError:
        """Waits for the suite of a cell, made from the tree of `variant`."""
        return self._futures[_Key(variant, cell.arch, cell.abi, cell.suite)].result()

    def brings_modules(self, cell: Cell, variant: str) -> bool:
        """Whether a cell's guest has modules that are built against its kernel: headers that are another's may make
        them others although the kernel itself is the same."""
        payload = self.of(cell, variant)
        return isinstance(payload, Payload) and payload.own_modules is not None

    def traced(self, cell: Cell, variant: str, figures: tuple[str, ...]) -> Payload | SuiteError:
        """Made once more, for the windows of these figures."""
        context = self._contexts[_Key(variant, cell.arch, cell.abi, cell.suite)]
        return self._prepare(replace(context, figures=figures))

    def digests(self) -> tuple[str, ...]:
        """What the guests of the suites that were prepared will run, in the plan's order."""
        made = (future.result() for future in self._futures.values())
        return tuple(item.digest if isinstance(item, Payload) else str(item) for item in made)

    def _prepare(self, context: SuiteContext) -> Payload | SuiteError:
        with self._preparing.token(self._shared.stop):
            try:
                return find_suite(context.choice.name)[0].prepare(context)
            except SuiteError as error:
                return error
