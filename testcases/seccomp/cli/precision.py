# SPDX-License-Identifier: GPL-2.0-or-later
"""How much of what is provably always allowed each design of the cache would find, over many real filters.

One pair is a system call number under one ABI and one stack. Counted are the pairs that the oracle proves to be allowed
whatever the arguments are; a design should cache all of them and no other.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from testcases.seccomp.bpf.seccomp_data import ABIS, ARCH_ABIS
from testcases.seccomp.bpf.validate import attached
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.prove.designs import Design, designs
from testcases.seccomp.prove.facts import KernelFacts, abi_numbers
from testcases.seccomp.prove.oracle import Oracle

WIDTH = 75
"""No line of the table is longer, so that it can be sent as mail."""
ALL = "all"


@dataclass(frozen=True, slots=True)
class PrecisionCount:
    """The pairs of one group of filters under one ABI: `proved` always allowed; of these `cached` by `design`, and
    `wrong`: cached though not proved."""

    design: str
    group: str
    abi: str
    proved: int
    cached: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Precision:
    """All counts of all members, with how many stacks they are from."""

    stacks: int
    counts: tuple[PrecisionCount, ...]

    def total(self, design: str, chosen: Callable[[PrecisionCount], bool] = lambda _count: True) -> PrecisionCount:
        """The sum over the chosen counts of a design; its group and ABI are `all`."""
        counts = [count for count in self.counts if count.design == design and chosen(count)]
        sums = (sum(getattr(count, name) for count in counts) for name in ("proved", "cached", "wrong"))
        return PrecisionCount(design, ALL, ALL, *sums)


def measure(members: Iterable[NamedStack], facts: KernelFacts, among: tuple[str, ...] = ()) -> Precision:
    """Every design on every member under each ABI of its kernel, or under those of `among`.

    A group is the first word of the members' names.

    Filters of a stack that the kernel refuses are left out, as they are in the kernel.
    """
    counts: dict[tuple[str, str, str], list[int]] = {}
    stacks = 0
    for member in members:
        stacks += 1
        for count in _count(member, facts, among):
            sums = counts.setdefault((count.design, count.group, count.abi), [0, 0, 0])
            for place, value in enumerate((count.proved, count.cached, count.wrong)):
                sums[place] += value
    return Precision(stacks, tuple(PrecisionCount(*key, *sums) for key, sums in counts.items()))


def _count(member: NamedStack, facts: KernelFacts, among: tuple[str, ...]) -> Iterator[PrecisionCount]:
    stack = attached(member.stack)
    oracle = Oracle(stack)
    group = member.name.partition("/")[0]
    by_arch = groupby(ARCH_ABIS[member.arch], lambda abi: ABIS[abi].audit_arch)
    for arch, abis in by_arch:
        cached = {design.name: design.cached(stack, arch) for design in designs(facts)}
        for abi in abis:
            if among and abi not in among:
                continue
            numbers = abi_numbers(abi, facts.sizes[arch])
            proved = oracle.always_allowed(arch, numbers)
            for name, found in cached.items():
                inside = found & numbers
                yield PrecisionCount(name, group, abi, len(proved), len(inside & proved), len(inside - proved))


def table(found: Precision, facts: KernelFacts, title: str) -> str:
    """The share of each design by group and by ABI, ready for a mail."""
    known = list(designs(facts))
    groups = list(dict.fromkeys(count.group for count in found.counts))
    abis = list(dict.fromkeys(count.abi for count in found.counts))
    proved = found.total(known[0].name).proved
    lines = [
        title,
        "",
        f"{found.stacks:,} stacks, {len(abis)} ABIs, {proved:,} pairs of stack and system call that are",
        "always allowed. Percentage of these that each design caches:",
        "",
        *_block(found, known, groups, "group"),
        "",
        *_block(found, known, abis, "abi"),
        "",
        *(f"{design.name:8} {design.origin}" for design in known),
        "",
        _wrong(found, known),
    ]
    return "".join(f"{line}\n" for line in lines)


def _block(found: Precision, known: list[Design], columns: list[str], key: str) -> Iterator[str]:
    """One row for each design, one column for each group or ABI and one for all."""

    def of(column: str) -> Callable[[PrecisionCount], bool]:
        return lambda count: column == ALL or getattr(count, key) == column

    shown = (*columns, ALL)
    rows = {
        "": shown,
        **{design.name: [_share(found.total(design.name, of(column))) for column in shown] for design in known},
        "pairs": [str(found.total(known[0].name, of(column)).proved) for column in shown],
    }
    widths = [max(len(cells[place]) for cells in rows.values()) for place in range(len(shown))]
    for name, cells in rows.items():
        yield f"{name:8} " + " ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def _share(count: PrecisionCount) -> str:
    """In per cent, never rounded up to 100 nor down to 0; a dash where there is nothing to cache."""
    if not count.proved:
        return "-"
    tenths = count.cached * 1000 // count.proved
    if count.cached and not tenths:
        tenths = 1
    return f"{tenths // 10}.{tenths % 10}"


def _wrong(found: Precision, known: list[Design]) -> str:
    faulty = [(design.name, found.total(design.name).wrong) for design in known]
    told = ", ".join(f"{name} {wrong:,}" for name, wrong in faulty if wrong)
    return f"Cached though not always allowed: {told or 'none, by any design'}."
