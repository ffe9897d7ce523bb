# SPDX-License-Identifier: GPL-2.0-or-later
"""The oracle: sets against z3, every witness interpreted, and answers known by hand."""

from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
import z3

from testcases.seccomp.bpf.actions import CallFate, fate_of
from testcases.seccomp.bpf.assembly import assemble
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.interpret import decide
from testcases.seccomp.bpf.seccomp_data import ABIS, ARCH, NR, RET_ALLOW
from testcases.seccomp.corpus.container import members
from testcases.seccomp.fuzz.generate import random_stack
from testcases.seccomp.fuzz.values import EDGES, operand
from testcases.seccomp.prove import symbolic
from testcases.seccomp.prove.box_domain import Beyond, EntryPoint, outcomes
from testcases.seccomp.prove.designs import designs
from testcases.seccomp.prove.facts import KERNELS, abi_numbers
from testcases.seccomp.prove.oracle import CallPermission, Oracle, holds, narrow, proof, prove
from testcases.seccomp.prove.u32set import EMPTY, ranges
from testcases.seccomp.prove.u32set import numbers as number_set
from testcases.seccomp.trials.witnesses import witnesses
from tests.seeds import seeds
from util.errors import MachineError

X86_64, I386 = ABIS["x86_64"].audit_arch, ABIS["i386"].audit_arch
ARCHS = tuple(dict.fromkeys(facts.audit_arch for facts in ABIS.values()))
ALLOW, KILL = RET_ALLOW, 0x80000000


def stack_of(*texts: str) -> Stack:
    return tuple(assemble(text) for text in texts)


def starts_of(stack: Stack) -> list[EntryPoint | int]:
    return [EntryPoint(program) for program in reversed(stack)]


@pytest.mark.parametrize(
    ("text", "answer", "values"),
    [
        ("ret #0x7fff0000", CallPermission.ALWAYS_ALLOW, {ALLOW}),
        ("ret #0x7fff0009", CallPermission.ALWAYS_ALLOW, {ALLOW}),
        ("ld [16]\njeq #5, l2, l3\nret #0x7fff0000\nret #0x50001", CallPermission.DEPENDS, {ALLOW, 0x50001}),
        ("ld [16]\njeq #5, l2, l2\nret #0x7fff0000", CallPermission.ALWAYS_ALLOW, {ALLOW}),
        ("ld [16]\nand #0xf0\njeq #0xff, l3, l4\nret #0x7fff0000\nret #0", CallPermission.NEVER_ALLOW, {0}),
        ("ld [16]\njge #9, l2, l4\njgt #8, l4, l3\nret #0\nret #0x7fff0000", CallPermission.ALWAYS_ALLOW, {ALLOW}),
        (
            "ld [16]\njset #4, l2, l5\nld [16]\njset #6, l4, l5\nret #0x7fff0000\nret #0",
            CallPermission.DEPENDS, {ALLOW, 0},
        ),
        ("ld [16]\njge #0xffffffff, l2, l3\nret #0x7fff0000\nret #0", CallPermission.DEPENDS, {ALLOW, 0}),
        ("ld [16]\njgt #0xffffffff, l2, l3\nret #0x7fff0000\nret #0", CallPermission.NEVER_ALLOW, {0}),
        ("ld [16]\njge #0, l2, l3\nret #0x7fff0000\nret #0", CallPermission.ALWAYS_ALLOW, {ALLOW}),
        ("ld [8]\njeq #0, l2, l3\nret #0x7fff0000\nret #0", CallPermission.DEPENDS, {ALLOW, 0}),
        ("ld [16]\ntax\nld [24]\njeq x, l4, l5\nret #0x7fff0000\nret #0", CallPermission.DEPENDS, {ALLOW, 0}),
        ("ld [16]\ntax\njeq x, l3, l4\nret #0x7fff0000\nret #0", CallPermission.ALWAYS_ALLOW, {ALLOW}),
        ("ld [16]\nadd #1\njeq #0, l3, l4\nret #0x7fff0000\nret #0", CallPermission.DEPENDS, {ALLOW, 0}),
        ("ld [16]\nor #1\njeq #2, l3, l4\nret #0x7fff0000\nret #0", CallPermission.NEVER_ALLOW, {0}),
        ("ld [16]\nmul #2\nrsh #1\njset #0x80000000, l4, l5\nret #0x7fff0000\nret #0", CallPermission.NEVER_ALLOW, {0}),
        ("ld [16]\ntax\nld #1\nlsh x\njeq #0, l5, l6\nret #0x7fff0000\nret #0", CallPermission.NEVER_ALLOW, {0}),
        ("ldx #0\nld [16]\ndiv x\nret #0x7fff0000", CallPermission.NEVER_ALLOW, {0}),
        (
            "ld [16]\ntax\nld #6\ndiv x\njeq #3, l5, l6\nret #0x7fff0000\nret #0x50002",
            CallPermission.DEPENDS,
            {ALLOW, 0, 0x50002},
        ),
        (
            "ld [16]\nst M[2]\nld #7\nld M[2]\nsub #3\nldx M[2]\njgt x, l7, l8\nret #0x7fff0000\nret #0",
            CallPermission.DEPENDS,
            {ALLOW, 0},
        ),
        ("ld [4]\njeq #0xc000003e, l2, l3\nret #0x7fff0000\nret #0", CallPermission.ALWAYS_ALLOW, {ALLOW}),
    ],
)  # fmt: skip
def test_answers_known_by_hand(text: str, answer: CallPermission, values: set[int]) -> None:
    stack = stack_of(text)
    found = prove(stack, X86_64, 39)
    assert found.answer is answer
    assert {witness.value for witness in found.witnesses} == values
    assert holds(stack, found)
    by_solver = proof(symbolic.outcomes(starts_of(stack), {NR: 39, ARCH: X86_64}).calls, "z3")
    assert by_solver.answer is answer
    assert {witness.value for witness in by_solver.witnesses} == values
    assert holds(stack, by_solver)


def test_a_stack_allows_what_every_filter_does() -> None:
    five = "ld [16]\njeq #5, l2, l3\nret #0x7fff0000\nret #0x50001"
    six = "ld [16]\njeq #6, l2, l3\nret #0x7fff0000\nret #0x50002"
    other = "ld [24]\njeq #6, l2, l3\nret #0x7fff0000\nret #0x50002"
    assert prove(stack_of(five, six), X86_64, 39).answer is CallPermission.NEVER_ALLOW
    found = prove(stack_of(five, other), X86_64, 39)
    assert found.answer is CallPermission.DEPENDS
    allowed = [witness.call.args[:2] for witness in found.witnesses if witness.allowed]
    assert allowed == [(5, 6)]


def test_a_filter_attached_many_times_is_asked_once() -> None:
    text = "\n".join(f"ld [{16 + 8 * (at % 6)}]\njset #{1 << at:#x}, l{2 * at + 2}, l{2 * at + 2}" for at in range(20))
    found = prove(stack_of(*[f"{text}\nret #0x7fff0000"] * 32), X86_64, 1)
    assert (found.answer, found.method) == (CallPermission.ALWAYS_ALLOW, "sets")


def test_more_ways_than_anyone_can_walk() -> None:
    """Thirty tests of arguments, each leaving a trace in scratch memory: 2^30 ways, which are merged for z3."""
    lines = ["ld #0", "st M[0]"]
    for at in range(30):
        lines += [f"ld [{16 + 4 * (at % 12)}]", f"jset #{1 << (at % 32):#x}, yes{at}, no{at}"]
        lines += [f"yes{at}: ld M[0]", "add #1", "st M[0]", f"no{at}: ldx #0"]
    text = "\n".join([*lines, "ld M[0]", "jeq #30, l, n", "l: ret #0x7fff0000", "n: ret #0x50001"])
    stack = stack_of(text)
    with pytest.raises(Beyond):
        outcomes(starts_of(stack), {NR: 1, ARCH: X86_64})
    found = prove(stack, X86_64, 1)
    assert (found.answer, found.method) == (CallPermission.DEPENDS, "z3")
    assert holds(stack, found)


def test_many_values_still_show_both_answers() -> None:
    stack = stack_of("ld [16]\nret a")
    found = prove(stack, X86_64, 39)
    assert found.answer is CallPermission.DEPENDS
    assert 2 <= len(found.witnesses) <= 16
    assert holds(stack, found)


def test_calls_of_32_bit_programs() -> None:
    stack = stack_of("ld [20]\njeq #0, l2, l3\nret #0x7fff0000\nret #0x50001")
    assert Oracle(stack).prove(20, I386).answer is CallPermission.DEPENDS
    assert Oracle(stack, narrow("little")).prove(20, I386).answer is CallPermission.ALWAYS_ALLOW
    mixed = stack_of("ld [20]\nadd #1\njeq #1, l3, l4\nret #0x7fff0000\nret #0x50001")
    assert Oracle(mixed, narrow("little")).prove(20, I386).answer is CallPermission.ALWAYS_ALLOW


@pytest.mark.slow
def test_sets_and_solver_agree() -> None:
    agreed = 0
    for seed in seeds(150):
        stack, rng = random_stack(seed), Random(seed)
        nr, arch = rng.choice((*EDGES, 39, 100)), rng.choice(ARCHS)
        known = {NR: nr, ARCH: arch}
        by_solver = proof(symbolic.outcomes(starts_of(stack), known).calls, "z3")
        assert holds(stack, by_solver), seed
        try:
            by_sets = proof(outcomes(starts_of(stack), known), "sets")
        except Beyond:
            continue
        assert holds(stack, by_sets), seed
        assert by_sets.answer is by_solver.answer, seed
        if len(by_solver.witnesses) < 16:
            assert {w.value for w in by_sets.witnesses} == {w.value for w in by_solver.witnesses}, seed
        agreed += 1
    assert agreed > 100


POSSIBLE = {
    CallFate.ALLOWED: {CallPermission.DEPENDS, CallPermission.ALWAYS_ALLOW, CallPermission.ALWAYS_LOG},
    CallFate.LOGGED: {CallPermission.DEPENDS, CallPermission.ALWAYS_LOG},
    CallFate.DENIED: {CallPermission.DEPENDS, CallPermission.NEVER_ALLOW},
}


def test_classes_speak_for_every_number_in_them() -> None:
    among = abi_numbers("x86_64", 60) | number_set(EDGES)
    for seed in seeds(40):
        stack, rng = random_stack(seed), Random(seed)
        arch = rng.choice(ARCHS)
        seen = EMPTY
        for part, found in Oracle(stack).classes(arch, among):
            assert not seen & part
            seen |= part
            for nr in rng.sample(sorted(part), min(3, len(part))):
                assert holds(stack, found.about(nr)), (seed, nr)
                for _ in range(3):
                    args = tuple(rng.choice((0, operand(rng), rng.getrandbits(64))) for _ in range(6))
                    kind = fate_of(decide(stack, Call(nr, arch, rng.getrandbits(48), args)))
                    assert found.answer in POSSIBLE[kind]
        assert seen == among


def test_a_class_may_be_all_numbers() -> None:
    stack = stack_of("ld [0]\njge #100, l2, l4\nld [16]\njeq #1, l4, l5\nret #0x7fff0000\nret #0")
    classes = Oracle(stack).classes(X86_64, ranges((0, 0xFFFFFFFF)))
    assert {str(part): found.answer for part, found in classes} == {
        "0-99": CallPermission.ALWAYS_ALLOW,
        "100-4294967295": CallPermission.DEPENDS,
    }


def test_numbers_tested_again_behind_an_argument_are_told_apart() -> None:
    text = "ld [16]\njeq #1, l4, l2\nld [0]\njeq #7, l4, l5\nret #0x7fff0000\nret #0"
    classes = Oracle(stack_of(text)).classes(X86_64, ranges((0, 9)))
    assert {str(part): found.answer for part, found in classes} == {
        "7": CallPermission.ALWAYS_ALLOW,
        "0-6, 8-9": CallPermission.DEPENDS,
    }


def test_numbers_computed_with_are_asked_about_alone() -> None:
    text = "ld [0]\nlsh #1\njeq #14, l5, l3\nld [16]\njeq #0, l5, l6\nret #0x7fff0000\nret #0"
    oracle = Oracle(stack_of(text))
    assert set(oracle.always_allowed(X86_64, ranges((0, 9)))) == {7}
    assert len(oracle.classes(X86_64, ranges((0, 9)))) == 10


def test_what_is_cached_is_always_allowed() -> None:
    """Every design is sound, on generated stacks and on the container profile, where all that it may cache is."""
    facts = KERNELS["6.1"]
    for seed in seeds(40):
        stack, arch = random_stack(seed), ARCHS[seed % len(ARCHS)]
        for design in designs(facts):
            cached = design.cached(stack, arch) & (abi_numbers("x86_64", 40) | number_set(EDGES))
            assert Oracle(stack).always_allowed(arch, cached) == cached, (seed, design.name)
    stack = next(iter(members("x86_64"))).stack
    always = Oracle(stack).always_allowed(X86_64, abi_numbers("x86_64", 451))
    for design in designs(facts):
        assert design.cached(stack, X86_64) & abi_numbers("x86_64", 451) == always


def test_a_solver_that_gives_up_is_the_machines_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbolic, "TIMEOUT", 1)
    body = "\n".join("mul x\nadd #0x9e3779b1\ntax\nld [24]\nmul x" for _ in range(30))
    stack = stack_of(f"ld [16]\ntax\nld [20]\n{body}\njeq #0x12345678, y, n\ny: ret #0x7fff0000\nn: ret #0")
    with pytest.raises(MachineError, match="z3 gives up"):
        prove(stack, X86_64, 1)


@pytest.mark.slow
def test_threads_ask_at_once_and_get_the_same_answers() -> None:
    """Suites are prepared and read side by side; z3 once corrupted the process that way."""
    asked = [(random_stack(1_000_000 + seed), abi) for seed in (100, 108, 136, 147) for abi in ("x86_64", "i386")]
    with ThreadPoolExecutor(4) as threads:
        at_once = list(threads.map(lambda pair: tuple(witnesses(pair[0], (), pair[1])), asked))
    assert at_once == [tuple(witnesses(stack, (), abi)) for stack, abi in asked]
    assert any(at_once)


def test_ctrl_c_is_not_the_solvers(monkeypatch: pytest.MonkeyPatch) -> None:
    """While z3 works it takes SIGINT for itself, and the program's own handler never hears of it, unless it is told."""
    told: list[tuple[object, ...]] = []
    real = z3.Solver.set

    def listen(solver: object, *words: object) -> None:
        told.append(words)
        real(solver, *words)

    monkeypatch.setattr(z3.Solver, "set", listen)
    stack = (assemble("ld [16]\njeq #5, no\nret #0x7fff0000\nno: ret #0x50000"),)
    assert symbolic.outcomes(starts_of(stack), {}).calls
    assert told[0] == ("ctrl_c", False)
