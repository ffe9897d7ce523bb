# SPDX-License-Identifier: GPL-2.0-or-later
"""The file that tells `guest/measure.c` what to measure: `guest/plan.h` has its other side.

Words of 32 bits in the byte order of the guest: magic, number of filters { length, 8 bytes per instruction }, number of
items { name of 64 bytes, kind, system call, argument, depth, indexes of filters, the oldest first }.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from testcases.seccomp.bpf.instruction import BYTE_ORDERS, ByteOrder, Stack, to_raw

_MAGIC = 0x4E4C5042
_NAME = 64
RUNGS = (1, 2, 4, 8, 16, 32)
"""Depths of a ladder."""


class ItemKind(IntEnum):
    CALL = 1
    ATTACH = 2
    LADDER = 3
    FORK = 4
    TSYNC = 5
    MEMORY = 6
    FIRST = 7


@dataclass(frozen=True, slots=True)
class BenchmarkItem:
    """One measurement. `number` is the system call as the ABI enters it; `argument` its first argument, or how many
    threads or filters. A ladder climbs with the one filter of its stack."""

    name: str
    kind: ItemKind
    stack: Stack = ()
    number: int = 0
    argument: int = 0

    @property
    def tests(self) -> tuple[str, ...]:
        """The names under which its figures come back."""
        if self.kind is ItemKind.LADDER:
            return tuple(f"{what}/{self.name}/{depth}" for depth in RUNGS for what in ("call", "attach"))
        return (self.name,)


def encode(items: Iterable[BenchmarkItem], order: ByteOrder) -> bytes:
    """Each filter once, however many items have it."""
    mark = BYTE_ORDERS[order]
    items = tuple(items)
    places = {program: place for place, program in enumerate(dict.fromkeys(p for item in items for p in item.stack))}
    parts = [struct.pack(f"{mark}II", _MAGIC, len(places))]
    for program in places:
        parts += [struct.pack(f"{mark}I", len(program)), to_raw(program, order)]
    parts.append(struct.pack(f"{mark}I", len(items)))
    for item in items:
        name = item.name.encode("ascii")
        if len(name) >= _NAME:
            raise ValueError(f"{item.name}: a name has fewer than {_NAME} characters")
        words = (item.kind, item.number, item.argument, len(item.stack), *(places[p] for p in item.stack))
        parts += [name.ljust(_NAME, b"\0"), struct.pack(f"{mark}{len(words)}I", *words)]
    return b"".join(parts)
