# SPDX-License-Identifier: GPL-2.0-or-later
"""Failing stacks made small in rounds of guests, here against played kernels that are wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from configs.model import SuiteChoice
from configs.result import Status, TestResult
from guests.crash.outcome import End, Outcome, StepOutcome
from testcases.registry import find_suite
from testcases.seccomp.agent import batch as batches
from testcases.seccomp.agent.batch import Trial, Way
from testcases.seccomp.agent.programs import agent_payload, batch_of
from testcases.seccomp.bpf.call import Call
from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.opcodes import JA
from testcases.seccomp.bpf.seccomp_data import RET_ALLOW
from testcases.seccomp.edges.code import ALLOW, LD_NR, errno, ja, jeq, ld, unless
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.filters.reproducer import FilterCase, load
from testcases.seccomp.prove.decider import Decider
from testcases.seccomp.suite import Seccomp
from testcases.seccomp.trials.stacks import group_of, stacks
from testcases.seccomp.trials.trials import make_batch
from testcases.suite import FollowingSuite, Payload, RepeatedFailure
from tests.testcases.seccomp.check.played import PlayedKernel
from util.events import Event, Phase

SUITE = Seccomp()
GETPPID = 110
RARE = (LD_NR, *unless([5, 7, GETPPID, 111], errno(3000)))
LONG = (LD_NR, *unless([1, 2, 3], errno(3001)))
KERNELS = ("--source", "git:/a b@v1", "--series", "v4.mbox")


@dataclass
class Followed:
    """What a follow-up came to: how many guests, and its results."""

    guests: int
    told: tuple[TestResult, ...]
    events: list[Event]


def payload_of(abi: str, *named: NamedStack) -> Payload:
    made = batches.encode(make_batch(abi, named, "5.10"))
    return agent_payload(abi, b"ELF", made, SuiteChoice(name="seccomp/fuzz"), KERNELS)


def outcome(payload: Payload, stream: bytes, folder: Path) -> Outcome:
    step = StepOutcome(payload.steps[0], "exited", 0, 1.0, stream, b"")
    return Outcome(End.FINISHED, "", (step,), (), folder / "console.log", (), "tcg", "7.2", 1.0)


def followed(kernel: PlayedKernel, payload: Payload, folder: Path) -> Followed:
    """Everything of which the suite says that it failed is followed up, each guest a played one."""
    found = SUITE.read(payload, outcome(payload, kernel.stream(batch_of(payload)), folder))
    failed = tuple(result for result in found if result.status is Status.FAIL)
    assert failed
    events: list[Event] = []
    follow_up = SUITE.follow_up(RepeatedFailure(payload, failed, folder, "patched/x86_64", events.append))
    guests = 0
    try:
        asked = next(follow_up)
        while True:
            guests += 1
            asked = follow_up.send(outcome(asked, kernel.stream(batch_of(asked)), folder))
    except StopIteration as end:
        return Followed(guests, end.value, events)


def case_in(folder: Path, origin: str) -> tuple[FilterCase, Stack]:
    return load(folder / "reproducers" / origin.replace("/", "-"))


class RunsAnyway(PlayedKernel):
    """One number runs whatever the filters say."""

    def decide(self, stack: Stack, call: Call) -> int:
        value = Decider(stack).decide(call)
        return RET_ALLOW if call.nr == GETPPID and value == errno(3000).k else value


class OneBitMore(PlayedKernel):
    def cached(self, stack: Stack, name: str) -> frozenset[int]:
        return super().cached(stack, name) | {GETPPID}


class NewestOnly(PlayedKernel):
    def cached(self, stack: Stack, name: str) -> frozenset[int]:
        return super().cached(stack[-1:], name)


class OneBitLess(PlayedKernel):
    def cached(self, stack: Stack, name: str) -> frozenset[int]:
        return super().cached(stack, name) - {440}


class LongJumpRefused(PlayedKernel):
    def refuse(self, stack: Stack) -> int:
        return 12 if any(insn.code == JA and insn.k > 2 for insn in stack[-1]) else super().refuse(stack)


JUMPS = (ld(0), ja(4), *(errno(1),) * 4, jeq(GETPPID, 0, 1), errno(3000), ALLOW)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kernel", "check", "filters", "instructions"),
    [(RunsAnyway, "behaviour", 1, 1), (OneBitMore, "cached", 1, 1), (NewestOnly, "cached", 2, 5),
     (OneBitLess, "bitmap", 1, 1), (LongJumpRefused, "attach", 1, 5)],
)  # fmt: skip
def test_a_failing_stack_gets_small(
    tmp_path: Path, kernel: Callable[[], PlayedKernel], check: str, filters: int, instructions: int
) -> None:
    stack = (LONG, JUMPS, RARE, LONG)
    found = followed(kernel(), payload_of("x86_64", NamedStack("few/jumps/a", stack)), tmp_path)
    case, small = case_in(tmp_path, "few/jumps/a")
    assert (case.check, len(small), sum(map(len, small))) == (check, filters, instructions)
    assert found.guests <= 25
    (told,) = (result for result in found.told if result.name == f"few/jumps.{check}")
    assert str(tmp_path / "reproducers" / "few-jumps-a") in told.message
    assert case.replay in told.output
    assert "--source 'git:/a b@v1' --series v4.mbox" in case.replay
    assert found.events[0].phase is Phase.START
    assert found.events[-1].phase is Phase.DONE


def test_one_stack_of_each_check_that_fails(tmp_path: Path) -> None:
    class Both(RunsAnyway, OneBitMore):
        pass

    clean = (LD_NR, *unless([GETPPID], errno(3001)))
    named: list[NamedStack] = [NamedStack("few/a/1", (RARE,)), NamedStack("few/b/1", (LONG, LONG))]
    named += [NamedStack("few/c/1", (clean,))]
    found = followed(Both(), payload_of("x86_64", *named), tmp_path)
    assert {result.name for result in found.told} == {"few/a.behaviour", "few/c.cached"}


def test_what_does_not_fail_again_is_left_alone(tmp_path: Path) -> None:
    payload = payload_of("x86_64", NamedStack("few/a/1", (RARE,)))
    failed = (TestResult("few/a.behaviour", Status.FAIL),)
    follow_up = SUITE.follow_up(RepeatedFailure(payload, failed, tmp_path, "x", lambda _event: None))
    asked = next(follow_up)
    assert {group_of(trial.name) for trial in batch_of(asked).trials} == {"few/a"}
    with pytest.raises(StopIteration) as end:
        follow_up.send(outcome(asked, PlayedKernel().stream(batch_of(asked)), tmp_path))
    assert end.value.value == ()
    assert not (tmp_path / "reproducers").exists()


def test_a_guest_that_crashes_costs_its_answers_alone(tmp_path: Path) -> None:
    """Every second guest ends in the middle."""

    class Falls(RunsAnyway):
        turn = 0

        def stream(self, batch: batches.Batch) -> bytes:
            self.turn += 1
            self.break_off = len(batch.trials) // 2 if self.turn % 2 == 0 and len(batch.trials) > 1 else -1
            return super().stream(batch)

    payload = payload_of("x86_64", NamedStack("few/a/1", (LONG, RARE, LONG)))
    followed(Falls(), payload, tmp_path)
    assert case_in(tmp_path, "few/a/1")[1] == ((errno(3000),),)


class WrongByThread(PlayedKernel):
    """Only a trial whose way is not the plain one fails: the played kernel is told by the batch."""

    def stream(self, batch: batches.Batch) -> bytes:
        wrong = all(trial.way is Way.THREAD for trial in batch.trials)
        return (RunsAnyway if wrong else PlayedKernel)(self.abi).stream(batch)


@pytest.mark.parametrize(("kernel", "way"), [(WrongByThread, Way.THREAD), (RunsAnyway, Way.PLAIN)])
def test_the_plain_way_where_it_fails_too(tmp_path: Path, kernel: Callable[[], PlayedKernel], way: Way) -> None:
    payload = payload_of("x86_64", NamedStack("few/a/1", (LONG, RARE), Way.THREAD))
    followed(kernel(), payload, tmp_path)
    case, small = case_in(tmp_path, "few/a/1")
    assert (case.way, len(small)) == (way.name, 1)
    choice = SuiteChoice(name="seccomp/replay", options={"files": str(tmp_path / "reproducers" / "few-a-1")})
    assert [found.way for found in stacks(choice, "x86_64", "x86_64")] == [way]


class Remembers(PlayedKernel):
    """A number that ran before the last filter was there runs ever after."""

    def _trial(self, batch: batches.Batch, index: int, trial: Trial) -> list[bytes]:
        self.early = {nr for between in trial.between for nr in between.numbers}
        return super()._trial(batch, index, trial)

    def decide(self, stack: Stack, call: Call) -> int:
        value = Decider(stack).decide(call)
        return RET_ALLOW if call.nr == GETPPID and value == errno(3000).k and call.nr in self.early else value


@pytest.mark.slow
def test_calls_between_the_filters_stay_where_they_are_needed(tmp_path: Path) -> None:
    payload = payload_of("x86_64", NamedStack("few/a/1", (LONG, LONG, RARE)))
    assert any(GETPPID in between.numbers for between in batch_of(payload).trials[0].between)
    followed(Remembers(), payload, tmp_path)
    case, small = case_in(tmp_path, "few/a/1")
    assert (case.between, len(small), len(small[1])) == (True, 2, 1)
    payload = payload_of("x86_64", NamedStack("few/b/1", (LONG, LONG, RARE)))
    followed(RunsAnyway(), payload, tmp_path)
    case, small = case_in(tmp_path, "few/b/1")
    assert (case.between, len(small)) == (False, 1)


@pytest.mark.parametrize(("abi", "nr"), [("x32", 0x40000000 | GETPPID), ("i386", 64)])
def test_the_other_abis(tmp_path: Path, abi: str, nr: int) -> None:
    class Wrong(PlayedKernel):
        def decide(self, stack: Stack, call: Call) -> int:
            value = Decider(stack).decide(call)
            return RET_ALLOW if call.nr == nr and value == errno(3000).k else value

    stack = ((ALLOW,), (LD_NR, *unless([3, nr], errno(3000))))
    followed(Wrong(abi), payload_of(abi, NamedStack("few/a/1", stack)), tmp_path)
    case, small = case_in(tmp_path, "few/a/1")
    assert (case.abi, case.nr, small) == (abi, nr, ((errno(3000),),))


def test_only_suites_that_can_are_asked() -> None:
    assert isinstance(SUITE, FollowingSuite)
    assert not isinstance(find_suite("boot")[0], FollowingSuite)
