# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of a plan that an earlier run is made again with: some of its cells, and of each some of its tests."""

from collections.abc import Mapping
from dataclasses import replace

from ci.model.shard import place_of
from ci.plan.places import narrowed
from ci.plan.plan import Plan
from ci.verdict.compare.builds import SERIES
from configs.result import Cell

Chosen = Mapping[Cell, tuple[str, ...]]
"""Cells without their variant, each with the tests that are wanted of it, none for all of them. Suites without a guest,
`build` and `series` among them, are cells as well."""


def again(plan: Plan, chosen: Chosen) -> Plan:
    """The plan for these cells alone, with the same kernels. Where the series itself did not apply everything is in
    question, and the plan stays whole."""
    if any(cell.suite == SERIES for cell in chosen):
        return replace(plan, tests={})
    return replace(narrowed(plan, [place_of(cell) for cell in chosen]), tests=chosen)
