# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured for one ABI."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from testcases.seccomp.benchmark import lists
from testcases.seccomp.benchmark.plan import BenchmarkItem, ItemKind
from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.seccomp_data import ABIS
from testcases.seccomp.corpus import container, services

CHEAP = "getppid"
"""A call that does next to nothing,"""
CLOSE = "close"
"""and one that looks at its argument; -1 is never a file."""
PLACES = {"front": 1, "quarter": 83, "middle": 165, "three-quarters": 248, "end": lists.LENGTH}
LENGTHS = (16, 64, 256, 1024, 4096)
MANY = 1024
"""Filters whose memory is counted in pages: an error below 8 bytes for each of the kernel's three counters."""
THREADS = 8


@cache
def items(arch: str, abi: str) -> tuple[BenchmarkItem, ...]:
    """In order. Raises MachineError when what the corpus is made from is not installed."""
    return tuple(_items(arch, abi))


def items_for(all_items: Sequence[BenchmarkItem], figures: Sequence[str]) -> tuple[BenchmarkItem, ...]:
    """What has to be measured for these figures, `<test>/<figure>`, alone; everything where none is named.

    A call takes the same path whatever was measured before it. All else finds the kernel's allocators as what came
    before has left them, and needs it all.
    """
    tests = {figure.rpartition("/")[0] for figure in figures}
    if not tests or not all(test.startswith("call/") for test in tests):
        return tuple(all_items)
    return tuple(item for item in all_items if tests.intersection(item.tests))


def _items(arch: str, abi: str) -> Iterator[BenchmarkItem]:
    yield BenchmarkItem("memory/filter", ItemKind.MEMORY, (lists.shortest_filter(),), argument=MANY)
    yield BenchmarkItem("call/none/getppid", ItemKind.CALL, (), _cheap(abi) | ABIS[abi].offset)
    yield BenchmarkItem(
        "call/none/close", ItemKind.CALL, (), lists.own_number(CLOSE, abi) | ABIS[abi].offset, 0xFFFFFFFF
    )
    for name, stack in _lists(abi):
        yield _call(abi, name, stack)
    for name, stack in _corpus(arch, abi):
        yield _call(abi, name, stack)
    whole = lists.linear(abi, lists.numbers(abi, _cheap(abi)))
    yield BenchmarkItem("stack", ItemKind.LADDER, (whole,), _cheap(abi) | ABIS[abi].offset)
    for length in LENGTHS:
        yield BenchmarkItem(f"attach/length/{length}", ItemKind.ATTACH, (lists.of_length(abi, length),))
    yield BenchmarkItem("attach/tree", ItemKind.ATTACH, (lists.tree(abi, lists.numbers(abi, _cheap(abi))),))
    yield BenchmarkItem("attach/any-arch", ItemKind.ATTACH, (lists.linear_for_any(lists.numbers(abi, _cheap(abi))),))
    for name, stack in _corpus(arch, abi):
        if len(stack) == 1:
            yield BenchmarkItem(f"attach/{name}", ItemKind.ATTACH, stack)
    yield BenchmarkItem("fork/none", ItemKind.FORK)
    yield BenchmarkItem("fork/list", ItemKind.FORK, (whole,))
    yield BenchmarkItem("fork/four-lists", ItemKind.FORK, (whole,) * 4)
    yield BenchmarkItem("tsync/eight-threads", ItemKind.TSYNC, (lists.of_length(abi, 64),), argument=THREADS)
    for name, stack in (("list", (whole,)), ("four-lists", (whole,) * 4), ("container", _container(arch, abi))):
        yield BenchmarkItem(f"first/{name}", ItemKind.FIRST, stack, _cheap(abi) | ABIS[abi].offset)


def _cheap(abi: str) -> int:
    return lists.own_number(CHEAP, abi)


def _call(abi: str, name: str, stack: Stack) -> BenchmarkItem:
    return BenchmarkItem(f"call/{name}", ItemKind.CALL, stack, _cheap(abi) | ABIS[abi].offset)


def _container(arch: str, abi: str) -> Stack:
    return dict(_corpus(arch, abi))["container/own-abi/linear"]


def _lists(abi: str) -> Iterator[tuple[str, Stack]]:
    call = _cheap(abi)
    for place, position in PLACES.items():
        yield f"list/{place}", (lists.linear(abi, lists.numbers(abi, call, position)),)
    without = lists.numbers(abi, call, 0)
    yield "list/absent", (lists.linear(abi, without),)
    yield "tree/present", (lists.tree(abi, lists.numbers(abi, call)),)
    yield "tree/absent", (lists.tree(abi, without),)
    yield "argument-rule", (lists.by_argument(abi, call, without),)


@cache
def _members(arch: str) -> Mapping[str, Stack]:
    """Of the corpus what is measured; the whole takes a second."""
    found = (*container.members(arch), *services.of_setting("system-service", arch))
    return {member.name: member.stack for member in found}


def _corpus(arch: str, abi: str) -> Iterator[tuple[str, Stack]]:
    """Filters as people use them: what is made for this ABI alone, for each of the kernel's ABIs, and merged."""
    found = _members(arch)
    for form in ("linear", "tree"):
        for short, name in (("container", "container/default"), ("service", "systemd/system-service")):
            for part in (abi, "per-abi", "merged"):
                stack = found.get(f"{name}/{form}/{part}")
                if stack:
                    # This ABI's own filter last: it may refuse what attaches the others.
                    own = found[f"{name}/{form}/{abi}"][0]
                    stack = tuple(sorted(stack, key=lambda program: program == own))
                    yield f"{short}/{'own-abi' if part == abi else part}/{form}", stack
