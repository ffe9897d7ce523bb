# SPDX-License-Identifier: GPL-2.0-or-later
"""What each design of the cache makes of filters, against one number at a time and by hand."""

import errno
from random import Random

import pytest

from testcases.seccomp.bpf.assembly import assemble
from testcases.seccomp.bpf.instruction import WORD, Program
from testcases.seccomp.bpf.opcodes import JSET_K, TESTS_K
from testcases.seccomp.bpf.seccomp_data import ABIS, RET_ALLOW
from testcases.seccomp.corpus.container import members
from testcases.seccomp.fuzz.generate import random_stack
from testcases.seccomp.fuzz.values import EDGES, number
from testcases.seccomp.prove.designs import (
    NO_FILTER,
    AccessTracking,
    CacheState,
    JannSubset,
    LazyPerArch,
    Merged,
    V2Emulator,
    designs,
)
from testcases.seccomp.prove.facts import KERNELS, KernelFacts, abi_numbers, kernel_facts
from testcases.seccomp.prove.number_flow import outline
from testcases.seccomp.prove.u32set import EMPTY, numbers, ranges
from tests.seeds import seeds
from tests.testcases.seccomp.prove.naive import const_allow
from util.errors import UserError

ARCHS = tuple(dict.fromkeys(facts.audit_arch for facts in ABIS.values()))
X86_64, I386, AARCH64 = (ABIS[abi].audit_arch for abi in ("x86_64", "i386", "aarch64"))
FACTS = KERNELS["6.1"]
WINDOW = ranges((0, 450))


def filter_of(text: str) -> Program:
    return assemble(text)


@pytest.mark.slow
def test_one_pass_is_one_number_at_a_time() -> None:
    for seed in seeds(80):
        stack, rng = random_stack(seed), Random(seed)
        for arch in ARCHS:
            sample = [*EDGES, *(number(rng) for _ in range(10)), *(rng.getrandbits(32) for _ in range(10))]
            for program in stack:
                allowed = outline(program, arch).returning(RET_ALLOW)
                for nr in sample:
                    assert (nr in allowed) == const_allow(program, nr, arch), (seed, hex(nr), hex(arch))
            cached = Merged(FACTS).cached(stack, arch)
            for nr in sample:
                expected = nr in WINDOW and all(const_allow(program, nr, arch) for program in stack)
                assert (nr in cached) == expected, (seed, hex(nr), hex(arch))


def test_every_number_ends_once() -> None:
    for seed in seeds(60):
        for program in random_stack(seed):
            outlined = outline(program, X86_64)
            assert sum(len(outlined.numbers(ending)) for ending in outlined.endings) == 1 << 32
            for ending in outlined.endings:
                first = outlined.numbers(ending).first
                assert outlined.at(first) == ending


def test_designs_differ_by_what_they_follow() -> None:
    masks = filter_of("ld [0]\nand #0xfffffff0\njeq #0x10, l3, l4\nret #0x7fff0000\nret #0")
    jset = filter_of("ld [0]\njset #1, l2, l3\nret #0x7fff0000\nret #0")
    arithmetic = filter_of("ld [0]\nadd #1\njeq #40, l3, l4\nret #0x7fff0000\nret #0")
    looks = filter_of("ld [16]\nld [0]\njeq #39, l3, l4\nret #0x7fff0000\nret #0")
    found = {
        design.name: [
            set(design.cached((program,), X86_64) & ranges((0, 99))) for program in (masks, jset, arithmetic, looks)
        ]
        for design in designs(FACTS)
    }
    sixteen, odd = set(range(16, 32)), set(range(1, 100, 2))
    nothing: set[int] = set()
    assert found == {
        "access": [sixteen, odd, {39}, nothing],
        "subset": [nothing, nothing, nothing, nothing],
        "v2": [sixteen, odd, nothing, nothing],
        "lazy": [sixteen, odd, nothing, nothing],
        "merged": [sixteen, odd, nothing, nothing],
    }


def test_what_is_read_behind_arithmetic_is_seen_too() -> None:
    quiet = filter_of("ld [0]\nadd #1\nret #0x7fff0000")
    reads = filter_of("ld [0]\nadd #1\nld [16]\nret #0x7fff0000")
    assert AccessTracking(FACTS).cached((quiet,), X86_64) == WINDOW
    assert AccessTracking(FACTS).cached((reads,), X86_64) == EMPTY


def test_a_is_zero_at_the_start() -> None:
    program = filter_of("jeq #0, l1, l2\nret #0x7fff0000\nret #0")
    assert Merged(FACTS).cached((program,), X86_64) == WINDOW


def test_allow_with_data_is_not_cached_by_an_emulator() -> None:
    stack = (filter_of("ret #0x7fff0001"),)
    assert Merged(FACTS).cached(stack, X86_64) == EMPTY
    assert AccessTracking(FACTS).cached(stack, X86_64) == WINDOW


def test_a_later_filter_only_takes_away() -> None:
    strict = filter_of("ld [0]\njeq #39, l2, l3\nret #0\nret #0x7fff0000")
    loose = filter_of("ret #0x7fff0000")
    expected = WINDOW - numbers((39,))
    for design in designs(FACTS):
        assert design.cached((strict, loose), I386) == expected
        assert design.cached((loose, strict), I386) == expected
    assert Merged(FACTS).cached((), I386) == WINDOW


def test_x32_has_no_bits_but_in_the_lazy_design() -> None:
    stack = (filter_of("ret #0x7fff0000"),)
    x32 = abi_numbers("x32", 451)
    for design in designs(FACTS):
        assert bool(design.cached(stack, X86_64) & x32) == (design.name == "lazy")
        assert not design.cached(stack, I386) & x32


def test_exemptions_belong_to_one_kernel_and_one_table() -> None:
    stack = (filter_of("ret #0"),)
    assert Merged(KERNELS["6.12"]).cached(stack, X86_64) == numbers((335,))
    assert Merged(KERNELS["6.12"]).cached(stack, I386) == EMPTY
    assert Merged(KERNELS["6.1"]).cached(stack, X86_64) == EMPTY
    assert Merged(KERNELS["7.2"]).cached(stack, X86_64) == numbers((335, 336))
    assert not Merged(KERNELS["6.12"]).spoilers(stack, X86_64, numbers((335,)))


def test_sizes_are_those_of_the_kernel() -> None:
    stack = (filter_of("ret #0x7fff0000"),)
    facts = KernelFacts({X86_64: 10, I386: 5, AARCH64: 0})
    assert Merged(facts).cached(stack, X86_64) == ranges((0, 9))
    assert Merged(facts).cached(stack, I386) == ranges((0, 4))
    assert Merged(facts).cached(stack, AARCH64) == EMPTY
    assert Merged(facts).cached(stack, 0x1234) == EMPTY
    assert V2Emulator(facts).cached(stack, I386) == ranges((0, 9)), "one size for every table"


def test_attaching_fails_for_a_jump_that_only_one_switch_knows() -> None:
    jset = filter_of("ld [0]\njset #1, l2, l3\nret #0x7fff0000\nret #0")
    unreached = filter_of("ld [0]\njmp l3\njset #1, l3, l3\nret #0x7fff0000")
    beyond = filter_of("ld [0]\njge #0x40000000, l2, l3\njset #1, l3, l3\nret #0x7fff0000")
    drifted = V2Emulator(FACTS, TESTS_K - {JSET_K})
    assert V2Emulator(FACTS).attach_errno(jset) == 0
    assert drifted.attach_errno(jset) == errno.EINVAL
    assert drifted.attach_errno(unreached) == 0
    assert drifted.attach_errno(beyond) == 0, "no number of the table gets there"
    assert Merged(FACTS).attach_errno(jset) == 0


def test_lazy_states() -> None:
    stack = (filter_of("ld [0]\njeq #39, l2, l3\nret #0\nret #0x7fff0000"),)
    lazy = LazyPerArch(FACTS)
    assert lazy.states(stack, X86_64, ()) == {}
    assert lazy.state(stack, X86_64, 1, {39}) is CacheState.UNKNOWN
    called = {1, 39, 0x40000001, 500}
    assert lazy.states(stack, X86_64, called) == {
        1: CacheState.ALWAYS_ALLOW, 39: CacheState.FILTER, 0x40000001: CacheState.ALWAYS_ALLOW,
    }  # fmt: skip
    everything = lazy.states(stack, X86_64, range(451))
    assert {nr for nr, state in everything.items() if state is CacheState.ALWAYS_ALLOW} == set(
        Merged(FACTS).cached(stack, X86_64)
    )


def test_spoilers_name_the_instruction() -> None:
    allows = filter_of("ld [0]\njeq #1, l2, l3\nret #0x50001\nret #0x7fff0000")
    reads = filter_of("ld [0]\njeq #2, l2, l4\nld [20]\njeq #0, l4, l5\nret #0x7fff0000\nret #0")
    found = Merged(FACTS).spoilers((allows, reads), X86_64, numbers((1, 2, 3, WORD)))
    assert [(set(part), spoiler.filter, spoiler.index, spoiler.reason) for part, spoiler in found] == [
        ({WORD}, NO_FILTER, 0, "the number has no bit in the cache"),
        ({1}, 0, 2, "returns ERRNO(EPERM)"),
        ({2}, 1, 2, "reads args[0] high"),
    ]


@pytest.mark.slow
def test_spoilers_and_cached_are_everything() -> None:
    for seed in seeds(40):
        stack = random_stack(seed)
        among = abi_numbers("x86_64", 470) | numbers(EDGES)
        for design in designs(KERNELS["6.12"]):
            spoilt = EMPTY
            for part, _ in design.spoilers(stack, X86_64, among):
                assert not spoilt & part
                spoilt |= part
            assert spoilt == among - design.cached(stack, X86_64), (seed, design.name)


@pytest.mark.slow
def test_the_container_profile_is_cached_alike_as_list_and_tree() -> None:
    stacks = {member.name: member.stack for member in members("x86_64")}
    found = [
        design.cached(stacks[f"container/default/{form}"], X86_64)
        for design in (JannSubset(FACTS), Merged(FACTS))
        for form in ("linear", "tree")
    ]
    assert 250 < len(found[0]) < 420
    assert all(cached == found[0] for cached in found)


def test_facts_of_an_unknown_kernel() -> None:
    with pytest.raises(UserError, match=r"kernel 2.6 \(known: 5.10, 6.1, 6.12, 7.2\)"):
        kernel_facts("2.6")
