# SPDX-License-Identifier: GPL-2.0-or-later
"""The filters that are measured, run by the model of the kernel's own machine; and the plan as the guest reads it."""

import struct

import pytest

from testcases.seccomp.benchmark import lists
from testcases.seccomp.benchmark.items import CHEAP, CLOSE, LENGTHS, PLACES, items, items_for
from testcases.seccomp.benchmark.plan import BenchmarkItem, ItemKind, encode
from testcases.seccomp.benchmark.report import PLOTS, PUBLISHED, ROWS
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import JEQ, JMP, K, Program
from testcases.seccomp.bpf.interpret import run
from testcases.seccomp.bpf.seccomp_data import ABIS, ARCH_ABIS, RET_ALLOW
from testcases.seccomp.bpf.validate import refusal

CELLS = [(arch, abi) for arch, abis in ARCH_ABIS.items() for abi in abis]
GETPPID = {abi: lists.own_number(CHEAP, abi) for abi in ABIS}


def needed_by(abi: str) -> list[int]:
    return [lists.own_number(name, abi) for name in lists.NEEDED]


def test_the_numbers_are_those_of_the_tables_in_the_kernel() -> None:
    """`arch/*/entry/syscalls/*.tbl`, `arch/s390/kernel/syscalls/syscall.tbl`, `include/uapi/asm-generic/unistd.h`."""
    generic, x86, x86_64, s390 = (173, 57, 94, 277), (64, 6, 252, 354), (110, 3, 231, 317), (64, 6, 248, 348)
    wanted = {"x86_64": x86_64, "x32": x86_64, "i386": x86, "aarch64": generic, "arm": (64, 6, 248, 383)}
    wanted |= {"riscv64": generic, "s390x": s390, "s390": s390}
    found = {abi: (GETPPID[abi], lists.own_number(CLOSE, abi), *needed_by(abi)) for abi in wanted}
    assert found == wanted


def decide(program: Program, abi: str, call: int, argument: int = 0) -> tuple[bool, int]:
    """Whether the filter allows the call, and how many comparisons it took."""
    facts = ABIS[abi]
    done = run(program, Call(call | facts.offset, facts.audit_arch, args=(argument, 0, 0, 0, 0, 0)))
    return done.value == RET_ALLOW, sum(program[place].code == JMP | JEQ | K for place in done.path)


@pytest.mark.parametrize("abi", ABIS)
@pytest.mark.parametrize("position", PLACES.values())
def test_a_call_is_found_where_the_list_has_it(abi: str, position: int) -> None:
    program = lists.linear(abi, lists.numbers(abi, GETPPID[abi], position))
    assert decide(program, abi, GETPPID[abi]) == (True, position + 1)  # and one comparison of the architecture


@pytest.mark.slow
@pytest.mark.parametrize("abi", ABIS)
def test_list_and_tree_say_the_same_of_every_number(abi: str) -> None:
    allowed = lists.numbers(abi, GETPPID[abi])
    assert len(set(allowed)) == lists.LENGTH
    for number in (*range(0, 450, 11), *range(320, 340), *needed_by(abi)):
        wanted = number | ABIS[abi].offset in allowed
        assert decide(lists.linear(abi, allowed), abi, number)[0] is wanted
        found, comparisons = decide(lists.tree(abi, allowed), abi, number)
        assert found is wanted
        assert comparisons <= 5


@pytest.mark.parametrize("abi", ABIS)
def test_the_absent_call_is_refused_and_the_program_can_still_end(abi: str) -> None:
    program = lists.linear(abi, lists.numbers(abi, GETPPID[abi], 0))
    assert decide(program, abi, GETPPID[abi]) == (False, lists.LENGTH + 1)
    for needed in needed_by(abi):
        assert decide(program, abi, needed)[0]
        assert all(decide(lists.of_length(abi, length), abi, needed)[0] for length in LENGTHS)


def test_the_rule_about_an_argument_looks_at_it() -> None:
    program = lists.by_argument("x86_64", GETPPID["x86_64"], lists.numbers("x86_64", GETPPID["x86_64"], 0))
    assert decide(program, "x86_64", GETPPID["x86_64"])[0]
    assert not decide(program, "x86_64", GETPPID["x86_64"], 0x7E57)[0]
    assert decide(program, "x86_64", lists.own_number(CLOSE, "x86_64"))[0]


@pytest.mark.slow
@pytest.mark.parametrize(("arch", "abi"), CELLS)
def test_every_filter_is_one_that_the_kernel_takes(arch: str, abi: str) -> None:
    found = items(arch, abi)
    assert all(refusal(program) is None for item in found for program in item.stack)
    assert [len(item.stack[0]) for item in found if item.name.startswith("attach/length/")] == list(LENGTHS)
    names = [test for item in found for test in item.tests]
    assert len(names) == len(set(names))


@pytest.mark.slow
@pytest.mark.parametrize(("arch", "abi"), CELLS)
def test_table_plots_and_ratios_speak_of_figures_that_exist(arch: str, abi: str) -> None:
    tests = {test for item in items(arch, abi) for test in item.tests}
    points = [name for plot in PLOTS for curve in plot.curves for _, name in curve.points]
    ratios = [name for item in PUBLISHED for _, name in (item.over, item.under, *([item.zero] if item.zero else []))]
    spoken = {name.rpartition("/")[0] for name in (*points, *ratios, *(row.figure for row in ROWS))}
    of_several = {"call/service/per-abi/linear", "call/service/merged/linear"}
    assert spoken - tests == (set() if len(ARCH_ABIS[arch]) > 1 else of_several)


def test_the_plan_holds_each_filter_once() -> None:
    program = lists.shortest_filter()
    plan = encode(
        [BenchmarkItem("a", ItemKind.CALL, (program, program), 7, 8), BenchmarkItem("b", ItemKind.FORK)], "little"
    )
    magic, filters, length = struct.unpack_from("<III", plan)
    assert (magic, filters, length) == (0x4E4C5042, 1, len(program))
    start = 12 + 8 * length
    assert struct.unpack_from("<I", plan, start) == (2,)
    assert plan[start + 4 : start + 6] == b"a\0"
    assert struct.unpack_from("<6I", plan, start + 4 + 64) == (ItemKind.CALL, 7, 8, 2, 0, 0)
    assert struct.unpack_from("<4I", plan, start + 4 + 64 + 24 + 64) == (ItemKind.FORK, 0, 0, 0)
    assert len(plan) == start + 4 + 64 + 24 + 64 + 16


def test_a_name_that_the_guest_would_cut_off_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer than 64"):
        encode([BenchmarkItem("x" * 64, ItemKind.FORK)], "little")


@pytest.mark.slow
def test_calls_are_explained_without_the_rest() -> None:
    everything = items("x86_64", "i386")
    assert items_for(everything, ()) == everything
    few = items_for(everything, ("call/none/getppid/unfiltered", "call/stack/4/compiled"))
    assert [item.name for item in few] == ["call/none/getppid", "stack"]
    assert items_for(everything, ("call/none/getppid/unfiltered", "fork/list/interpreted")) == everything
