# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testcases.seccomp.bpf.assembly import assemble, disassemble
from testcases.seccomp.bpf.instruction import Instruction
from testcases.seccomp.bpf.opcodes import ALLOWED
from testcases.seccomp.fuzz.generate import random_stack
from tests.seeds import seeds
from util.errors import UserError

CODES = st.one_of(st.sampled_from(sorted(ALLOWED)), st.integers(0, 0xFFFF))
INSTRUCTIONS = st.builds(Instruction, CODES, st.integers(0, 255), st.integers(0, 255), st.integers(0, 0xFFFFFFFF))

EVERY_FORM = """\
l0: ld [4]
l1: ldh [12]
l2: ldb [23]
l3: ld [x+6]
l4: ldh [x+6]
l5: ldb [x+6]
l6: ldxb 4*([14]&0xf)
l7: ld #len
l8: ldx #len
l9: ld #0x2a
l10: ldx #0x2a
l11: ld M[15]
l12: ldx M[0]
l13: st M[3]
l14: stx M[4]
l15: jmp l17
l16: jeq #0xc000003e, l17, l19
l17: jeq x, l19, l18
l18: jgt #0x5, l20, l19
l19: jge x, l20, l20
l20: jset #0x40000000, l21, l21
l21: add #1
l22: sub #4294967295
l23: mul x
l24: div #7
l25: mod x
l26: and #0xff
l27: or x
l28: xor #0x1
l29: lsh #31
l30: rsh x
l31: neg
l32: tax
l33: txa
l34: ret a
l35: ret #0x7fff0000"""


def test_every_form_is_read_and_written_as_the_kernel_tools_do() -> None:
    written = EVERY_FORM.replace("4294967295", "0xffffffff")
    assert "\n".join(disassemble(assemble(EVERY_FORM))) == written


@pytest.mark.slow
@given(st.lists(INSTRUCTIONS, min_size=1, max_size=12).map(tuple))
def test_round_trip_of_anything(program: tuple[Instruction, ...]) -> None:
    assert assemble("\n".join(disassemble(program))) == program


def test_round_trip_of_filters() -> None:
    for seed in seeds(60):
        for program in random_stack(seed):
            assert assemble("\n".join(disassemble(program))) == program


def test_what_people_write() -> None:
    text = """
    ld [4]                  /* offsetof(struct seccomp_data, arch) */
    jne #0xc000003e, bad    ; AUDIT_ARCH_X86_64
    LD [0]
    jeq #15, good
    jlt #16, bad
    jle %x, good
    bad: ret #0
    good: ret #0x7fff0000
    """
    assert assemble(text) == (
        Instruction(0x20, k=4),
        Instruction(0x15, 0, 4, 0xC000003E),
        Instruction(0x20),
        Instruction(0x15, 3, 0, 15),
        Instruction(0x35, 0, 1, 16),
        Instruction(0x2D, 0, 1),
        Instruction(0x06),
        Instruction(0x06, k=0x7FFF0000),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no instructions"),
        ("ld [4]\nfoo #1", "line 2: no `foo`"),
        ("ld [4", "line 1: `ld` does not take"),
        ("st #4", "line 1: `st` does not take `#4`"),
        ("jeq #1, there", "no label `there`"),
        ("a: ret a\njmp a", "line 2: `a` is -2 instructions ahead"),
        ("jeq #1", "takes an operand and its labels"),
        ("jne #1, l1, l1\nret a", "takes an operand and its labels"),
        ("jeq one, l1\nret a", "`one` is no number"),
        ("ld #0x100000000", "more than 32 bits"),
        ("a: ret a\na: ret a", "label `a` stands twice"),
        (".raw 1, 2", "takes code, jt, jf, k"),
        ("jmp", "takes one label"),
        ("1a: ret a", "no label and no instruction"),
        ("jeq #1, far\n" + "txa\n" * 300 + "far: ret a", "300 instructions ahead"),
    ],
)
def test_mistakes_name_their_line(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        assemble(text)
