# SPDX-License-Identifier: GPL-2.0-or-later
"""What the end of a program and its output come to."""

import errno
import signal
from pathlib import Path

import pytest

from configs.result import Status, TestResult
from guests.crash.outcome import End, Outcome, StepOutcome
from initramfs.job import Step
from testcases.reading import OUTPUT_LIMIT, read_step

HEAD = "TAP version 13\n1..2\n"
PASS2 = HEAD + "ok 1 a\nok 2 b\n"
FAIL1 = HEAD + "ok 1 a\nnot ok 2 b\n"


def outcome(end: End = End.FINISHED, message: str = "it ended so") -> Outcome:
    return Outcome(end, message, (), (), Path("console.log"), (), "tcg", "7.2", 1.0)


def read(
    how: str,
    value: int = 0,
    stdout: str = "",
    stderr: str = "",
    end: End = End.FINISHED,
    origin: str = "tools/x/prog.c",
    name: str = "prog",
) -> tuple[TestResult, ...]:
    step = StepOutcome(Step(name, (f"./{name}",), timeout=45), how, value, 1.5, stdout.encode(), stderr.encode())
    return read_step(step, outcome(end), origin)


@pytest.mark.parametrize(
    ("value", "stdout", "status", "words"),
    [
        (0, PASS2, Status.PASS, ""),
        (1, FAIL1, Status.PASS, "exit status 1, as 1 of its 2 tests failed"),
        (0, FAIL1, Status.ERROR, "exit status 0 although 1 of its 2 tests failed"),
        (1, PASS2, Status.FAIL, "exit status 1 although none of its 2 tests failed"),
        (0, HEAD + "ok 1 a\n", Status.FAIL, "planned 2 tests and reported 1, then left with exit status 0"),
        (1, HEAD + "not ok 1 a\n", Status.FAIL, "planned 2 tests and reported 1"),
        (1, HEAD + "ok 1 a\nBail out! gone\n", Status.FAIL, "bailed out after 1 of 2 tests: gone"),
        (0, "TAP version 13\n", Status.ERROR, "without a single test"),
        (4, "TAP version 13\n1..0 # SKIP no device\n", Status.SKIP, "no device"),
        (1, "TAP version 13\n1..0 # SKIP no device\n", Status.FAIL, "although it says that it skips"),
        (4, "1..2\nok 1 # SKIP no root\nok 2 # SKIP no root\n", Status.SKIP, "no root"),
        (4, PASS2, Status.FAIL, "exit status 4 although none"),
        (0, HEAD + "PASS\nPASS\n# Totals: pass:2 fail:0 skip:0\n", Status.PASS, "reported 0"),
        (0, HEAD + "FAIL\nPASS\n# Totals: pass:1 fail:1 skip:0\n", Status.FAIL, "reported 0"),
        (0, HEAD + "PASS\n# Totals: pass:1 fail:0 skip:0\n", Status.FAIL, "reported 0"),
        (0, HEAD + "ok 2 b\nok 1 a\n", Status.PASS, "test 2 came where 1 was expected"),
    ],
)
def test_exit_status_and_output_have_to_agree(value: int, stdout: str, status: Status, words: str) -> None:
    own = read("exited", value, stdout)[0]
    assert own.name == "prog"
    assert own.status is status
    assert words in own.message


@pytest.mark.parametrize(
    ("value", "stderr", "status", "words"),
    [
        (0, "", Status.PASS, ""),
        (1, "x: bad thing", Status.FAIL, "exit status 1: x: bad thing"),
        (4, "no such device, skipping", Status.SKIP, "no such device, skipping"),
        (4, "FAIL: one\nFAIL: two\n", Status.FAIL, "would mean skipped"),
        (1, "./t.sh: line 3: ip: not found", Status.ERROR, "it needs `ip`"),
        (127, "", Status.ERROR, "a command that the image does not hold"),
        (0, "./t.sh: line 3: tput: not found", Status.PASS, "it called `tput`, which the image does not hold"),
        (0, "dmesg: invalid option -- 'C'\nBusyBox v1.35.0 multi-call", Status.PASS, "(dmesg: invalid option -- 'C')"),
        (1, "dmesg: invalid option -- 'C'\nBusyBox v1.35.0 multi-call", Status.ERROR, "needs busybox's `dmesg`"),
        (4, "grep: unrecognized option '--max-count'\nBusyBox v1\n\n -f FILE", Status.SKIP, "option '--max-count'"),
        (1, "dmesg: invalid option -- 'C'\nTry 'dmesg --help'", Status.FAIL, "exit status 1: Try"),
    ],
)
def test_a_program_without_tap(value: int, stderr: str, status: Status, words: str) -> None:
    (own,) = read("exited", value, "hello\n", stderr, origin="tools/x/prog.sh", name="prog.sh")
    assert own.status is status
    assert words in own.message


@pytest.mark.parametrize(
    ("stderr", "status", "words"),
    [
        (
            "sh: 1: addr2line: not found\nunexpected value: 3\n",
            Status.FAIL,
            "254: unexpected value: 3; it called `addr2line`",
        ),
        ("sh: 1: ip: not found\n", Status.ERROR, "it needs `ip`"),
    ],
)
@pytest.mark.parametrize("origin", ["tools/testing/selftests/kvm/a.c", "tools/testing/selftests/kvm"])
def test_a_program_in_c_fails_for_want_of_the_command_that_it_names_last(
    stderr: str, status: Status, words: str, origin: str
) -> None:
    (own,) = read("exited", 254, "", stderr, origin=origin)
    assert own.status is status
    assert words in own.message


@pytest.mark.parametrize(
    ("how", "value", "end", "status", "words"),
    [
        ("signalled", signal.SIGSEGV, End.FINISHED, Status.FAIL, "killed by SIGSEGV after 1 of 2 tests"),
        ("signalled", 63, End.FINISHED, Status.FAIL, "killed by signal 63"),
        ("timeout", 0, End.FINISHED, Status.FAIL, "had not ended after 45 s after 1 of 2 tests"),
        ("timeout", 2, End.FINISHED, Status.FAIL, "2 of its processes could not be killed"),
        ("unfinished", 0, End.PANIC, Status.FAIL, "the guest ended while it ran after 1 of 2 tests: it ended so"),
        ("unfinished", 0, End.QEMU_DIED, Status.MISS, "the guest ended while it ran"),
        ("never-ran", 0, End.PANIC, Status.MISS, "did not run: it ended so"),
        ("not-started", errno.ENOENT, End.FINISHED, Status.ERROR, "No such file"),
        ("not-started", errno.ENOEXEC, End.FINISHED, Status.FAIL, "Exec format error"),
        ("not-started", errno.ENOMEM, End.FINISHED, Status.MISS, "Cannot allocate memory"),
    ],
)
def test_other_ends(how: str, value: int, end: End, status: Status, words: str) -> None:
    stdout = "" if how in ("never-ran", "not-started") else HEAD + "ok 1 a\nok 2 hal"
    results = read(how, value, stdout, end=end)
    assert results[0].status is status
    assert words in results[0].message
    assert [result.name for result in results[1:]] == (["prog.a"] if stdout else [])


def test_names_do_not_depend_on_how_a_test_ends() -> None:
    good = "TAP version 13\n1..4\nok 1 [77] Result (0) is right\nok 2 name\nok 3 # SKIP check_it\nok 4 name\n"
    bad = "TAP version 13\n1..4\nnot ok 1 [78] Result (-22), not 0\nnot ok 2 name\nok 3 check_it\nnot ok 4 name\n"
    names = [result.name for result in read("exited", 0, good)]
    assert names == [result.name for result in read("exited", 1, bad)]
    assert names == ["prog", "prog.1", "prog.name", "prog.check_it", "prog.name#2"]


def test_a_sentence_is_kept_as_message() -> None:
    assert read("exited", 0, "1..1\nok 1 it does so\n")[1].message == "it does so"


def test_addresses_are_no_part_of_a_name() -> None:
    assert read("exited", 0, "1..1\nok 1 map@0x7f0012345678\n")[1].name == "prog.map@0x"


def test_outer_results_are_judged_like_programs() -> None:
    text = "1..3\n  1..1\n  not ok 1 x\nnot ok 1 s\n  1..1\n  ok 1 x\nnot ok 2 t\n  1..1\n  not ok 1 x\nok 3 u\n"
    found = {result.name: result.status for result in read("exited", 1, text)}
    assert found == {
        "prog": Status.PASS,
        "prog.s": Status.PASS,
        "prog.s.x": Status.FAIL,
        "prog.t": Status.FAIL,
        "prog.t.x": Status.PASS,
        "prog.u": Status.ERROR,
        "prog.u.x": Status.FAIL,
    }


def test_the_harness_complaint_becomes_the_message() -> None:
    stderr = "# p.c:9:other:Expected 3\n# p.c:7:two:Expected 1 (1) == x (2)\n# three: Test terminated by timeout\n"
    text = "TAP version 13\n1..3\nok 1 g.one\nnot ok 2 g.two\nnot ok 3 g.three\n"
    results = read("exited", 1, text, stderr)
    assert [result.message for result in results[2:]] == [
        "p.c:7: Expected 1 (1) == x (2)",
        "Test terminated by timeout",
    ]
    assert results[2].output == "# p.c:7:two:Expected 1 (1) == x (2)"


def test_long_output_keeps_its_end() -> None:
    own = read("exited", 1, "x" * (OUTPUT_LIMIT + 10) + "\nthe end\n")[0]
    assert own.output.endswith("the end\n")
    assert own.output.startswith("[the first")
    assert own.message == "exit status 1: the end"
