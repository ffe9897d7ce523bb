# SPDX-License-Identifier: GPL-2.0-or-later
"""A plan that runs some of its cells and tests, with the same kernels as the whole."""

from collections.abc import Mapping
from dataclasses import replace

from ci.model.suites import OF_PATCHES, STATIC
from ci.plan.plan import ArchTarget, Plan
from ci.verdict.compare_builds import BUILD, SERIES
from configs.result import Cell

Chosen = Mapping[Cell, tuple[str, ...]]
"""Cells without their variant, each with the tests that are wanted of it, none for all of them. Suites without a guest,
`build` and `series` among them, are cells as well."""


def narrowed(plan: Plan, chosen: Chosen) -> Plan:
    """The plan for these cells alone. Kernels are configured as they were: the suites that shape them stay. Where the
    series itself did not apply everything is in question, and the plan stays whole."""
    suites = {cell.suite for cell in chosen}
    if SERIES in suites:
        return plan
    guests = [cell for cell in chosen if cell.suite not in (*STATIC, BUILD)]
    # A build alone needs no guest, but a plan without suites and statics would not build either.
    needed = [choice for choice in plan.profile.suites if choice.name in suites or (BUILD in suites and not guests)]
    builds = [cell for cell in chosen if cell.suite not in OF_PATCHES]
    flavours = [flavour for flavour in plan.profile.flavours if any(cell.flavour == flavour for cell in builds)]
    archs = [target for target in plan.targets if any(cell.arch == target.arch.name for cell in builds)]
    return replace(
        plan,
        profile=plan.profile.model_copy(
            update={"suites": tuple(needed), "flavours": tuple(flavours) or plan.profile.flavours}
        ),
        targets=tuple(_with_abis(target, guests) for target in archs) or plan.targets,
        static=tuple(name for name in plan.static if name in suites),
        chosen=chosen,
    )


def _with_abis(target: ArchTarget, guests: list[Cell]) -> ArchTarget:
    wanted = {cell.abi for cell in guests if cell.arch == target.arch.name}
    return replace(target, abis=tuple(abi for abi in target.abis if abi in wanted) or target.abis)
