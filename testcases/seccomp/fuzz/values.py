# SPDX-License-Identifier: GPL-2.0-or-later
"""The constants that generated filters are made of: edges of bitmaps and tables, actions with data, masks."""

from random import Random

from testcases.seccomp.bpf.instruction import WORD
from testcases.seccomp.bpf.seccomp_data import (
    ABIS,
    ACTION_FULL,
    ARCH_ABIS,
    DATA,
    RET_ALLOW,
    RET_ERRNO,
    RET_KILL_PROCESS,
    RET_KILL_THREAD,
    RET_LOG,
    RET_TRACE,
    RET_TRAP,
    RET_USER_NOTIF,
    X32_BIT,
)
from testcases.seccomp.prove.facts import KERNELS

ACTIONS = (
    RET_ALLOW,
    RET_LOG,
    RET_ERRNO,
    RET_TRAP,
    RET_TRACE,
    RET_USER_NOTIF,
    RET_KILL_THREAD,
    RET_KILL_PROCESS,
)
DRAWN = ("x86_64", "aarch64")
"""The kernels whose audit architectures are drawn. No name may be added: every seed would give other stacks."""
_SIZES = sorted({size for facts in KERNELS.values() for size in facts.sizes.values()})
EDGES = tuple(
    sorted(
        {edge for size in _SIZES for edge in (size - 1, size, size + 1)}
        | {0, 1, 63, 64, 335, 336, X32_BIT - 1, X32_BIT, X32_BIT + 1, 2 * X32_BIT - 1, 2 * X32_BIT, WORD - 1, WORD}
        | {X32_BIT + size for size in _SIZES}
    )
)
"""Numbers at which something changes: ends of bitmaps and of their words, exempt numbers, bits 30 and 31, -1."""


def number(rng: Random) -> int:
    """A system call number to compare with."""
    roll = rng.random()
    if roll < 0.3:
        return rng.choice(EDGES)
    small = rng.randrange(_SIZES[-1] + 8)
    return small | X32_BIT if roll < 0.4 else small


def arch_value(rng: Random, home: int = 0) -> int:
    """An audit architecture: mostly `home`, else one of the rig's, now and then nobody's."""
    known = sorted({ABIS[abi].audit_arch for arch in DRAWN for abi in ARCH_ABIS[arch]})
    roll = rng.random()
    if home and roll < 0.7:
        return home
    return rng.choice(known) if roll < 0.95 else rng.choice(known) ^ 1 << rng.randrange(32)


def operand(rng: Random) -> int:
    """A constant for masks, arithmetic and comparisons of arguments."""
    kind = rng.randrange(5)
    if kind == 0:
        return rng.randrange(16)
    if kind == 1:
        return 1 << rng.randrange(32)
    if kind == 2:
        return (1 << rng.randrange(33)) - 1
    if kind == 3:
        return WORD ^ 1 << rng.randrange(32)
    return rng.getrandbits(32)


def return_value(rng: Random) -> int:
    """ALLOW in half of all cases; every action, with and without data; now and then one that the kernel lacks."""
    roll = rng.random()
    if roll < 0.5:
        return RET_ALLOW
    if roll < 0.6:
        return RET_ALLOW | rng.choice((1, DATA, rng.getrandbits(16)))
    if roll < 0.95:
        return rng.choice(ACTIONS) | rng.choice((0, 1, 38, 4095, 4096, DATA))
    return rng.getrandbits(32) & ACTION_FULL | rng.getrandbits(16)
