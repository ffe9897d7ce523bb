# SPDX-License-Identifier: GPL-2.0-or-later
"""Every check against a played kernel: silent while it does what the models say, and not once it does not."""

import signal
from collections.abc import Callable
from dataclasses import replace

import pytest

from configs.result import Status, TestResult
from testcases.seccomp.agent.batch import Batch, CallTable, Way, as_ranges
from testcases.seccomp.agent.observation import AnswerKind, AnswerRun, AttachAttempt, CallAnswer, Seen, observe
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import Instruction, Program, Stack
from testcases.seccomp.bpf.opcodes import RET_K
from testcases.seccomp.bpf.seccomp_data import (
    RET_ALLOW,
    RET_ERRNO,
    RET_KILL_PROCESS,
    RET_KILL_THREAD,
    RET_LOG,
    RET_TRACE,
    RET_TRAP,
    RET_USER_NOTIF,
    X32_BIT,
)
from testcases.seccomp.check.checks import check_attach, check_behaviour
from testcases.seccomp.check.context import CheckContext
from testcases.seccomp.check.results import results
from testcases.seccomp.edges.code import ALLOW, LD_ARCH, LD_NR, errno, ja, jeq, ld, unless
from testcases.seccomp.filters.libseccomp import number
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.fuzz.generate import random_stack
from testcases.seccomp.prove.decider import Decider
from testcases.seccomp.trials.expect import agrees, agrees_anyway, canonical, denial
from testcases.seccomp.trials.trials import make_batch
from tests.testcases.seccomp.check.played import ADDRESS, FPROG, PlayedKernel

GETPPID = 110
REFUSES = (LD_NR, *unless([GETPPID], errno(3000)))
LOOKS = (LD_NR, jeq(GETPPID, 0, 3), ld(16), jeq(7, 1, 0), errno(3001), ALLOW)
STACKS: dict[str, Stack] = {
    "small/one": (REFUSES,),
    "small/two": (REFUSES, LOOKS),
    "small/arch": ((LD_ARCH, jeq(0xC000003E, 1, 0), ALLOW, *REFUSES),),
    "small/looser": (REFUSES, (ALLOW,)),
    "small/stricter": ((ALLOW,), REFUSES),
    "small/silent": ((LD_NR, jeq(number("seccomp", "x86_64") or 0, 0, 1), errno(0), ALLOW), REFUSES),
    "small/refused": (REFUSES, (ja(5), ALLOW)),
    **{f"fuzz/{seed}": random_stack(seed) for seed in (3, 5)},
}


def batch_of(abi: str) -> Batch:
    """With but a few of the numbers, so that it is quick."""
    whole = make_batch(abi, (NamedStack(name, stack) for name, stack in STACKS.items()), "5.10")
    thin = (replace(table, ranges=as_ranges(filter(_interesting, table.numbers))) for table in whole.tables)
    return replace(whole, tables=tuple(thin))


def _interesting(nr: int) -> bool:
    low = nr & ~X32_BIT
    return low < 20 or 105 <= low < 115 or 438 <= low < 444 or nr >> 31 == 1


BATCH = batch_of("x86_64")


def judged(kernel: PlayedKernel, *, cache: bool = True) -> dict[str, TestResult]:
    batch = BATCH if kernel.abi == "x86_64" else batch_of(kernel.abi)
    context = CheckContext(kernel.abi, number("seccomp", kernel.abi) or 0, batch, observe(kernel.stream(batch)))
    return {result.name: result for result in results(context, cache=cache, excuse="it ended")}


def failing(found: dict[str, TestResult]) -> set[str]:
    return {name.rpartition(".")[2] for name, result in found.items() if result.status is Status.FAIL}


@pytest.mark.parametrize("abi", ["x86_64", "x32", "i386"])
def test_a_kernel_that_does_as_the_models_say(abi: str) -> None:
    found = judged(PlayedKernel(abi))
    assert {result.status for result in found.values()} == {Status.PASS}
    checks = {"attach", "behaviour", "bitmap", "cached", "inherited"}
    groups = {"/".join(name.split("/")[:2]) for name in STACKS}
    assert set(found) == {f"{group}.{check}" for group in groups for check in checks}


def test_without_the_file_the_checks_of_the_cache_are_skipped() -> None:
    found = judged(PlayedKernel(cacheless=True))
    assert found["small/one.bitmap"].status is Status.SKIP
    assert found["small/one.behaviour"].status is Status.PASS
    assert not [
        name for name in judged(PlayedKernel(), cache=False) if name.endswith(("bitmap", "cached", "inherited"))
    ]


class OneNumberAllowed(PlayedKernel):
    def decide(self, stack: Stack, call: Call) -> int:
        return RET_ALLOW if call.nr == GETPPID else Decider(stack).decide(call)


class OtherErrno(PlayedKernel):
    def decide(self, stack: Stack, call: Call) -> int:
        value = Decider(stack).decide(call)
        return value + 1 if value == RET_ERRNO | 3000 else value


class ArchIgnored(PlayedKernel):
    def decide(self, stack: Stack, call: Call) -> int:
        return Decider(stack).decide(Call(call.nr, 0, call.ip, call.args))


class OneBitMore(PlayedKernel):
    def cached(self, stack: Stack, name: str) -> frozenset[int]:
        return super().cached(stack, name) | {GETPPID}


class OneBitLess(PlayedKernel):
    def cached(self, stack: Stack, name: str) -> frozenset[int]:
        return super().cached(stack, name) - {7}


class NewestOnly(PlayedKernel):
    def cached(self, stack: Stack, name: str) -> frozenset[int]:
        return super().cached(stack[-1:], name)


class OtherRefusal(PlayedKernel):
    def refuse(self, stack: Stack) -> int:
        return 12 if super().refuse(stack) else 0


@pytest.mark.parametrize(
    ("kernel", "checks"),
    [
        (OneNumberAllowed, {"behaviour"}),
        (OtherErrno, {"behaviour"}),
        (ArchIgnored, {"behaviour"}),
        (OneBitMore, {"bitmap", "cached"}),
        (OneBitLess, {"bitmap"}),
        (NewestOnly, {"bitmap", "cached", "inherited"}),
        (OtherRefusal, {"attach"}),
    ],
)
def test_each_fault_is_seen(kernel: Callable[[], PlayedKernel], checks: set[str]) -> None:
    found = judged(kernel())
    assert failing(found) >= checks
    assert failing(found) <= {*checks, "attach"}
    worst = next(result for result in found.values() if result.status is Status.FAIL)
    assert worst.message
    assert "filter 0:" in worst.output


class Remembers(PlayedKernel):
    """What a stack that began with the same filter allowed whatever the arguments are, it allows for ever."""

    def stream(self, batch: Batch) -> bytes:
        self.allowed: set[tuple[Stack, int, int]] = set()
        return super().stream(batch)

    def decide(self, stack: Stack, call: Call) -> int:
        asked = (stack[:1], call.nr, call.arch)
        if Decider(stack).constant(call.nr, call.arch) == RET_ALLOW and call.nr != number("seccomp", self.abi):
            self.allowed.add(asked)
        return RET_ALLOW if asked in self.allowed else super().decide(stack, call)


class HastyBetween(PlayedKernel):
    """Before the second filter is there the first one has no say."""

    def decide(self, stack: Stack, call: Call) -> int:
        return RET_ALLOW if len(stack) == 1 and stack[0] == REFUSES else super().decide(stack, call)


def without_calls_between(batch: Batch) -> Batch:
    return replace(batch, trials=tuple(replace(trial, between=()) for trial in batch.trials))


def test_what_a_call_leaves_behind_is_seen_by_calls_between_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(Remembers())
    assert [name for name, result in found.items() if result.status is Status.FAIL] == ["small/stricter.behaviour"]
    assert f"nr {GETPPID:#x}" in found["small/stricter.behaviour"].message
    monkeypatch.setattr(f"{__name__}.BATCH", without_calls_between(BATCH))
    assert failing(judged(Remembers())) == set()


def test_a_call_between_filters_is_judged_by_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    two = replace(BATCH, trials=tuple(trial for trial in BATCH.trials if trial.name == "small/two"))
    (between,) = two.trials[0].between
    assert between.filter == 0
    assert GETPPID in between.numbers
    monkeypatch.setattr(f"{__name__}.BATCH", two)
    found = judged(HastyBetween())
    assert found["small/two.behaviour"].message.startswith("small/two: after filter 0: nr 0x6e ")
    sane, lost = judged(PlayedKernel()), replace(two, trials=(replace(two.trials[0], between=(between, between)),))
    assert sane["small/two.behaviour"].observed != found["small/two.behaviour"].observed
    stream = observe(PlayedKernel().stream(two))
    context = CheckContext("x86_64", number("seccomp", "x86_64") or 0, lost, stream)
    (result,) = (result for result in results(context, cache=False, excuse="") if result.name == "small/two.behaviour")
    assert "after filter 0: no answers" in result.message


@pytest.mark.parametrize("cut", [True, False])
def test_a_table_with_too_few_answers_is_no_pass(cut: bool) -> None:
    stream = observe(PlayedKernel().stream(BATCH))
    first = stream.trials[0].runs[0]
    length = sum(run.length for run in first)
    stream.trials[0].runs[0] = [first[0]._replace(length=first[0].length - 1), *first[1:]] if cut else []
    context = CheckContext("x86_64", number("seccomp", "x86_64") or 0, BATCH, stream)
    (result,) = (result for result in results(context, cache=False, excuse="") if result.name == "small/one.behaviour")
    assert f"table 0: {length - 1 if cut else 'no'} answers, not {length}" in result.message + result.output


def test_no_call_between_filters_ends_the_task() -> None:
    kills = (LD_NR, *unless([5, 6, 7], Instruction(RET_K, k=RET_KILL_PROCESS)))
    names = [NamedStack("few/kills", (kills, REFUSES, (ALLOW,)))] * 3
    made = make_batch("x86_64", names, "5.10")
    assert [between.filter for trial in made.trials for between in trial.between] == [0, 1, 0]
    for trial in made.trials:
        (between,) = trial.between
        assert not {5, 6, 7} & set(between.numbers)
    assert not make_batch("x86_64", [NamedStack("few/one", (REFUSES,))], "5.10").trials[0].between
    assert not make_batch("x86_64", [NamedStack("few/fork", (REFUSES, REFUSES), Way.FORK)], "5.10").trials[0].between


def test_behaviour_is_compared_and_the_cache_is_not() -> None:
    sane, other, bits = judged(PlayedKernel()), judged(OtherErrno()), judged(OneBitLess())
    name = "small/one.behaviour"
    assert sane[name].observed
    assert sane[name].observed != other[name].observed
    assert sane[name].observed == bits[name].observed == judged(PlayedKernel(cacheless=True))[name].observed


def test_stacks_that_were_not_reached_are_missed() -> None:
    found = judged(PlayedKernel(break_off=2))
    assert found["small/one.behaviour"].status is Status.PASS
    lost = found["small/refused.behaviour"]
    assert (lost.status, lost.observed) == (Status.MISS, "")
    assert "it ended" in lost.message


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (RET_ALLOW, None),
        (RET_LOG | 7, None),
        (RET_ERRNO | 13, CallAnswer(AnswerKind.RETURNED, -13)),
        (RET_ERRNO | 0xFFFF, CallAnswer(AnswerKind.RETURNED, -4095)),
        (RET_ERRNO, CallAnswer(AnswerKind.RETURNED, 0)),
        (RET_TRAP | 5, CallAnswer(AnswerKind.TRAPPED, 5)),
        (RET_TRACE | 5, CallAnswer(AnswerKind.RETURNED, -38)),
        (RET_USER_NOTIF, CallAnswer(AnswerKind.RETURNED, -38)),
        (RET_KILL_THREAD, CallAnswer(AnswerKind.KILLED, 31)),
        (RET_KILL_PROCESS, CallAnswer(AnswerKind.KILLED, 31)),
        (0x12340000, CallAnswer(AnswerKind.KILLED, 31)),
    ],
)
def test_what_a_value_comes_to(value: int, wanted: CallAnswer | None) -> None:
    assert denial(value) == wanted


NATURAL = CallAnswer(AnswerKind.RETURNED, -9)
SAME = CallAnswer(AnswerKind.SAME)
EPERM = CallAnswer(AnswerKind.RETURNED, -1)
POSSIBLE = frozenset({EPERM, CallAnswer(AnswerKind.RETURNED, -38)})


@pytest.mark.parametrize(
    ("value", "seen", "natural", "right"),
    [
        (RET_ALLOW, SAME, NATURAL, True),
        (RET_ALLOW, CallAnswer(AnswerKind.RETURNED, 4711), NATURAL, True),
        (RET_ALLOW, EPERM, NATURAL, False),
        (RET_ALLOW, EPERM, EPERM, True),
        (RET_ALLOW, CallAnswer(AnswerKind.KILLED, 31), NATURAL, False),
        (RET_ALLOW, CallAnswer(AnswerKind.TRAPPED, 0), NATURAL, False),
        (RET_ALLOW, CallAnswer(AnswerKind.EXITED, 1), NATURAL, False),
        (RET_ALLOW, CallAnswer(AnswerKind.EXITED, 1), None, True),
        (RET_ALLOW, CallAnswer(AnswerKind.NOTHING), NATURAL, False),
        (RET_ALLOW, CallAnswer(AnswerKind.RETURNED, -38), NATURAL, False),
        (RET_ALLOW, CallAnswer(AnswerKind.RETURNED, -38), None, True),
        (RET_ERRNO | 1, EPERM, NATURAL, True),
        (RET_ERRNO | 1, SAME, NATURAL, False),
        (RET_ERRNO | 1, SAME, EPERM, True),
        (RET_ERRNO | 1, CallAnswer(AnswerKind.RETURNED, -2), NATURAL, False),
        (RET_TRAP | 1, CallAnswer(AnswerKind.TRAPPED, 2), NATURAL, False),
        (RET_TRAP | 1, CallAnswer(AnswerKind.TRAPPED_ODDLY, 1), NATURAL, False),
    ],
)
def test_whether_an_answer_agrees(value: int, seen: CallAnswer, natural: CallAnswer | None, right: bool) -> None:
    assert agrees(value, seen, natural, POSSIBLE) is right
    assert right or not agrees_anyway(value, seen)


def test_what_counts_as_a_denial() -> None:
    assert canonical(EPERM, POSSIBLE) == EPERM
    assert canonical(CallAnswer(AnswerKind.RETURNED, -2), POSSIBLE) is None
    assert canonical(SAME, POSSIBLE) is None
    assert canonical(CallAnswer(AnswerKind.KILLED, 31), POSSIBLE) == CallAnswer(AnswerKind.KILLED, 31)


@pytest.mark.parametrize(
    ("way", "value", "ended"),
    [
        (Way.PLAIN, RET_KILL_THREAD, AnswerKind.KILLED),
        (Way.THREAD, RET_KILL_PROCESS, AnswerKind.KILLED),
        (Way.THREAD, 0x12340000, AnswerKind.KILLED),
        (Way.THREAD, RET_KILL_THREAD, AnswerKind.BLOCKED),
    ],
)
def test_a_thread_that_is_killed_alone_leaves_its_process_waiting(way: Way, value: int, ended: AnswerKind) -> None:
    """By a filter that kills whoever attaches from one address, which nobody knows when the batch is made."""
    kills = (ld(32), jeq(FPROG, 0, 1), Instruction(RET_K, k=value), ALLOW)
    batch = make_batch("x86_64", [NamedStack("few/kills", (kills, REFUSES), way)], "5.10")
    context = CheckContext("x86_64", number("seccomp", "x86_64") or 0, batch, observe(PlayedKernel().stream(batch)))
    ran, (trial,) = AttachAttempt(CallAnswer(AnswerKind.RETURNED, 0), 1), batch.trials
    assert trial.way is way
    for kind in (AnswerKind.KILLED, AnswerKind.BLOCKED):
        answer = CallAnswer(kind, signal.SIGSYS if kind is AnswerKind.KILLED else 0)
        seen = Seen(attempts=[ran, AttachAttempt(answer, FPROG)], done=True)
        attached = check_attach(context, trial, seen)
        assert bool(attached.complaints) is (kind is not ended)
        assert list(check_behaviour(context, trial, seen, attached)) == []


@pytest.mark.parametrize(("rest", "silent"), [(AnswerKind.LEFT_OUT, True), (AnswerKind.NOTHING, False)])
def test_calls_that_the_agent_had_no_task_left_for_are_no_complaint(rest: AnswerKind, silent: bool) -> None:
    """A filter that kills by the address of the call, which nobody knows when the batch is made."""
    program = (ld(8), jeq(ADDRESS, 0, 1), Instruction(RET_K, k=RET_KILL_PROCESS), ALLOW)
    batch = make_batch("x86_64", [NamedStack("few/kills", (program,))], "5.10")
    stream = observe(PlayedKernel().stream(batch))
    seen, killed = stream.trials[0], CallAnswer(AnswerKind.KILLED, signal.SIGSYS)
    lengths = {table: sum(run.length for run in runs) for table, runs in seen.runs.items()}
    seen.runs = {table: [AnswerRun(length, CallAnswer(rest))] for table, length in lengths.items()}
    seen.runs[0] = [AnswerRun(33, killed), AnswerRun(lengths[0] - 33, CallAnswer(rest))]
    context = CheckContext("x86_64", number("seccomp", "x86_64") or 0, batch, stream)
    attached = check_attach(context, batch.trials[0], seen)
    complaints = list(check_behaviour(context, batch.trials[0], seen, attached))
    assert bool(complaints) is not silent
    assert all("was not made" in complaint.text for complaint in complaints)


class ArgumentsForgotten(PlayedKernel):
    """Of one call only, and none that is harmless."""

    def decide(self, stack: Stack, call: Call) -> int:
        return super().decide(stack, replace(call, args=(0,) * 6) if call.nr == number("clone", self.abi) else call)


def asking_clone() -> Program:
    return (LD_NR, jeq(number("clone", "x86_64") or 0, 0, 3), ld(16), jeq(7, 0, 1), errno(3000), ALLOW)


def test_arguments_of_a_call_that_may_do_harm_count(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = make_batch("x86_64", [NamedStack("small/clone", (asking_clone(),))], "5.10")
    monkeypatch.setattr(f"{__name__}.BATCH", batch)
    assert failing(judged(PlayedKernel())) == set()
    found = judged(ArgumentsForgotten())
    assert failing(found) == {"behaviour"}
    assert f"nr {number('clone', 'x86_64'):#x}" in found["small/clone.behaviour"].message


class EndsDifferently(PlayedKernel):
    """A clone that runs ends its task."""

    def _answer(self, stack: Stack, table: CallTable, nr: int) -> CallAnswer:
        found = super()._answer(stack, table, nr)
        ran = found.kind is AnswerKind.SAME and nr == number("clone", self.abi)
        return CallAnswer(AnswerKind.SIGNALLED, signal.SIGSEGV) if ran else found


def test_a_call_alone_may_end_its_task_where_it_did_not_without_a_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """rt_sigreturn takes what happens to be on the stack. Among other calls, nothing may end the task."""
    together = make_batch("x86_64", [NamedStack("small/clone", (asking_clone(),))], "5.10")
    alone = replace(together, trials=tuple(replace(trial, works=trial.works[2:]) for trial in together.trials))
    assert alone.tables[alone.trials[0].works[0].table].alone
    monkeypatch.setattr(f"{__name__}.BATCH", alone)
    assert failing(judged(EndsDifferently())) == set()
    monkeypatch.setattr(f"{__name__}.BATCH", together)
    assert failing(judged(EndsDifferently())) == {"behaviour"}
