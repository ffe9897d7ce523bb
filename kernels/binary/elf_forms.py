# SPDX-License-Identifier: GPL-2.0-or-later
"""What is particular to the object files of each architecture, as its file says (`configs.model.ElfForms`)."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from configs.loader import load_arch
from configs.model import Arch, Branch, ElfForms
from configs.names import names

_UNKNOWN = ElfForms()


class BranchRead(NamedTuple):
    """One branch: how many bytes it goes, and all of its bits that say something else."""

    distance: int
    rest: int


@dataclass(frozen=True, slots=True)
class BranchForm:
    """A compiled `configs.model.Branch`. `value` and `mask` are numbers in the machine's byte order, `ranges` are
    (high, low) bits, the most significant ones first, and `covered` the places of the bytes that hold any of them."""

    size: int
    value: int
    mask: int
    ranges: tuple[tuple[int, int], ...]
    covered: tuple[int, ...]
    unit: int
    from_end: bool
    alignment: int
    order: Literal["little", "big"]

    def starts(self, offset: int, base: int) -> Iterator[int]:
        """Where such a branch may begin whose distance covers the byte at `offset` of a body that is at `base`."""
        for place in self.covered:
            start = offset - place
            if start >= 0 and (base + start) % self.alignment == 0:
                yield start

    def read(self, content: bytes) -> BranchRead | None:
        """None where `content` is no such branch."""
        number = int.from_bytes(content, self.order)
        if number & self.mask != self.value:
            return None
        steps, bits, rest = 0, 0, number
        for high, low in self.ranges:
            width = high - low + 1
            steps = steps << width | number >> low & (1 << width) - 1
            rest &= ~((1 << width) - 1 << low)
            bits += width
        steps -= (1 << bits) if steps >> bits - 1 else 0
        return BranchRead(steps * self.unit, rest)


@functools.cache
def elf_forms(machine: str) -> ElfForms:
    """What is known of an e_machine; nothing is, where no architecture of the rig has it."""
    arch = _arch_of(machine)
    return arch.elf if arch else _UNKNOWN


@functools.cache
def branch_forms(machine: str) -> tuple[BranchForm, ...]:
    """The direct branches of an e_machine."""
    arch = _arch_of(machine)
    return tuple(_compiled(branch, arch) for branch in arch.elf.branches) if arch else ()


def _arch_of(machine: str) -> Arch | None:
    return next((arch for arch in map(load_arch, names("archs")) if arch.elf.machine == machine), None)


def _compiled(branch: Branch, arch: Arch) -> BranchForm:
    code, _slash, mask = branch.code.partition("/")
    size, order = len(code) // 2, arch.byte_order
    ranges = tuple((int(high), int(low)) for high, low in (part.split(":") for part in branch.distance.split(",")))
    held = {bit // 8 for high, low in ranges for bit in range(low, high + 1)}
    covered = held if order == "little" else {size - 1 - byte for byte in held}
    return BranchForm(
        size=size,
        value=int.from_bytes(bytes.fromhex(code), order),
        mask=int.from_bytes(bytes.fromhex(mask or "ff" * size), order),
        ranges=ranges,
        covered=tuple(sorted(covered, reverse=True)),
        unit=branch.unit,
        from_end=branch.from_end,
        alignment=arch.elf.alignment,
        order=order,
    )
