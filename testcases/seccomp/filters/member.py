# SPDX-License-Identifier: GPL-2.0-or-later
"""A named stack of filters: what the corpus, the edges and the user's own files have in common."""

from dataclasses import dataclass

from testcases.seccomp.bpf.instruction import Stack

ARCH_ABIS = {"x86_64": ("x86_64", "x32", "i386"), "aarch64": ("aarch64", "arm")}
"""The ABIs of a kernel by its architecture, the native one first."""


@dataclass(frozen=True, slots=True)
class Member:
    """`name` is stable from run to run and unique within `arch`, the kernel's architecture. `abis` are those that the
    filters were made for (others may be tried: they meet the filters' action for a foreign architecture). `origin`
    says in one line where the filters come from."""

    name: str
    arch: str
    abis: tuple[str, ...]
    stack: Stack
    origin: str
