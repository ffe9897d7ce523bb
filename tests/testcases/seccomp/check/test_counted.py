# SPDX-License-Identifier: GPL-2.0-or-later
"""What is cached, told from counted instructions: kernels whose figures are made up, right and wrong."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from configs.model import SuiteChoice
from configs.result import Figure, Status, TestResult
from guests.crash.outcome import End, Outcome, StepOutcome
from initramfs.job import Step
from testcases.benchmark.figure_lines import FigureLine
from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.seccomp_data import ABIS, X32_BIT
from testcases.seccomp.bpf.validate import attach
from testcases.seccomp.check.counted import LENGTH, counted_stacks, judged, payload_of, sampled
from testcases.seccomp.prove.designs import Merged
from testcases.seccomp.prove.facts import KERNELS
from testcases.seccomp.suite import Seccomp

FREE, HIT = 211, 137
ABI_NAMES = ("x86_64", "x32", "i386", "aarch64", "arm")
Hit = Callable[[str, Stack, int], bool]


def as_model(abi: str, kernel: str = "5.10") -> Hit:
    model, arch = Merged(KERNELS[kernel]), ABIS[abi].audit_arch
    cached = cache(lambda stack: model.cached(stack, arch))
    return lambda _name, stack, nr: nr in cached(stack)


def readings(abi: str, hit: Hit, kernel: str = "5.10") -> list[FigureLine]:
    numbers = sampled(abi, KERNELS[kernel].sizes[ABIS[abi].audit_arch])
    found = [(f"none/{nr:#x}", "unfiltered", FREE) for nr in numbers]
    for name, stack in counted_stacks(abi).items():
        for nr in numbers:
            for mode, each in (("interpreted", 10), ("compiled", 2)):
                cost = HIT if hit(name, stack, nr) else len(stack) * LENGTH * each
                found.append((f"{name}/{nr:#x}", mode, FREE + cost))
    return [FigureLine(test, mode, Figure(mode, value, "insns")) for test, mode, value in found]


def results(abi: str, hit: Hit, kernel: str = "5.10") -> dict[str, TestResult]:
    return {result.name: result for result in judged(abi, kernel, readings(abi, hit, kernel))}


@pytest.mark.parametrize("abi", ABI_NAMES)
def test_each_abi_has_numbers_of_both_kinds(abi: str) -> None:
    arch = ABIS[abi].audit_arch
    numbers = sampled(abi, 441)
    cached = {name: set(numbers) & set(Merged(KERNELS["5.10"]).cached(stack, arch)) for name, stack in
              counted_stacks(abi).items()}  # fmt: skip
    assert all(found and found < set(numbers) for found in cached.values())
    assert not any(any(attach(stack)) for stack in counted_stacks(abi).values())
    if abi != "x32":
        assert {440, 441, 442} <= set(numbers)
        assert len({frozenset(found) for found in cached.values()}) >= 5
    else:
        assert all(not nr & X32_BIT for found in cached.values() for nr in found)


@pytest.mark.parametrize("abi", ABI_NAMES)
@pytest.mark.parametrize("kernel", ["5.10", "6.12"])
def test_a_kernel_that_does_as_the_model_says(abi: str, kernel: str) -> None:
    assert {result.status for result in results(abi, as_model(abi, kernel), kernel).values()} == {Status.PASS}


def test_a_kernel_without_a_cache_is_not_judged() -> None:
    found = results("x86_64", lambda _name, _stack, _nr: False)
    assert {result.status for result in found.values()} == {Status.SKIP}


def test_a_number_too_many_and_one_too_few() -> None:
    right = as_model("x86_64")
    found = results("x86_64", lambda name, stack, nr: right(name, stack, nr) or (name == "allow" and nr == 441))
    assert [name for name, result in found.items() if result.status is Status.FAIL] == ["allow"]
    assert found["allow"].message.startswith("nr 0x1b9: 137 instructions more than without a filter, from the cache")
    found = results("x86_64", lambda name, stack, nr: right(name, stack, nr) and (name, nr) != ("pair", 440))
    assert [name for name, result in found.items() if result.status is Status.FAIL] == ["pair"]
    assert "by the filters" in found["pair"].message


def test_without_a_model_calls_are_counted_and_nothing_is_judged() -> None:
    right = as_model("x86_64")
    few = readings("x86_64", lambda name, stack, nr: right(name, stack, nr) and (name, nr) != ("pair", 440))
    found = {result.name: result for result in judged("x86_64", "5.10", few, by_model=False)}
    assert {result.status for result in found.values()} == {Status.PASS}
    model = {result.name: result.figures[0].value for result in judged("x86_64", "5.10", few)}
    assert {result.name: result.figures for result in found.values()} == {
        name: (Figure("cached", value, "hits"),) for name, value in model.items()
    }
    assert found["allow"].figures[0].value > found["pair"].figures[0].value > 0
    none = readings("x86_64", lambda _name, _stack, _nr: False)
    free = {result.name: result for result in judged("x86_64", "5.10", none, by_model=False)}
    assert {(result.status, result.figures[0].value) for result in free.values()} == {(Status.PASS, 0)}


def test_a_figure_that_is_missing_is_no_answer() -> None:
    kept = [reading for reading in readings("i386", as_model("i386")) if reading.test != "denied/0x1b8"]
    found = {result.name: result for result in judged("i386", "5.10", kept)}
    assert (found["denied"].status, found["denied"].message) == (Status.MISS, "not counted: 0x1b8")
    assert found["allow"].status is Status.PASS


def test_it_runs_on_a_guest_that_counts_and_owes_every_stack() -> None:
    made = payload_of("arm", "5.10", b"ELF", b"plan", SuiteChoice(name="seccomp/counted"))
    assert made.counted
    lines = "".join(
        f"figure\t{reading.test}/{reading.name}\tinsns\t{reading.figure.value}\t{reading.figure.value}\n"
        for reading in readings("arm", as_model("arm"))
        if reading.figure
    )
    found = Seccomp().read(made, outcome(made.steps[0], lines))
    assert {result.status for result in found} == {Status.PASS}
    assert {result.name for result in found} == {"counted", *counted_stacks("arm")}
    lost = Seccomp().read(made, outcome(made.steps[0], lines[:400], "signalled", 9))
    assert {result.name: result.status for result in lost}["allow"] is Status.MISS
    wrong = Seccomp().read(made, outcome(made.steps[0], "what?\n"))
    assert wrong[0].status is Status.ERROR


def outcome(step: Step, stdout: str, how: str = "exited", value: int = 0) -> Outcome:
    ended = StepOutcome(step, how, value, 1.0, stdout.encode(), b"")
    return Outcome(End.FINISHED, "", (ended,), (), Path("log"), (), "tcg", "7.2", 1.0)
