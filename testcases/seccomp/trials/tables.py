# SPDX-License-Identifier: GPL-2.0-or-later
"""The numbers that are called under every stack, by ABI, and what they are called with."""

from testcases.seccomp.agent.batch import Args, CallTable, Door, Range
from testcases.seccomp.bpf.instruction import WORD
from testcases.seccomp.bpf.seccomp_data import ABIS, X32_BIT
from testcases.seccomp.prove.facts import KERNELS

SAFE: Args = (2**64 - 1,) * 6
"""As a descriptor, a pointer, a size, a flag, a signal or a process id: nearly every call refuses it at once."""
BEYOND = 64
"""How many numbers behind the largest known bitmap are called too."""
LARGEST = max(size for facts in KERNELS.values() for size in facts.sizes.values())
SMALLEST = min(size for facts in KERNELS.values() for size in facts.sizes.values())
_EDGES: tuple[Range, ...] = (
    (X32_BIT - 2, 34),
    (X32_BIT + SMALLEST - 2, 40),
    (0x7FFFFFFE, 6),
    (0x80000000 + SMALLEST - 2, 4),
    (0x80000000 + X32_BIT, 4),
    (WORD - 1, 2),
)
"""Around bit 30, bit 31, INT_MAX and -1."""
_FULL: tuple[Range, ...] = ((0, LARGEST + BEYOND),)
_SHORT: tuple[Range, ...] = ((0, 24), (SMALLEST - 2, 40))


def _edges(abi: str) -> tuple[Range, ...]:
    """_EDGES, or where the kernel looks at the lower bits of a number alone, the numbers around the end of these."""
    bits = ABIS[abi].number_bits
    return _EDGES if bits == 32 else (((1 << bits) - 4, 4),)


def tables(abi: str) -> tuple[CallTable, ...]:
    """The tables of an ABI's agent: its own numbers first, then those that it can reach of other ABIs."""
    if ABIS[abi].offset:
        own = ((X32_BIT, LARGEST + BEYOND), (0x7FFFFFFE, 4), (WORD, 1))
        return (CallTable(Door.NATIVE, SAFE, own), CallTable(Door.NATIVE, SAFE, (*_SHORT, (X32_BIT - 2, 2))))
    found = [CallTable(Door.NATIVE, SAFE, (*_FULL, *_edges(abi)))]
    if ABIS[abi].second_entry:
        found.append(CallTable(Door.SECOND, SAFE, (*_FULL, (0x7FFFFFFE, 4), (WORD, 1))))
    return tuple(found)
