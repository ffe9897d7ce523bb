# SPDX-License-Identifier: GPL-2.0-or-later
"""Sets of numbers against sets of Python over a small range, and at the edges of 32 bits."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from testcases.seccomp.bpf.instruction import WORD
from testcases.seccomp.prove.u32set import ALL, EMPTY, NumberSet, joined, masked, masked_range, numbers, ranges

SMALL = ranges((0, 255))
OPS: dict[str, Callable[[int, int, int], bool]] = {
    "==": lambda n, mask, k: n & mask == k,
    ">": lambda n, mask, k: n & mask > k,
    ">=": lambda n, mask, k: n & mask >= k,
    "&": lambda n, mask, k: bool(n & mask & k),
}


@st.composite
def number_sets(draw: st.DrawFn) -> NumberSet:
    """Ranges and masked blocks within 0 to 255, and what the operations make of them."""
    found = EMPTY
    for _ in range(draw(st.integers(1, 3))):
        mask = draw(st.integers(0, 255))
        low, high = sorted((draw(st.integers(0, 255)), draw(st.integers(0, 255))))
        part = masked_range(low, high, mask, draw(st.integers(0, 255)) & mask)
        if part is not None:
            found |= joined((part,))
    return found


@given(number_sets(), number_sets())
def test_algebra(one: NumberSet, other: NumberSet) -> None:
    a, b = set(one), set(other)
    assert set(one & other) == a & b
    assert set(one | other) == a | b
    assert set(one - other) == a - b
    assert (one <= other) == (a <= b)
    assert (one == other) == (a == b)
    assert len(one) == len(a)
    assert bool(one) == bool(a)
    assert {n for n in range(256) if n in one} == a
    if a:
        assert one.first == min(a)


@given(st.integers(0, WORD), st.integers(0, WORD), st.sampled_from(sorted(OPS)), st.lists(st.integers(0, WORD)))
def test_conditions(mask: int, operand: int, op: str, sample: list[int]) -> None:
    found = masked(mask, operand, op)
    edges = [0, WORD, mask, operand, operand & mask, (operand + 1) & WORD, (operand - 1) & WORD, mask ^ WORD]
    for number in sample + edges + [number & mask | operand & ~mask for number in sample]:
        assert (number in found) == OPS[op](number, mask, operand), hex(number)


@given(st.integers(0, 255), st.integers(0, 255), st.sampled_from(sorted(OPS)))
def test_conditions_whole(mask: int, operand: int, op: str) -> None:
    assert set(masked(mask, operand, op) & SMALL) == {n for n in range(256) if OPS[op](n, mask, operand)}


@given(st.integers(0, WORD), st.integers(0, WORD))
def test_a_condition_and_its_opposite_are_everything(mask: int, operand: int) -> None:
    for op in OPS:
        found = masked(mask, operand, op)
        assert len(found) + len(ALL - found) == 1 << 32
        assert not found & (ALL - found)


def test_the_odd_numbers() -> None:
    odd = masked(WORD, 1, "&")
    assert len(odd) == 1 << 31
    assert len(odd.blocks) == 1
    assert len(odd & ranges((0, 440))) == 220
    assert str(odd & ranges((0, 440))) == "1-439 (& 0x1 == 0x1)"


def test_bit_30_is_two_ranges() -> None:
    assert masked(WORD, 1 << 30, "&") == ranges((1 << 30, (1 << 31) - 1), (3 << 30, WORD))
    assert masked(WORD, 1 << 30, "&").plain


def test_ranges_are_written_in_one_way() -> None:
    assert ranges((5, 9), (10, 12), (3, 1)).blocks == ranges((5, 12)).blocks
    assert str(numbers((7, 1, 2, 3))) == "1-3, 7"
    assert str(EMPTY) == "none"
    assert ranges((0, WORD)) == ALL
    assert WORD in ALL
