# SPDX-License-Identifier: GPL-2.0-or-later
"""Sets of 32-bit numbers, exact under comparisons and masks.

A set is a union of disjoint blocks: a range, of which only the numbers with certain bits belong to it. Ranges alone
would not do: the odd numbers, which one `jset #1` picks out, are 2^31 of them.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from testcases.seccomp.bpf.instruction import WORD


@dataclass(frozen=True, slots=True, order=True)
class MaskedRange:
    """The numbers n with `low <= n <= high` and `n & mask == value`; never empty, and `low` and `high` belong to it.
    Made by `masked_range`, which sees to that."""

    low: int
    high: int
    mask: int = 0
    value: int = 0

    def __contains__(self, number: int) -> bool:
        return self.low <= number <= self.high and number & self.mask == self.value

    def __len__(self) -> int:
        if self.mask == 0:
            return self.high - self.low + 1
        return _count(self.high, self.mask, self.value) - _count(self.low - 1, self.mask, self.value)


def masked_range(low: int, high: int, mask: int = 0, value: int = 0) -> MaskedRange | None:
    """The block in its one normal form, or None if no number belongs to it."""
    if mask == 0:
        return MaskedRange(low, high) if low <= high else None
    first = _at_least(low, mask, value) if low <= high else None
    if first is None or first > high:
        return None
    last = _at_most(high, mask, value)
    lowest_bit = mask & -mask
    varying = (1 << (first ^ last).bit_length()) - 1
    if varying < lowest_bit:
        return MaskedRange(first, last)
    return (
        MaskedRange(first, last, mask & varying, value & varying)
        if mask & ~varying
        else MaskedRange(first, last, mask, value)
    )


def _at_least(number: int, mask: int, value: int) -> int | None:
    """The smallest n >= number with n & mask == value."""
    wrong = (number ^ value) & mask
    if not wrong:
        return number
    bit = 1 << (wrong.bit_length() - 1)
    if number & bit:
        free = ~(mask | number) & WORD & ~(bit - 1)
        if not free:
            return None
        bit = free & -free
    kept = number & ~(2 * bit - 1)
    return kept | bit | value & (bit - 1)


def _at_most(number: int, mask: int, value: int) -> int:
    """The largest n <= number with n & mask == value, which exists."""
    mirrored = _at_least(WORD ^ number, mask, (WORD ^ value) & mask)
    assert mirrored is not None
    return WORD ^ mirrored


def _count(number: int, mask: int, value: int) -> int:
    """How many n with 0 <= n <= number and n & mask == value."""
    if number < 0:
        return 0
    total = 0
    for position in range(31, -1, -1):
        bit = 1 << position
        below = ~mask & (bit - 1)
        if number & bit:
            if not (mask & bit and value & bit):
                total += 1 << below.bit_count()
            if mask & bit and not value & bit:
                return total
        elif mask & value & bit:
            return total
    return total + 1


def common(one: MaskedRange, other: MaskedRange) -> MaskedRange | None:
    """The numbers of both."""
    mask = one.mask & other.mask
    if (one.value ^ other.value) & mask:
        return None
    low, high = max(one.low, other.low), min(one.high, other.high)
    return masked_range(low, high, one.mask | other.mask, one.value | other.value)


def without(one: MaskedRange, other: MaskedRange) -> list[MaskedRange]:
    """The numbers of `one` that are not in `other`, disjoint."""
    if common(one, other) is None:
        return [one]
    middle = (max(one.low, other.low), min(one.high, other.high))
    parts = [
        masked_range(one.low, other.low - 1, one.mask, one.value),
        masked_range(other.high + 1, one.high, one.mask, one.value),
    ]
    agreed, value = one.mask, one.value
    for bit in _bits(other.mask & ~one.mask):
        parts.append(masked_range(*middle, agreed | bit, value | ~other.value & bit))
        agreed, value = agreed | bit, value | other.value & bit
    return [part for part in parts if part is not None]


def _bits(mask: int) -> Iterator[int]:
    """The single bits of `mask`, highest first."""
    while mask:
        bit = 1 << (mask.bit_length() - 1)
        yield bit
        mask ^= bit


@dataclass(frozen=True, slots=True, eq=False)
class NumberSet:
    """A set of u32; `blocks` are disjoint and sorted, and ranges that touch are one. Two sets are equal if they have
    the same numbers, however these are written down."""

    blocks: tuple[MaskedRange, ...] = ()

    def __contains__(self, number: int) -> bool:
        return any(number in part for part in self.blocks)

    def __len__(self) -> int:
        return sum(len(part) for part in self.blocks)

    def __bool__(self) -> bool:
        return bool(self.blocks)

    def __and__(self, other: "NumberSet") -> "NumberSet":
        if self.plain and other.plain:
            return NumberSet(tuple(_overlaps(self.blocks, other.blocks)))
        return joined(both for one in self.blocks for two in other.blocks if (both := common(one, two)) is not None)

    def __sub__(self, other: "NumberSet") -> "NumberSet":
        rest = list(self.blocks)
        for part in other.blocks:
            rest = [piece for one in rest for piece in without(one, part)]
        return joined(rest)

    def __or__(self, other: "NumberSet") -> "NumberSet":
        if self.plain and other.plain:
            return joined((*self.blocks, *other.blocks))
        return joined((*self.blocks, *(other - self).blocks))

    def __le__(self, other: "NumberSet") -> bool:
        return not self - other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NumberSet):
            return NotImplemented
        return self.blocks == other.blocks or self <= other <= self

    def __hash__(self) -> int:
        return hash((self.first, max(part.high for part in self.blocks))) if self.blocks else 0

    def __iter__(self) -> Iterator[int]:
        """Every number, block by block. There may be 2^32 of them."""
        for part in self.blocks:
            if part.mask == 0:
                yield from range(part.low, part.high + 1)
                continue
            number: int | None = part.low
            while number is not None and number <= part.high:
                yield number
                number = _at_least(number + 1, part.mask, part.value) if number < WORD else None

    @property
    def plain(self) -> bool:
        """Whether it is written as ranges alone."""
        return all(part.mask == 0 for part in self.blocks)

    @property
    def first(self) -> int:
        """The smallest number; the set is not empty."""
        return min(part.low for part in self.blocks)

    def __str__(self) -> str:
        return ", ".join(map(_show, self.blocks)) or "none"


def _show(part: MaskedRange) -> str:
    span = str(part.low) if part.low == part.high else f"{part.low}-{part.high}"
    return f"{span} (& {part.mask:#x} == {part.value:#x})" if part.mask else span


def _overlaps(ones: tuple[MaskedRange, ...], others: tuple[MaskedRange, ...]) -> Iterator[MaskedRange]:
    """Intersection of sorted ranges."""
    i = j = 0
    while i < len(ones) and j < len(others):
        low, high = max(ones[i].low, others[j].low), min(ones[i].high, others[j].high)
        if low <= high:
            yield MaskedRange(low, high)
        if ones[i].high < others[j].high:
            i += 1
        else:
            j += 1


def joined(blocks: Iterable[MaskedRange]) -> NumberSet:
    """The set of these blocks. Ranges may overlap; blocks with a mask must overlap nothing."""
    result: list[MaskedRange] = []
    for part in sorted(blocks):
        last = result[-1] if result else None
        if last is not None and part.mask == last.mask == 0 and part.low <= last.high + 1:
            result[-1] = MaskedRange(last.low, max(last.high, part.high))
        else:
            result.append(part)
    return NumberSet(tuple(result))


def ranges(*pairs: tuple[int, int]) -> NumberSet:
    """The numbers of inclusive ranges; a pair whose first is greater is an empty range."""
    return joined(MaskedRange(low, high) for low, high in pairs if low <= high)


def numbers(values: Iterable[int]) -> NumberSet:
    """The set of these single numbers."""
    runs: list[tuple[int, int]] = []
    for value in sorted(set(values)):
        if runs and runs[-1][1] + 1 == value:
            runs[-1] = runs[-1][0], value
        else:
            runs.append((value, value))
    return NumberSet(tuple(MaskedRange(low, high) for low, high in runs))


EMPTY = NumberSet()
ALL = ranges((0, WORD))


def masked(mask: int, operand: int, op: str) -> NumberSet:
    """All n for which `n & mask` is `==`, `>` or `>=` the operand, or (`&`) has a bit of it."""
    return _MASKED[op](mask, operand)


def _equal(mask: int, operand: int) -> NumberSet:
    return _set([] if operand & ~mask else [masked_range(0, WORD, mask, operand)])


def _any_bit(mask: int, operand: int) -> NumberSet:
    parts, seen = [], 0
    for bit in _bits(mask & operand):
        parts.append(masked_range(0, WORD, seen | bit, bit))
        seen |= bit
    return _set(parts)


def _greater(mask: int, operand: int) -> NumberSet:
    if mask == WORD:
        return ranges((operand + 1, WORD))
    parts, agreed = [], 0
    for bit in _bits(WORD):
        if not operand & bit and mask & bit:
            parts.append(masked_range(0, WORD, agreed | bit, operand & agreed | bit))
        elif operand & bit and not mask & bit:
            break
        agreed |= mask & bit
    return _set(parts)


def _at_least_masked(mask: int, operand: int) -> NumberSet:
    return _greater(mask, operand - 1) if operand else ALL


def _set(parts: list[MaskedRange | None]) -> NumberSet:
    return joined(piece for part in parts if part is not None for piece in _as_ranges(part))


def _as_ranges(part: MaskedRange) -> list[MaskedRange]:
    """The block as ranges if these are few, for they are faster; else itself."""
    lowest_bit = part.mask & -part.mask
    free = ~part.mask & (part.low ^ part.high) & ~(lowest_bit - 1)
    if part.mask == 0 or free.bit_count() > 3:
        return [part]
    found = []
    low: int | None = part.low
    while low is not None and low <= part.high:
        high = min(low | (lowest_bit - 1), part.high)
        found.append(MaskedRange(low, high))
        low = _at_least(high + 1, part.mask, part.value) if high < WORD else None
    return found


_MASKED: dict[str, Callable[[int, int], NumberSet]] = {
    "==": _equal,
    "&": _any_bit,
    ">": _greater,
    ">=": _at_least_masked,
}
