# SPDX-License-Identifier: GPL-2.0-or-later
"""The checks of the cache, as `/proc/PID/seccomp_cache` shows it after each filter."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from testcases.seccomp.agent.observation import CacheSection, Seen, errno_text
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.seccomp_data import ABIS
from testcases.seccomp.check.context import CheckContext, Complaint
from testcases.seccomp.prove.designs import Merged
from testcases.seccomp.prove.facts import KernelFacts
from testcases.seccomp.prove.oracle import Oracle
from testcases.seccomp.prove.u32set import numbers

ARCH_OF_NAME = {facts.cache_name: abi for abi, facts in ABIS.items() if facts.cache_name}
"""The names of the blocks in `/proc/PID/seccomp_cache` (arch/*/include/asm/seccomp.h), and the ABIs that they are."""


def check_bitmap(context: CheckContext, seen: Seen, stacks: tuple[Stack, ...]) -> Iterator[Complaint]:
    """The cache after each filter is that of the model of the merged design, bit by bit."""
    final = max(stacks, key=len, default=())
    after: dict[tuple[int, int], list[frozenset[int]]] = {}
    for index, (snapshot, stack) in enumerate(zip(seen.snapshots, stacks, strict=False)):
        if snapshot.error:
            yield Complaint("reading", f"filter {index}: reading the cache: {errno_text(snapshot.error)}")
            continue
        if not stack:
            if snapshot.blocks:
                yield Complaint("listed", f"filter {index}: the cache lists numbers although no filter is attached")
            continue
        if not snapshot.blocks:
            yield Complaint("not listed", f"filter {index}: the cache lists no numbers although a filter is attached")
        for block in snapshot.blocks:
            arch = _arch(block)
            if (arch, block.size) not in after:
                model = Merged(KernelFacts({arch: block.size}, context.exempt))
                after[arch, block.size] = [frozenset(cached) for cached in model.cached_so_far(final, arch)]
            yield from _differences(index, block, after[arch, block.size][len(stack)])


def _differences(index: int, block: CacheSection, wanted: frozenset[int]) -> Iterator[Complaint]:
    if extra := block.allowed - wanted:
        yield _about_bits(f"filter {index}", block, "cached and should not be", extra)
    if lacking := wanted - block.allowed:
        yield _about_bits(f"filter {index}", block, "not cached and should be", lacking)


def _about_bits(where: str, block: CacheSection, what: str, wrong: Iterable[int]) -> Complaint:
    """Numbers of a block whose bits are not as they should be, all in the same way."""
    found = sorted(wrong)
    bits = ("ALLOW", "FILTER") if found[0] in block.allowed else ("FILTER", "ALLOW")
    observed, expected = (f"{block.name} {found[0]} {bit}" for bit in bits)
    prefix = f"{where}: " if where else ""
    text = f"{prefix}{block.name}: {what}: {_list(found)}"
    return Complaint(f"{block.name}: {what}", text, Call(found[0], _arch(block)), expected, f"{prefix}{observed}")


def _list(found: list[int]) -> str:
    shown = ", ".join(map(str, found[:12]))
    return f"{shown} and {len(found) - 12} more" if len(found) > 12 else shown


def _arch(block: CacheSection) -> int:
    name = ARCH_OF_NAME.get(block.name)
    return ABIS[name].audit_arch if name else 0


def check_cached(context: CheckContext, seen: Seen, stacks: tuple[Stack, ...]) -> Iterator[Complaint]:
    """What is cached is allowed by every filter for all arguments: the oracle proves it, whatever a model says.

    The last cache alone is asked about: those before it are supersets, or `check_inherited` complains.
    """
    whole = [pair for pair in zip(seen.snapshots, stacks, strict=False) if pair[0].blocks and pair[1]]
    for snapshot, stack in whole[-1:]:
        oracle = Oracle(stack)
        for block in snapshot.blocks:
            arch = _arch(block)
            asked = numbers(block.allowed - context.exempt.get(arch, frozenset()))
            if wrong := asked - oracle.always_allowed(arch, asked):
                yield _about_bits("", block, "cached although a filter may deny it", wrong)


def check_inherited(seen: Seen) -> Iterator[Complaint]:
    """A further filter only takes bits away."""
    whole = [snapshot for snapshot in seen.snapshots if not snapshot.error and snapshot.blocks]
    for index, (before, after) in enumerate(pairwise(whole), start=1):
        parents = {block.name: block.allowed for block in before.blocks}
        for block in after.blocks:
            if gained := block.allowed - parents.get(block.name, frozenset()):
                yield _about_bits(f"filter {index}", block, "allowed although the filter before it did not", gained)
