# SPDX-License-Identifier: GPL-2.0-or-later
"""What A holds, and which registers matter."""

from testcases.seccomp.bpf.assembly import assemble
from testcases.seccomp.bpf.registers import OTHER, A, X, archs_compared, fields_in_a, live_registers
from testcases.seccomp.bpf.seccomp_data import ABIS


def test_a_field_is_held_where_every_way_brings_it() -> None:
    program = assemble("ld [4]\njeq #1, l2, l3\nld [0]\njeq #2, l4, l4\nand #3\nadd #1\nret a")
    assert fields_in_a(program) == [OTHER, 4, 4, OTHER, OTHER, OTHER, OTHER]
    assert fields_in_a(assemble("ld [0]\nand #1\njeq #1, l3, l3\ntax\nneg\nret a")) == [OTHER, 0, 0, 0, 0, OTHER]


def test_a_number_like_an_architecture_is_none() -> None:
    """40 with the bit of x32 is AUDIT_ARCH_ARM."""
    program = assemble("ld [4]\njeq #0x40000003, l2, l4\nld [0]\njeq #0x40000028, l4, l4\nret #0")
    assert archs_compared(program) == (ABIS["i386"].audit_arch,)


def test_registers_matter_until_they_are_read() -> None:
    program = assemble("st M[1]\nldx #1\nld [0]\njeq x, l4, l5\nld M[1]\nret a")
    assert live_registers(program) == (A, 2, 2 | X, 2 | X | A, 2, A)
