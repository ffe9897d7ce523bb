# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's semantics of filters and stacks."""

from dataclasses import replace
from random import Random

import pytest

from testcases.seccomp.bpf.assembly import assemble
from testcases.seccomp.bpf.call import Call, field_name, from_words
from testcases.seccomp.bpf.interpret import combine, decide, run
from testcases.seccomp.bpf.seccomp_data import (
    ABIS,
    RET_ALLOW,
    RET_ERRNO,
    RET_KILL_PROCESS,
    RET_KILL_THREAD,
    RET_LOG,
    RET_TRACE,
    RET_TRAP,
    RET_USER_NOTIF,
)
from testcases.seccomp.fuzz.generate import random_stack
from testcases.seccomp.fuzz.values import number, operand
from testcases.seccomp.prove.decider import Decider
from testcases.seccomp.prove.oracle import prove
from tests.seeds import seeds

X86_64 = ABIS["x86_64"].audit_arch
CALL = Call(39, X86_64, 0x7F0012345678, (0x1111111122222222, 2, 3, 4, 5, 0xFFFFFFFF00000000))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("ret a", 0),
        ("txa\nret a", 0),
        ("ld [0]\nret a", 39),
        ("ld [4]\nret a", X86_64),
        ("ld [8]\nret a", 0x12345678),
        ("ld [12]\nret a", 0x7F00),
        ("ld [16]\nret a", 0x22222222),
        ("ld [20]\nret a", 0x11111111),
        ("ld [56]\nret a", 0),
        ("ld [60]\nret a", 0xFFFFFFFF),
        ("ld #len\nret a", 64),
        ("ldx #len\ntxa\nret a", 64),
        ("ld #0xffffffff\nadd #2\nret a", 1),
        ("ld #1\nsub #2\nret a", 0xFFFFFFFF),
        ("ld #0x10001\nmul #0x10001\nret a", 0x20001),
        ("ld #7\nldx #2\ndiv x\nret a", 3),
        ("ld #7\ndiv x\nret #5", 0),
        ("ld #1\nlsh #31\nret a", 0x80000000),
        ("ld #1\nldx #33\nlsh x\nret a", 2),
        ("ld #0x80000000\nldx #63\nrsh x\nret a", 1),
        ("ld #3\nneg\nret a", 0xFFFFFFFD),
        ("neg\nret a", 0),
        ("ld #6\nxor #3\nor #8\nand #13\nret a", 13),
        ("ld #9\nst M[3]\nldx M[3]\nld #0\ntxa\nret a", 9),
        ("ldx #8\nstx M[15]\nld M[15]\nret a", 8),
        ("ld #4\ntax\nld #4\njeq x, l4, l5\nret #1\nret #2", 1),
        ("ld #0x80000000\njgt #0x7fffffff, l2, l3\nret #1\nret #2", 1),
        ("ld #5\njge #5, l2, l3\nret #1\nret #2", 1),
        ("ld #5\njgt #5, l2, l3\nret #1\nret #2", 2),
        ("ld #6\njset #9, l2, l3\nret #1\nret #2", 2),
        ("jmp l2\nret #1\nret #2", 2),
    ],
)
def test_one_filter(text: str, value: int) -> None:
    assert run(assemble(text), CALL).value == value


def test_what_is_seen_on_the_way() -> None:
    seen = run(assemble("ld [0]\njeq #39, l2, l4\nld [16]\njmp l5\nret #1\nret #2"), CALL)
    assert (seen.value, seen.path, seen.executed, set(seen.read)) == (2, (0, 1, 2, 3, 5), 5, {0, 16})


def test_the_words_of_a_call() -> None:
    assert from_words(CALL.words()) == CALL
    assert CALL.pack() == b"".join(word.to_bytes(4, "little") for word in CALL.words())
    assert [field_name(offset) for offset in (0, 4, 8, 12, 16, 60)] == [
        "nr", "arch", "ip low", "ip high", "args[0] low", "args[5] high",
    ]  # fmt: skip


def test_on_a_big_endian_machine_the_halves_change_places() -> None:
    call = Call(39, ABIS["s390x"].audit_arch, 0x1122334455667788, (0xAABBCCDD00000007, *CALL.args[1:]))
    assert from_words(call.words()) == call
    assert call.pack() == b"".join(word.to_bytes(4, "big") for word in call.words())
    assert call.words()[2:6] == (0x11223344, 0x55667788, 0xAABBCCDD, 7)
    assert run(assemble("ld [20]\njeq #7, l2, l3\nret #1\nret #2"), call).value == 1
    assert [field_name(offset, "big") for offset in (0, 4, 8, 12, 16, 60)] == [
        "nr", "arch", "ip high", "ip low", "args[0] high", "args[5] low",
    ]  # fmt: skip


@pytest.mark.parametrize(("abi", "value"), [("x86_64", 1), ("riscv64", 1), ("s390x", 2), ("s390", 2)])
def test_a_shift_by_more_than_a_word_is_the_machines(abi: str, value: int) -> None:
    """A real s390x kernel returns so under `edge/alu/lsh-x/0x20`; sll takes six bits (arch/s390/net/bpf_jit_comp.c)."""
    program = assemble("ldx #32\nld #7\nlsh x\njeq #7, l4, l5\nret #1\nret #2")
    arch = ABIS[abi].audit_arch
    assert run(program, Call(1, arch)).value == value
    assert {witness.value for witness in prove((program,), arch, 1).witnesses} == {value}


def test_the_lowest_action_wins() -> None:
    order = [
        RET_KILL_PROCESS, RET_KILL_THREAD, RET_TRAP, RET_ERRNO, RET_USER_NOTIF, RET_TRACE, RET_LOG, RET_ALLOW,
    ]  # fmt: skip
    for position, action in enumerate(order):
        for other in order[position:]:
            assert combine((action, other)) == combine((other, action)) == action


def test_of_equal_actions_the_newest_wins() -> None:
    older, newer = assemble("ret #0x50001"), assemble("ret #0x50002")
    assert decide((older, newer), CALL) == 0x50002
    assert decide((newer, older), CALL) == 0x50001


def test_allow_with_data_is_the_plain_allow() -> None:
    assert decide((assemble("ret #0x7fff0005"),), CALL) == RET_ALLOW


def test_an_unknown_action_is_compared_as_a_signed_number() -> None:
    assert combine((0x12340000, 0x7FFF0000)) == 0x12340000
    assert combine((0x90000000, 0x80000000)) == 0x80000000
    assert combine((0x7FFE0000, 0x7FFF0000)) == 0x7FFE0000


@pytest.mark.parametrize("before", ["ld [0]", "ld [0]\nand #0x1f", "ld [4]", "ld [4]\nand #6", "ja l1"])
def test_a_decision_goes_on_with_what_a_holds(before: str) -> None:
    program = assemble(f"{before}\nadd #1\nret a")
    assert Decider((program,)).decide(CALL) == decide((program,), CALL)


def test_many_decisions_are_those_of_one() -> None:
    for seed in seeds(80):
        stack, rng = random_stack(seed), Random(seed)
        decider = Decider(stack)
        for _ in range(20):
            nr, arch = number(rng), rng.choice([facts.audit_arch for facts in ABIS.values()])
            for _ in range(2):
                args = tuple(rng.choice((0, operand(rng), rng.getrandbits(64))) for _ in range(6))
                call = Call(nr, arch, rng.getrandbits(48), args)
                assert decider.decide(call) == decide(stack, call), (seed, call)
            constant = decider.constant(nr, arch)
            assert constant in {None, decide(stack, call)}


LOOKS_AGAIN = (
    "ld [16]\njeq #8, l2, l3\nl2: ret #0x7fff0000\nl3: ld [0]\njgt #12, l5, l6\nl5: ret #0x50001\nl6: ret #0x50002",
    "ld [0]\nand #0x1f\nadd #1\nret a",
    "ld [0]\ntax\nld [16]\ntxa\nret a",
    "ld [0]\nst M[3]\nld [16]\nld M[3]\nret a",
    "ld [0]\nand #0x10\nld [16]\njeq #7, l4, l5\nl4: ret #0x7fff0000\nl5: ret #0x50001",
    "ld [16]\nadd #1\njeq #8, l3, l4\nl3: ret #0x7fff0000\nl4: ret #0x50001",
)
"""Filters of which the number decides nothing before their arguments are read."""


SPLITS = "ld [0]\njgt #20, l2, l3\nl2: jset #4, l4, l3\nl3: ret #0x50001\nl4: ret #0x7fff0000"
"""Numbers from 21 on are told apart; some of them end where those before all do."""


@pytest.mark.slow
def test_the_decisions_of_many_numbers_are_those_of_each() -> None:
    settled = 0
    by_hand = [(assemble(text),) for text in (SPLITS, *LOOKS_AGAIN)]
    for seed, stack in enumerate([*by_hand, *map(random_stack, seeds(80))]):
        rng = Random(seed)
        decider, arch = Decider(stack), rng.choice([facts.audit_arch for facts in ABIS.values()])
        call = Call(0, arch, rng.getrandbits(48), (7, *(rng.getrandbits(64) for _ in range(5))))
        numbers = sorted({*range(30), *(number(rng) for _ in range(60)), *range(0x40000000, 0x40000030)})

        def made(nr: int, call: Call = call) -> Call:
            return replace(call, nr=nr)

        slices = list(decider.decisions(numbers, arch, made))
        assert [place for start, end, _value in slices for place in range(start, end)] == list(range(len(numbers)))
        for start, end, value in slices:
            each = {decide(stack, made(nr)) for nr in numbers[start:end]}
            assert value is None or {value} == each, seed
            settled += end - start > 1 and value is not None and decider.constant(numbers[start], arch) is None
    assert settled > 20


@pytest.mark.parametrize(("text", "settles"), [*zip(LOOKS_AGAIN, (False,) * 4 + (True,) * 2, strict=True)])
def test_a_filter_that_looks_at_the_number_again_is_asked_for_each(text: str, settles: bool) -> None:
    args, numbers, arch = (7, 0, 0, 0, 0, 0), list(range(30)), ABIS["x86_64"].audit_arch
    found = Decider((assemble(text),)).decisions(numbers, arch, lambda nr: Call(nr, arch, 0, args))
    assert list(found) == [(0, 30, RET_ALLOW if settles else None)]
