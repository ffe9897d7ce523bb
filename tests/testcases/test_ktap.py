# SPDX-License-Identifier: GPL-2.0-or-later
"""The parser on texts as programs, runners and kernels print them."""

from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as some

from configs.result import Status
from testcases.ktap import RESULT_LIMIT, parse
from testcases.ktap_tests import ParsedTap


def read(text: str, truncated: bool = False) -> ParsedTap:
    return parse(dedent(text).lstrip("\n"), truncated)


def flat(report: ParsedTap) -> list[tuple[str, str]]:
    return [(test.name, str(test.status)) for test in report.leaves]


def test_harness_output_with_diagnostics() -> None:
    report = read("""
        TAP version 13
        1..2
        # Starting 2 tests from 1 test cases.
        #  RUN           global.one ...
        #            OK  global.one
        ok 1 global.one
        #  RUN           global.two ...
        # two.c:12:two:Expected 1 (1) == 2 (2)
        #          FAIL  global.two
        not ok 2 global.two
        # Totals: pass:1 fail:1 xfail:0 xpass:0 skip:0 error:0
        """)
    assert flat(report) == [("global.one", "PASS"), ("global.two", "FAIL")]
    assert report.plan == 2
    assert report.problems == ()
    assert "# two.c:12:two:Expected 1 (1) == 2 (2)" in report.tests[1].lines
    assert dict(report.totals)["fail"] == 1


@pytest.mark.parametrize(
    ("line", "name", "status", "message"),
    [
        ("ok 1 plain", "plain", Status.PASS, ""),
        ("ok 1 - hyphen", "hyphen", Status.PASS, ""),
        ("ok 1 a-b - c", "a-b - c", Status.PASS, ""),
        ("not ok 1 bad", "bad", Status.FAIL, ""),
        ("ok 1", "", Status.PASS, ""),
        ("ok - without a number", "without a number", Status.PASS, ""),
        ("ok 1 x # SKIP no device", "x", Status.SKIP, "no device"),
        ("ok 1 # SKIP no device", "", Status.SKIP, "no device"),
        ("not ok 1 x # skip no device", "x", Status.SKIP, "no device"),
        ("ok 1 x # Skipped: no device", "x", Status.SKIP, "no device"),
        ("ok 1 # XFAIL known", "", Status.SKIP, "expected failure: known"),
        ("not ok 1 x # TODO later", "x", Status.SKIP, "expected failure: later"),
        ("ok 1 x # TODO later", "x", Status.PASS, "marked as to do, and passes: later"),
        ("not ok 1 x # XPASS", "x", Status.FAIL, "passes against expectation"),
        ("not ok 1 x # TIMEOUT 45 seconds", "x", Status.FAIL, "timeout: 45 seconds"),
        ("not ok 1 # error no fork", "", Status.ERROR, "no fork"),
        ("not ok 1 x # exit=1", "x", Status.FAIL, "exit=1"),
        ("not ok 1 selftests: a: b # exit=1", "selftests: a: b", Status.FAIL, "exit=1"),
        ("ok 1 1 selftests: a: b", "selftests: a: b", Status.PASS, ""),
        ("ok 1 1 other", "1 other", Status.PASS, ""),
        ("ok 1 a#b", "a#b", Status.PASS, ""),
        ("not ok 1 x # time=3ms", "x", Status.FAIL, "time=3ms"),
        (r"ok 1 a \# SKIP that is a name", "a # SKIP that is a name", Status.PASS, ""),
        ("ok 1 skip # is part of a sentence", "skip", Status.PASS, "is part of a sentence"),
    ],
)
def test_result_lines(line: str, name: str, status: Status, message: str) -> None:
    (test,) = parse(f"TAP version 13\n1..1\n{line}\n").tests
    assert (test.name, test.status, test.message) == (name, status, message)


@pytest.mark.parametrize("line", ["ok", "okay 1", "ok, go on", "not okay 1 x", "1 ok", "book 1", "ok then"])
def test_lines_that_are_no_results(line: str) -> None:
    assert parse(f"{line}\n").tests == ()
    assert not parse(f"{line}\n").found


def test_a_skipped_test_gets_the_name_that_it_ran_under() -> None:
    report = read("""
        TAP version 13
        1..2
        #  RUN           global.one ...
        #      SKIP      no device
        #            OK  global.one
        ok 1 # SKIP no device
        ok 2 # SKIP other
        """)
    assert [test.name for test in report.tests] == ["global.one", ""]


def test_nested_by_indentation_with_and_without_headers() -> None:
    report = read("""
        KTAP version 1
        1..2
          KTAP version 1
          # Subtest: suite
          1..2
            1..1
            ok 1 deep
          ok 1 inner
          not ok 2 other
        not ok 1 suite
            ok 1 - bare
        ok 2 second
        """)
    assert flat(report) == [("deep", "PASS"), ("other", "FAIL"), ("bare", "PASS")]
    assert [test.name for test in report.tests] == ["suite", "second"]
    assert report.problems == ()


def test_tabs_and_spaces_mean_the_same_column() -> None:
    report = parse("TAP version 14\n1..1\n\t# Subtest: s\n        1..2\n\tok 1 a\n        ok 2 b\nok 1 s\n")
    assert flat(report) == [("a", "PASS"), ("b", "PASS")]
    assert report.problems == ()


def test_nested_behind_hashes_as_the_runner_prints_it() -> None:
    report = read("""
        TAP version 13
        1..2
        # selftests: a: one
        # TAP version 13
        # 1..2
        # ok 1 x
        # # a comment
        # ok 2 y
        ok 1 selftests: a: one
        # selftests: a: two
        # nothing of the kind
        not ok 2 selftests: a: two # exit=1
        """)
    assert [len(test.tests) for test in report.tests] == [2, 0]
    assert report.problems == ()


def test_a_hash_before_ok_is_a_comment_where_no_inner_list_is_open() -> None:
    report = read("""
        TAP version 13
        1..1
        # ok 1 this is talk
        ok 1 x
        """)
    assert flat(report) == [("x", "PASS")]


def test_programs_one_after_another_go_on_with_the_same_list() -> None:
    report = read("""
        TAP version 13
        1..1
        ok 1 first
        TAP version 13
        1..2
        ok 1 second
        not ok 2 third
        """)
    assert flat(report) == [("first", "PASS"), ("second", "PASS"), ("third", "FAIL")]
    assert (report.plan, report.missing, report.problems) == (3, 0, ())


def test_truncated_text_loses_the_line_without_end() -> None:
    text = "TAP version 13\n1..3\nok 1 one\nok 2 tw"
    assert flat(parse(text, truncated=True)) == [("one", "PASS")]
    assert parse(text, truncated=True).missing == 2
    assert flat(parse(text)) == [("one", "PASS"), ("tw", "PASS")]


def test_a_suite_without_its_result_line_has_failed() -> None:
    report = read("""
        KTAP version 1
        1..1
            # Subtest: suite
            1..3
            ok 1 one
        """)
    (suite,) = report.tests
    assert (suite.name, suite.status, len(suite.tests)) == ("suite", Status.FAIL, 1)
    assert any("suite" in problem for problem in report.problems)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1..3\nok 1 a\nok 2 b\n", "planned 3 tests, reported 2"),
        ("1..1\nok 1 a\nok 2 b\n", "planned 1 tests, reported 2"),
        ("1..2\nok 2 b\nok 1 a\n", "test 2 came where 1 was expected"),
        ("1..1\n1..1\nok 1 a\n", "a second plan, 1..1"),
        ("1..1\n  # Subtest: s\nok 1 s\n", "`s`: announced, and holds no tests"),
        ("1..1\n  1..2\n  ok 1 x\nok 1 s\n", "`s`: planned 2 tests, reported 1"),
    ],
)
def test_what_does_not_fit_is_named(text: str, problem: str) -> None:
    problems = " / ".join(parse("TAP version 13\n" + text).problems)
    assert problem.replace("`s`", "``") in problems or problem in problems


def test_a_late_or_missing_plan_is_no_problem() -> None:
    assert parse("TAP version 13\nok 1 a\n1..1\n").problems == ()
    assert parse("TAP version 13\nok 1 a\n").problems == ()


def test_bail_out_and_skip_all() -> None:
    assert parse("TAP version 13\n1..3\nok 1 a\nBail out! no memory\n").bail_out == "no memory"
    assert parse("TAP version 13\n1..0 # SKIP not as root\n").skipped == "not as root"
    assert parse("1..0\n").skipped == ""
    assert parse("1..1\nok 1 x\n").skipped is None


def test_kernel_log_between_and_before_the_lines() -> None:
    report = parse(
        "[    0.1][    T1] booting\n"
        "[    0.1][    T1] KTAP version 1\n"
        "[    0.1][    T1] 1..2\n"
        "[    0.1][    T1] ok 1 a\n"
        "[   10.25][   T99] random: crng init done\n"
        "[   10.25][   T99] ok 2 b\r\n"
    )
    assert flat(report) == [("a", "PASS"), ("b", "PASS")]


def test_text_without_tap() -> None:
    report = parse("all is well\nexit\n")
    assert not report.found
    assert report.tests == ()
    assert report.plan is None


@given(some.text(alphabet="ok nt1.#\n \t[]TAPversion23-SKIPBail!:"), some.booleans())
def test_any_text_can_be_read(text: str, truncated: bool) -> None:
    report = parse(text, truncated)
    assert report.missing >= 0
    assert len(report.leaves) >= len(report.tests) or not report.tests


@given(some.lists(some.booleans(), max_size=20))
def test_every_written_result_is_read(results: list[bool]) -> None:
    lines = [f"{'ok' if passed else 'not ok'} {number} t{number}" for number, passed in enumerate(results, start=1)]
    report = parse("\n".join(["TAP version 13", f"1..{len(results)}", *lines, ""]))
    assert [test.status is Status.PASS for test in report.tests] == results
    assert report.problems == ()


CASES = Path(__file__).with_name("ktap")


def case(name: str) -> ParsedTap:
    return parse((CASES / name).read_bytes().decode())


def test_a_carriage_return_is_no_indentation() -> None:
    assert flat(case("cr.ktap")) == [("a", "PASS"), ("b", "PASS")]
    assert case("cr.ktap").problems == ()


def test_indented_talk_that_looks_like_a_result_opens_no_list() -> None:
    assert flat(case("indent-talk.ktap")) == [("a", "PASS")]
    report = parse("TAP version 13\n1..2\nok 1 a\n    ok 1 device left\n")
    assert flat(report) == [("a", "PASS")]
    assert report.missing == 1


def test_a_result_without_a_number_counts() -> None:
    report = case("no-number.ktap")
    assert flat(report) == [("a", "PASS"), ("b", "FAIL")]
    assert report.problems == ("a result without a number: not ok b",)
    assert flat(parse("TAP version 13\n1..2\nnot ok\nok\n")) == [("", "FAIL"), ("", "PASS")]


def test_a_diagnostic_is_no_part_of_a_name() -> None:
    (before,), (after,) = case("diag-base.ktap").tests, case("diag-judged.ktap").tests
    assert (before.name, before.status) == ("hugepage-mmap", Status.PASS)
    assert (after.name, after.status, after.message) == ("hugepage-mmap", Status.FAIL, "exit=1")


def test_a_header_left_in_a_buffer_when_the_program_forked_does_not_double_the_plan() -> None:
    head = "TAP version 13\n1..3\n"
    for text in (
        f"{head}{head}ok 1 a\nok 2 b\nok 3 c\n",
        f"{head}ok 1 a\n{head}ok 1 a\nok 2 b\nok 3 c\n",
        f"{head}ok 1 a\n{head}ok 1 a\nok 2 b\n{head}ok 1 a\nok 2 b\nok 3 c\n",
    ):
        report = parse(text)
        assert (flat(report), report.plan) == ([("a", "PASS"), ("b", "PASS"), ("c", "PASS")], 3)
        assert report.missing == 0


def test_a_result_that_changes_when_it_is_printed_again_is_not_swallowed() -> None:
    head = "TAP version 13\n1..3\n"
    assert ("a", "FAIL") in flat(parse(f"{head}ok 1 a\n{head}not ok 1 a\nok 2 b\n"))


@pytest.mark.slow
@pytest.mark.parametrize("mark", ["", "  "])
def test_the_number_of_results_is_bounded(mark: str) -> None:
    head, line = f"{mark}TAP version 13\n", f"{mark}ok 1\n"
    assert parse(head + line * RESULT_LIMIT).refused == ""
    assert parse(head + line * (RESULT_LIMIT + 1)).refused == "it holds more than 50000 results"


@pytest.mark.parametrize("mark", ["  ", "# "])
def test_nesting_is_bounded(mark: str) -> None:
    levels = "".join(f"{mark * level}TAP version 13\n{mark * level}1..1\n" for level in range(1500))
    report = parse(levels)
    assert report.refused == "its results are nested more than 32 levels deep"
    assert report.tests == ()
    inside_out = "".join(f"{'  ' * level}ok 1 a\n" for level in range(1500, -1, -1))
    assert parse(inside_out).refused
    fine = "".join(f"{mark * level}TAP version 13\n{mark * level}1..1\n" for level in range(20))
    assert parse(fine).refused == ""
