# SPDX-License-Identifier: GPL-2.0-or-later
"""Integers as C computes with them where `long` has 64 bits: promoted, converted to a common type, cut to its width.

ISO C 6.3.1 and 6.4.4.1. Where C leaves the result open (a signed one that does not fit), it is the one of gcc, which
cuts it like an unsigned one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from util.errors import UserError

INT, WIDE = 32, 64
"""Bits of `int`, and of `long` and `long long`."""


@dataclass(frozen=True, slots=True)
class Type:
    """`bits` wide."""

    bits: int
    signed: bool

    def holds(self, value: int) -> bool:
        return self.of(value).value == value

    def of(self, value: int) -> "Integer":
        """The value, converted."""
        rest = value & ((1 << self.bits) - 1)
        return Integer(rest - (1 << self.bits) if self.signed and rest >> (self.bits - 1) else rest, self)


@dataclass(frozen=True, slots=True)
class Integer:
    """A value that its type holds."""

    value: int
    type: Type

    def promoted(self) -> "Integer":
        return self if self.type.bits >= INT else Type(INT, signed=True).of(self.value)


def literal(value: int, suffix: str, *, decimal: bool) -> Integer:
    """The constant as it is written: of the first type that holds it. Raises UserError where none does."""
    unsigned = "u" in suffix.lower()
    signs = (False,) if unsigned else (True,) if decimal else (True, False)
    for bits in (WIDE,) if "l" in suffix.lower() else (INT, WIDE):
        for signed in signs:
            kind = Type(bits, signed)
            if kind.holds(value):
                return kind.of(value)
    raise UserError("a number of more than 64 bits")


def unary(work: Callable[[int], int], operand: Integer) -> Integer:
    """The result has the promoted operand's type."""
    inner = operand.promoted()
    return inner.type.of(work(inner.value))


def shifted(work: Callable[[int, int], int], first: Integer, second: Integer) -> Integer:
    """The result has the promoted left operand's type. Raises UserError for a count that this has not."""
    left = first.promoted()
    if not 0 <= second.value < left.type.bits:
        raise UserError(f"shifts a number of {left.type.bits} bits by {second.value}")
    return left.type.of(work(left.value, second.value))


def binary(work: Callable[[int, int], int], first: Integer, second: Integer) -> Integer:
    """The result has the operands' common type."""
    left, right = first.promoted(), second.promoted()
    wide = max(left.type.bits, right.type.bits)
    signed = all(side.type.signed for side in (left, right) if side.type.bits == wide)
    common = Type(wide, signed)
    return common.of(work(common.of(left.value).value, common.of(right.value).value))


def quotient(first: int, second: int) -> int:
    """Towards zero, unlike `//`. Raises ZeroDivisionError."""
    found = abs(first) // abs(second)
    return found if (first < 0) == (second < 0) else -found


def remainder(first: int, second: int) -> int:
    """It has the sign of the first. Raises ZeroDivisionError."""
    return first - second * quotient(first, second)
