# SPDX-License-Identifier: GPL-2.0-or-later
"""Every patch by itself: `patch-1`, `patch-2`, ... as variants between base and the whole series (`check --each`)."""

from dataclasses import replace

from ci.plan.plan import Plan
from ci.plan.variants import PreparedVariant, Variants
from configs.model import VariantChoice
from kernels.patches.apply import apply_series
from kernels.source.store import Store
from util.events import Listener
from util.stop import Stop


def each_patch(plan: Plan, variants: Variants, store: Store, emit: Listener, stop: Stop) -> tuple[Plan, Variants]:
    """The plan and the trees with a variant after each patch but the last, which the judged variant stands for.

    Raises what `apply_series` raises. A series that does not apply is left as it is: that is the result already.
    """
    base, judged = variants.base, variants.judged
    if judged.applied.failure or judged.series is None:
        return plan, variants
    between = []
    for count in range(1, len(judged.series.patches)):
        choice = VariantChoice(name=f"patch-{count}", patches=count)
        applied = apply_series(store, variants.source, judged.series, count, emit, stop)
        between.append(PreparedVariant(choice, judged.series, applied))
    every = (base, *between, judged)
    plan = replace(plan, variants=tuple(variant.choice for variant in every))
    return plan, replace(variants, all=every)
