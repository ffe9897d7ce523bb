# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters as people use them, made on the host from what is installed there."""

import hashlib
from functools import cache

from testcases.seccomp.corpus import arguments, container, services, stacks
from testcases.seccomp.corpus.systemd import syscall_sets
from testcases.seccomp.filters.named_stack import NamedStack


@cache
def corpus(arch: str) -> tuple[NamedStack, ...]:
    """Every member for kernels of `arch` (`x86_64`, `aarch64`), always the same and in the same order.

    Raises MachineError when what the filters are made from is not installed.
    """
    return (
        *container.members(arch),
        *services.members(arch),
        *arguments.members(arch),
        *stacks.members(arch),
    )


def corpus_ingredients() -> tuple[str, ...]:
    """What the members are made from besides libseccomp, as it is installed. Raises MachineError."""
    return hashlib.sha256(container.profile_bytes()).hexdigest(), repr(sorted(syscall_sets().items()))
