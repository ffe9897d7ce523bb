# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters made by hand, each for one thing that a cache, an emulator or a reader of filters can get wrong."""

from functools import cache

from testcases.seccomp.bpf.seccomp_data import ARCH_ABIS
from testcases.seccomp.edges import actions, archs, jumps, limits, loads, refused, registers, unused, x32
from testcases.seccomp.filters.named_stack import NamedStack


@cache
def edges(arch: str) -> tuple[NamedStack, ...]:
    """Every edge for kernels of `arch`, always the same and in the same order. Those named `edge/refused/...` are
    filters that no kernel takes."""
    return tuple(
        NamedStack(f"edge/{edge.name}", edge.stack, arch=arch, abis=ARCH_ABIS[arch], origin=f"by hand: {edge.why}")
        for module in (actions, archs, jumps, limits, loads, refused, registers, unused, x32)
        for edge in module.edges(arch)
    )
