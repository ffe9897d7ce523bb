# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters made by hand, each for one thing that a cache, an emulator or a reader of filters can get wrong."""

from functools import cache

from testcases.seccomp.edges import actions, archs, jumps, limits, loads, refused, registers, x32
from testcases.seccomp.filters.member import ARCH_ABIS, Member


@cache
def edges(arch: str) -> tuple[Member, ...]:
    """Every edge for kernels of `arch`, always the same and in the same order. Those named `edge/refused/...` are
    filters that no kernel takes."""
    return tuple(
        Member(f"edge/{name}", arch, ARCH_ABIS[arch], stack, f"by hand: {why}")
        for module in (actions, archs, jumps, limits, loads, refused, registers, x32)
        for name, stack, why in module.edges(arch)
    )
