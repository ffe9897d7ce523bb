# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters as bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testcases.seccomp.bpf.instruction import ByteOrder, Instruction, byte_order, from_raw, to_raw
from util.errors import UserError

INSTRUCTIONS = st.builds(
    Instruction, st.integers(0, 0xFFFF), st.integers(0, 255), st.integers(0, 255), st.integers(0, 0xFFFFFFFF)
)
ALLOW = (Instruction(0x20, k=4), Instruction(0x15, 1, 2, 0xC000003E), Instruction(0x06, k=0x7FFF0000))


def test_the_bytes_are_those_of_the_structure() -> None:
    assert to_raw(ALLOW).hex(" ", 8) == "2000000004000000 150001023e0000c0 060000000000ff7f"
    assert to_raw(ALLOW, "big").hex(" ", 8) == "0020000000000004 00150102c000003e 000600007fff0000"


@given(st.lists(INSTRUCTIONS, min_size=1, max_size=20).map(tuple), st.sampled_from(["little", "big"]))
def test_round_trip(program: tuple[Instruction, ...], order: ByteOrder) -> None:
    assert from_raw(to_raw(program, order), order) == program


@pytest.mark.parametrize("order", ["little", "big"])
def test_the_byte_order_shows(order: ByteOrder) -> None:
    assert byte_order(to_raw(ALLOW, order)) == order
    assert from_raw(to_raw(ALLOW, order)) == ALLOW


def test_it_is_little_where_nothing_shows() -> None:
    load_one = (Instruction(0x00, k=1),)
    assert from_raw(to_raw(load_one)) == load_one


@pytest.mark.parametrize(
    ("data", "words"), [(b"", "empty"), (b"1234567", "7 bytes are no multiple of 8"), (bytes(8 * 0x10000), "65536")]
)
def test_what_is_no_array(data: bytes, words: str) -> None:
    with pytest.raises(UserError, match=words):
        from_raw(data)
