# SPDX-License-Identifier: GPL-2.0-or-later
"""The stacks of the fuzz topic: generated ones, known ones that were changed a little, and some with a filter that the
kernel has to refuse."""

from collections.abc import Sequence
from random import Random

from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.validate import attach
from testcases.seccomp.fuzz.generate import random_stack
from testcases.seccomp.fuzz.invalid import random_invalid
from testcases.seccomp.fuzz.mutate import mutated

CHANGED = (5, 2)
REFUSED = (10, 9)
"""Every fifth stack, from the third on, is a changed one; every tenth holds a filter that is refused."""
LONGEST = 300
"""Instructions of a known stack that is changed: longer ones cost more than they find."""


def fuzz_stack(seed: int, index: int, known: Sequence[Stack]) -> Stack:
    """The stack of this number, always the same for the same `known`, which must hold a short stack that attaches."""
    own = seed * 1_000_000 + index
    rng = Random(own)
    if index % CHANGED[0] == CHANGED[1]:
        return _changed(rng, known)
    stack = random_stack(own)
    if index % REFUSED[0] == REFUSED[1]:
        place = rng.randint(0, len(stack))
        return (*stack[:place], random_invalid(rng)[0], *stack[place:])
    return stack


def _changed(rng: Random, known: Sequence[Stack]) -> Stack:
    """One of the known stacks with small changes in one of its filters."""
    while True:
        stack = rng.choice(known)
        if sum(map(len, stack)) <= LONGEST and not any(attach(stack)):
            place = rng.randrange(len(stack))
            return (*stack[:place], mutated(rng, stack[place]), *stack[place + 1 :])
