# SPDX-License-Identifier: GPL-2.0-or-later
"""The edges: each is what its name says, for the kernel that judges it and for the call that it is about."""

import errno

import pytest

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import Instruction, Stack
from testcases.seccomp.bpf.interpret import execute
from testcases.seccomp.bpf.opcodes import ALLOWED, JA, RET_A, TAX, TESTS, TXA
from testcases.seccomp.bpf.seccomp_data import ABIS, ARCH_ABIS, RET_ALLOW, RET_ERRNO, RET_KILL_THREAD
from testcases.seccomp.bpf.validate import attach
from testcases.seccomp.edges import edges
from testcases.seccomp.edges.code import errno as errno_return
from testcases.seccomp.edges.code import numbers, unless
from testcases.seccomp.edges.jumps import BOUNDS
from testcases.seccomp.filters.libseccomp import number

ARCHS = tuple(ARCH_ABIS)
LIMIT = {"edge/limit/path-over": 1, "edge/limit/path-over-then-fits": 1}


def stack(name: str, arch: str = "x86_64") -> Stack:
    return next(member.stack for member in edges(arch) if member.name == f"edge/{name}")


def returned(name: str, nr: int, arch: str = "x86_64", abi: str = "x86_64") -> int:
    """What the only filter of an edge returns."""
    (program,) = stack(name, arch)
    return execute(program, Call(nr, ABIS[abi].audit_arch).words())


@pytest.mark.parametrize("arch", ARCHS)
def test_the_kernel_takes_all_but_those_that_say_so(arch: str) -> None:
    assert len({member.name for member in edges(arch)}) == len(edges(arch))
    for member in edges(arch):
        found = [answer.errno if answer else 0 for answer in attach(member.stack)]
        if "/refused/" in member.name:
            assert found == [0, errno.EINVAL, 0], member.name
        elif member.name in LIMIT:
            assert found.count(errno.ENOMEM) == 1, member.name
            assert found.index(errno.ENOMEM) == 7
        else:
            assert not any(found), member.name


def test_every_instruction_that_seccomp_takes_is_in_some_edge() -> None:
    used = {insn.code for member in edges("x86_64") for program in member.stack for insn in program}
    assert used >= ALLOWED
    longest = [insn for member in edges("x86_64") for program in member.stack for insn in program]
    assert any(insn.jt == 255 for insn in longest)
    assert any(insn.jf == 255 for insn in longest)
    assert any(insn.code == JA and insn.k > 4000 for insn in longest)
    assert any(len(program) == bpf.MAXINSNS for member in edges("x86_64") for program in member.stack)


@pytest.mark.parametrize("value", BOUNDS)
def test_comparisons_change_their_outcome_where_they_say(value: int) -> None:
    for nr in {max(value - 1, 0), value, min(value + 1, bpf.WORD)}:
        outcomes = {"jeq": nr == value, "jgt": nr > value, "jge": nr >= value, "jset": bool(nr & value)}
        for word, holds in outcomes.items():
            refused = RET_ERRNO | 3040 if holds else RET_ALLOW
            allowed = RET_ALLOW if holds else RET_ERRNO | 3041
            assert returned(f"jump/{word}/{value:#x}/refuses", nr) == refused
            assert returned(f"jump/{word}/{value:#x}/allows", nr) == allowed


@pytest.mark.parametrize("name", ["jt-255", "jf-255", "both-255", "ja-0", "nowhere", "ja-chain", "ladder"])
def test_long_ways_end_in_an_errno_for_getppid_and_in_allow_for_the_rest(name: str) -> None:
    getppid = number("getppid", "x86_64")
    assert getppid is not None
    assert returned(f"jump/{name}", getppid) & 0xFFFF0000 == RET_ERRNO
    assert returned(f"jump/{name}", getppid + 1) == RET_ALLOW


def test_the_tree_refuses_every_third_number() -> None:
    found = [returned("jump/binary", nr) == RET_ALLOW for nr in range(512)]
    assert found == [nr % 3 != 0 for nr in range(512)]


def test_every_alu_edge_refuses_getppid_as_the_kernel_counts() -> None:
    getppid = number("getppid", "x86_64")
    assert getppid is not None
    names = [member.name.removeprefix("edge/") for member in edges("x86_64")]
    seen = [name for name in names if name.startswith("alu/") and "/0x" in name]
    assert len(seen) > 150
    for name in seen:
        expected = RET_KILL_THREAD if name == "alu/div-x/0x0" else RET_ERRNO | 3080
        assert returned(name, getppid) == expected, name
        assert returned(name, getppid + 1) == RET_ALLOW, name


def test_what_looks_at_arguments_in_vain_allows_whatever_they_are() -> None:
    for name in ["alu/xor-itself", "alu/always-even", "alu/always-small", "alu/square", "load/arg0-lo/void"]:
        (program,) = stack(name)
        for argument in (0, 1, 2, 0x7FFFFFFF, 0xFFFFFFFF, 0x123456789ABCDEF0):
            call = Call(0, ABIS["x86_64"].audit_arch, args=(argument,) * 6)
            assert execute(program, call.words()) == RET_ALLOW, (name, argument)


def test_numbers_in_fields_that_are_not_used_change_nothing() -> None:
    getppid = number("getppid", "x86_64")
    assert getppid is not None
    names = [member.name.removeprefix("edge/") for member in edges("x86_64")]
    unused = [name for name in names if name.startswith("unused/")]
    assert len(unused) > 40
    for name in unused:
        (program,) = stack(name)
        emptied = tuple(_emptied(insn) for insn in program)
        assert emptied != program, name
        for nr in (getppid, getppid + 1):
            words = Call(nr, ABIS["x86_64"].audit_arch).words()
            assert execute(program, words) == execute(emptied, words), name
        assert returned(name, getppid) & 0xFFFF0000 == RET_ERRNO, name
        assert returned(name, getppid + 1) == RET_ALLOW, name


def _emptied(insn: Instruction) -> Instruction:
    """Without what its kind does not use."""
    if insn.code in TESTS:
        return insn
    return Instruction(insn.code, k=0 if insn.code in {TAX, TXA, RET_A} else insn.k)


@pytest.mark.parametrize("field", ["jt", "jf", "both"])
def test_a_reader_that_uses_the_fields_of_a_jump_comes_to_allow(field: str) -> None:
    """What a `continue` forgotten behind the jump does in the kernel's cache: it falls into the next comparison."""
    (program,) = stack(f"unused/ja/{field}")
    at = next(index for index, insn in enumerate(program) if insn.code == JA)
    insn = program[at]
    assert program[at + 1].k & 0xFFFF0000 == RET_ERRNO
    assert program[at + 1 + max(insn.jt, insn.jf)].k == RET_ALLOW


def test_words_of_x32() -> None:
    for name in ("jge", "jgt", "jset"):
        assert returned(f"x32/{name}", 0x40000000) == RET_ERRNO | 3121
        assert returned(f"x32/{name}", 0) == RET_ALLOW
        assert returned(f"x32/{name}-only", 0x40000000) == RET_ALLOW
    assert returned("x32/jge-but-minus-one", 0xFFFFFFFF) == RET_ALLOW
    assert returned("x32/jge-but-minus-one", 0xFFFFFFFE) == RET_ERRNO | 3125
    assert returned("x32/and-not", 0x40000000 | 110) == returned("x32/and-not", 110) == RET_ERRNO | 3127


@pytest.mark.parametrize("arch", ARCHS)
def test_architectures_are_told_apart(arch: str) -> None:
    native, compat = ARCH_ABIS[arch][0], ARCH_ABIS[arch][-1]
    assert returned("arch/only/native", 5, arch, native) == RET_ALLOW
    if native == compat:
        return
    assert returned("arch/only/native", 5, arch, compat) == RET_ERRNO | 3013
    for abi in (native, compat):
        assert returned("arch/contrary/native", 5, arch, abi) == RET_ALLOW
    assert returned("arch/jset-64bit", 5, arch, native) == RET_ERRNO | 3018
    assert returned("arch/jset-64bit", 5, arch, compat) == RET_ALLOW


def test_each_number_of_a_list_is_refused_and_no_other() -> None:
    other = errno_return(3999)
    program = (Instruction(bpf.LD | bpf.W | bpf.ABS), *unless([3, 5, 8], other))
    refused = [nr for nr in range(20) if execute(program, Call(nr, 0).words()) == other.k]
    assert refused == [3, 5, 8]
    assert len(numbers("x86_64", "getppid")) == 3
