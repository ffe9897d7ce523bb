# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's rules, each at both sides of its limit, and the host's own kernel asked about many filters."""

import errno
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from testcases.seccomp.bpf.assembly import assemble
from testcases.seccomp.bpf.instruction import Instruction, Program, to_raw
from testcases.seccomp.bpf.opcodes import ALLOWED, JA, JEQ_K, LD_ABS, RET_K
from testcases.seccomp.bpf.validate import MAX_INSNS_PER_PATH, PENALTY, attach, attached, converted_length, refusal
from testcases.seccomp.fuzz.generate import random_program
from testcases.seccomp.fuzz.invalid import random_invalid

RET = Instruction(RET_K, k=0x7FFF0000)

TAKEN = [
    "ret #0",
    "ret a",
    "ld [60]\nret a",
    "lsh #31\nret a",
    "rsh #0\nret a",
    "div #1\nret a",
    "div x\nret a",
    "st M[15]\nld M[15]\nret a",
    "jmp l2\nld M[3]\nret a",  # no way leads to the read
    "jeq #1, l1, l1\nret a",
    "jeq #1, l2, l1\nst M[1]\njmp l3\nret a",
    "jeq #1, l2, l1\njmp l3\njmp l3\nret a",
    "stx M[0]\njeq #1, l2, l3\nret #1\nldx M[0]\nret a",
    "ld #len\nldx #len\nret a",
]
REFUSED = [
    ("ld [0]", "no return"),
    ("ld [61]\nret a", "offset 61"),
    ("ld [64]\nret a", "offset 64"),
    ("ld [0xfffff000]\nret a", "offset 4294963200"),
    ("ldh [0]\nret a", "code 0x28 is not allowed"),
    ("ldb [0]\nret a", "not allowed"),
    ("ld [x+0]\nret a", "not allowed"),
    ("ldxb 4*([0]&0xf)\nret a", "not allowed"),
    ("mod #3\nret a", "not allowed"),
    ("mod x\nret a", "not allowed"),
    (".raw 0xe, 0, 0, 0", "not allowed"),
    ("lsh #32\nret a", "shift by 32"),
    ("rsh #33\nret a", "shift by 33"),
    ("div #0\nret a", "constant 0"),
    ("st M[16]\nret a", "scratch word 16"),
    ("stx M[16]\nret a", "scratch word 16"),
    ("ld M[0]\nret a", "may be read before"),
    ("ldx M[0]\nret a", "may be read before"),
    ("jmp l2\nret a", "jump over 1 instructions; only 1 follow"),
    (".raw 0x5, 0, 0, 0xffffffff\nret a", "jump over 4294967295"),
    ("jeq #1, l2, l1\nret a", "jump over 1 "),
    ("jset x, l1, l2\nret a", "jump over 1 "),
    ("jeq #1, l1, l2\nst M[1]\nld M[1]\nret a", "may be read before"),
    # Written on the only way to the read. But the kernel carries what is unwritten at a return over to the next
    # instruction, though no way leads there.
    ("jeq #1, l1, l3\nst M[0]\njmp l5\nldx #0x1\nret #0\nld M[0]\nret a", "EINVAL at l5: scratch word 0 may be read"),
]


@pytest.mark.parametrize("text", TAKEN)
def test_taken(text: str) -> None:
    assert refusal(assemble(text)) is None


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_refused(text: str, words: str) -> None:
    found = refusal(assemble(text))
    assert found is not None
    assert found.errno == errno.EINVAL
    assert words in str(found)


def test_length() -> None:
    assert refusal(()) is not None
    assert refusal((RET,) * 4096) is None
    assert refusal((RET,) * 4097) is not None


def test_every_code_is_judged() -> None:
    taken = set()
    for code in range(0x200):
        program = (Instruction(0x02), Instruction(code, k=0 if code != 0x34 else 1), RET)  # st M[0] first
        if refusal(program) is None:
            taken.add(code)
    assert taken == ALLOWED


def test_the_path_counts_converted_instructions() -> None:
    assert converted_length((RET,)) == 3 + 2
    assert converted_length((Instruction(LD_ABS), Instruction(0x3C), RET)) == 3 + 1 + 5 + 2
    assert converted_length((Instruction(JEQ_K, 0, 1, 1), RET, RET)) == 3 + 1 + 4
    assert converted_length((Instruction(JEQ_K, 1, 0, 1 << 31), RET, RET)) == 3 + 2 + 4
    assert converted_length((Instruction(JEQ_K, 1, 1, 1 << 31), RET, RET)) == 3 + 3 + 4
    assert converted_length((Instruction(0x45, 0, 1, 1), RET, RET)) == 3 + 2 + 4


def test_the_limit_of_a_path() -> None:
    """The last of some big filters is cut so that the path is full to the last instruction."""
    big = (Instruction(JA),) * 4090 + (RET,)
    full = (big,) * 7
    used = 7 * (converted_length(big) + PENALTY)
    room = MAX_INSNS_PER_PATH - used
    fits = (Instruction(JA),) * (room - 5) + (RET,)
    assert converted_length(fits) == room
    assert attach((*full, fits)) == (None,) * 8
    one_more = attach((*full, (Instruction(JA), *fits), (RET,)))
    assert one_more[7] is not None
    assert one_more[7].errno == errno.ENOMEM
    assert one_more[8] is None, "a refused filter leaves no trace"
    assert attached((*full, (Instruction(JA), *fits), (RET,))) == (*full, (RET,))


HOST = Path(__file__).with_name("attach_on_host.py")


def host_errnos(stacks: list[tuple[Program, ...]]) -> list[list[int]]:
    """What the host's kernel says to each filter of each stack, 0 for success."""
    data = b"".join(
        len(stack).to_bytes(4, "little")
        + b"".join(len(program).to_bytes(4, "little") + to_raw(program) for program in stack)
        for stack in stacks
    )
    done = subprocess.run([sys.executable, str(HOST)], input=data, capture_output=True, check=False)
    if done.returncode == 77:
        pytest.skip(done.stderr.decode())
    assert done.returncode == 0, done.stderr.decode()
    return [[int(word) for word in line.split()] for line in done.stdout.decode().splitlines()]


@pytest.mark.slow
def test_the_host_kernel_agrees() -> None:
    rng = Random(1)
    programs = [assemble(text) for text in TAKEN] + [assemble(text) for text, _ in REFUSED]
    programs += [random_program(rng) for _ in range(150)]
    programs += [program for program, _ in (random_invalid(rng) for _ in range(150)) if program]
    expected = [found.errno if (found := refusal(program)) else 0 for program in programs]
    said = [line[0] for line in host_errnos([(program,) for program in programs])]
    differ = [(program, mine, its) for program, mine, its in zip(programs, expected, said, strict=True) if mine != its]
    assert not differ


def test_the_host_kernel_counts_a_path_alike() -> None:
    """Filters that allow everything, so that all of them can be attached, near the limit from both sides."""
    body = [
        Instruction(JEQ_K, 0, 1, 1 << 31),
        Instruction(0x45, 0, 1, 5),
        Instruction(0x15, 1, 1, 7),
        Instruction(0x3C),
        Instruction(0x25, 0, 0, 9),
    ]
    mixed = (*body * 100, RET, RET)
    before = (mixed, *((Instruction(JA),) * 4000 + (RET,) for _ in range(7)))
    used = sum(converted_length(program) + PENALTY for program in before)
    room = MAX_INSNS_PER_PATH - used
    stacks = [(*before, (Instruction(JA),) * (room - 5 + more) + (RET,)) for more in (0, 1)]
    expected = [[found.errno if found else 0 for found in attach(stack)] for stack in stacks]
    assert [line[-1] for line in expected] == [0, errno.ENOMEM]
    assert host_errnos(stacks) == expected


def test_stacks_that_are_too_long() -> None:
    stack = (*(((Instruction(LD_ABS),) * 4000 + (RET,)),) * 9, (RET,))
    results = attach(stack)
    assert [found.errno if found else 0 for found in results] == [0] * 8 + [errno.ENOMEM, 0]
    assert len(attached(stack)) == len(stack) - 1
