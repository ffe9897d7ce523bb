# SPDX-License-Identifier: GPL-2.0-or-later
"""A suite that was named without a topic, where its topics are the kernel tree's: every topic that can run."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ci.plan.plan import Plan
from ci.plan.variants import Variants, prepare_variants
from configs.model import SuiteChoice
from kernels.source.store import Store
from kernels.source.worktree import worktree
from testcases.registry import find_suite
from testcases.suite import OfferingSuite
from util.events import Event, Listener, Phase
from util.stop import Stop


def expanded(plan: Plan, variants: Variants, store: Store, emit: Listener, stop: Stop) -> Plan:
    """The plan for the tree of the judged variant, which is looked at only where a suite needs that."""
    if not _needs_tree(plan):
        return plan
    with worktree(store, variants.judged.applied.commit, emit, stop) as tree:
        return expand(plan, tree, emit)


def opened(plan: Plan, emit: Listener, stop: Stop) -> Plan:
    """The same for who divides a plan into parts, before anything of it is carried out: sources and series are made
    ready only where a suite needs that. Raises UserError, MachineError, Stopped."""
    if not _needs_tree(plan):
        return plan
    store = Store()
    return expanded(plan, prepare_variants(plan, store, emit, stop), store, emit, stop)


def _needs_tree(plan: Plan) -> bool:
    return any(_is_open(choice) for choice in (*plan.profile.suites, *plan.shaping))


def expand(plan: Plan, tree: Path, emit: Listener) -> Plan:
    """The plan with every such suite replaced by its topics, each on the architectures where it runs. How many topics
    are left out, and for want of what, is said; `rig.py list --suite` names them."""
    profile = plan.profile.model_copy(update={"suites": _each_once(plan, plan.profile.suites, tree, emit)})
    return replace(plan, profile=profile, shaping=_each_once(plan, plan.shaping, tree, lambda _event: None))


def _is_open(choice: SuiteChoice) -> bool:
    suite, topic = find_suite(choice.name)
    return not topic and isinstance(suite, OfferingSuite)


def _each_once(plan: Plan, choices: tuple[SuiteChoice, ...], tree: Path, emit: Listener) -> tuple[SuiteChoice, ...]:
    """What is named with its topic as well keeps the options that it has there."""
    named = {choice.name: choice for choice in choices if not _is_open(choice)}
    spelt = [item for choice in choices if _is_open(choice) for item in _topics(plan, choice, tree, emit)]
    return tuple({**{choice.name: choice for choice in spelt}, **named}.values())


def _topics(plan: Plan, choice: SuiteChoice, tree: Path, emit: Listener) -> Iterator[SuiteChoice]:
    suite, _topic = find_suite(choice.name)
    assert isinstance(suite, OfferingSuite)
    where: dict[str, list[str]] = {}
    for target in plan.targets:
        offers = suite.offers(tree, target.arch)
        for offer in offers:
            if not offer.kind:
                where.setdefault(offer.topic, []).append(target.arch.name)
        lacking = Counter(offer.kind for offer in offers if offer.kind)
        text = ", ".join(f"{count} {kind}" for kind, count in sorted(lacking.items()))
        told = (
            f"{len(offers) - lacking.total()} of {len(offers)} run on {target.arch.name} (left out: {text or 'none'})"
        )
        emit(Event(choice.name, Phase.NOTE, told))
    for topic, archs in where.items():
        yield choice.model_copy(update={"name": f"{choice.name}/{topic}", "archs": tuple(archs)})
