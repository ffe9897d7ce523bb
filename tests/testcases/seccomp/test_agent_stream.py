# SPDX-License-Identifier: GPL-2.0-or-later
"""The batch that goes into a guest, and the stream that comes out of it."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testcases.seccomp.agent.batch import (
    Batch,
    CallsBetween,
    CallTable,
    Door,
    Single,
    Trial,
    Way,
    Work,
    as_ranges,
    decode,
    encode,
)
from testcases.seccomp.agent.observation import AnswerKind, CallAnswer, observe
from testcases.seccomp.bpf.instruction import Instruction
from testcases.seccomp.fuzz.generate import random_stack
from tests.testcases.seccomp.check.played import PlayedKernel

ARGS = (1, 2, 3, 4, 5, 2**64 - 1)
u32 = st.integers(0, 2**32 - 1)
few = st.lists(st.tuples(u32, st.integers(0, 3)), max_size=3).map(tuple)
tables = st.builds(CallTable, st.sampled_from(Door), st.just(ARGS), few)
singles = st.builds(Single, st.sampled_from(Door), u32, st.just(ARGS), st.booleans())
names = st.text("abc/-0123456789", min_size=1)
trials = st.builds(
    Trial,
    names,
    st.integers(0, 50).map(random_stack),
    st.lists(st.builds(Work, st.just(0), few), max_size=2).map(tuple),
    st.lists(singles, max_size=2).map(tuple),
    st.sampled_from(Way),
    st.lists(st.builds(CallsBetween, u32, st.just(0), st.lists(u32, max_size=3).map(tuple)), max_size=2).map(tuple),
)


@given(
    st.builds(
        Batch,
        st.lists(tables, min_size=1, max_size=3).map(tuple),
        st.lists(trials, max_size=3).map(tuple),
        st.just("5.10"),
    )
)
@settings(deadline=None, max_examples=40)
def test_a_batch_comes_back_as_it_was(batch: Batch) -> None:
    assert decode(encode(batch)) == batch


def test_programs_that_are_none_keep_their_bytes() -> None:
    batch = Batch((), (Trial("odd", ((), (Instruction(0xFFFF, 255, 255, 2**32 - 1),)), ()),))
    assert decode(encode(batch)) == batch


def test_a_batch_that_is_cut_off_or_another_file() -> None:
    data = encode(Batch((CallTable(Door.NATIVE, ARGS, ((0, 4),)),), ()))
    with pytest.raises(ValueError, match="cut off"):
        decode(data[:40])
    with pytest.raises(ValueError, match="not a batch"):
        decode(b"ELF!" + data[4:])


def test_too_many_filters() -> None:
    with pytest.raises(ValueError, match="at most 256 filters"):
        encode(Batch((), (Trial("many", ((Instruction(6),),) * 257, ()),)))


@given(st.sets(st.integers(0, 40)))
def test_ranges_are_the_numbers(numbers: set[int]) -> None:
    ranges = as_ranges(numbers)
    assert {first + step for first, count in ranges for step in range(count)} == numbers
    assert all(sum(one) < other[0] for one, other in pairwise(ranges))


def small_batch() -> Batch:
    table = CallTable(Door.NATIVE, ARGS, ((0, 8), (0xFFFFFFFF, 1)))
    return Batch(
        (table,), (Trial("one", random_stack(1), (Work(0),)), Trial("two", random_stack(2), (Work(0),))), "5.10"
    )


def test_a_whole_stream() -> None:
    seen = observe(PlayedKernel().stream(small_batch()))
    assert seen.complete
    assert not seen.problem
    assert seen.broken_off is None
    assert [trial.done for trial in seen.trials.values()] == [True, True]
    assert len(seen.natural[0]) == sum(run.length for run in seen.trials[0].runs[0]) == 9


def test_a_stream_names_the_stack_under_which_it_ended() -> None:
    seen = observe(PlayedKernel(break_off=1).stream(small_batch()))
    assert not seen.complete
    assert seen.broken_off == 1
    assert seen.trials[0].done


@pytest.mark.parametrize("cut", range(1, 400, 7))
def test_a_stream_that_is_cut_off_loses_its_last_record_only(cut: int) -> None:
    whole = PlayedKernel().stream(small_batch())
    seen = observe(whole[:-cut])
    assert not seen.complete
    assert not seen.problem


def test_a_damaged_stream_is_said_to_be() -> None:
    whole = PlayedKernel().stream(small_batch())
    assert "damaged" in observe(b"\xff" * 4 + whole[4:]).problem
    assert "version" in observe(whole[:8] + b"\x09" + whole[9:]).problem


def test_answers_in_words() -> None:
    assert str(CallAnswer(AnswerKind.KILLED, 31)) == "was killed by SIGSYS"
    assert str(CallAnswer(AnswerKind.TRAPPED, 7)) == "raised SIGSYS with errno 7"
    assert str(CallAnswer(AnswerKind.RETURNED, -1)) == "gave errno 1 (Operation not permitted)"
    assert str(CallAnswer(AnswerKind.RETURNED, -3000)) == "gave errno 3000"
    assert str(CallAnswer(AnswerKind.RETURNED, 7)) == "returned 7"
    for kind in AnswerKind:
        assert str(CallAnswer(kind))
