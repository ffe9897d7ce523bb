# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines of a guest program, sound and broken, as results."""

import pytest

from configs.result import Figure, Status, TestResult
from testcases.benchmark.figure_lines import ReadingError, parse, results


def read(text: str, *owed: str) -> dict[str, TestResult]:
    return {result.name: result for result in results(parse(text), owed, "the guest died")}


def test_two_passes_that_agree_are_a_figure() -> None:
    found = read("figure\tcall/list/end/interpreted\tinsns\t354\t354\n", "call/list/end")
    assert found == {
        "call/list/end": TestResult("call/list/end", Status.PASS, figures=(Figure("interpreted", 354, "insns"),))
    }


def test_two_passes_that_differ_are_an_error_that_names_both() -> None:
    found = read("figure\tcall/list/end/interpreted\tinsns\t354\t355\n")["call/list/end"]
    assert (found.status, found.figures) == (Status.ERROR, ())
    assert found.message == "interpreted: not the same in 2 passes: 354, 355 insns"


def test_a_pass_without_a_sample_is_an_error() -> None:
    assert read("figure\tcall/x/compiled\tinsns\t354\t-\n")["call/x"].status is Status.ERROR


def test_one_mode_may_fail_while_the_other_has_a_figure() -> None:
    text = "figure\tcall/x/interpreted\tinsns\t9\t9\nwrong\tcall/x/compiled\tits child ended with wait status 0x9\n"
    found = read(text, "call/x")["call/x"]
    assert (found.status, [figure.value for figure in found.figures]) == (Status.ERROR, [9])


def test_what_is_owed_and_not_said_is_missing_for_a_reason() -> None:
    found = read("figure\ta/b/interpreted\tinsns\t1\t1\n", "a/b", "a/c")
    assert (found["a/c"].status, found["a/c"].message) == (Status.MISS, "the guest died")
    assert list(found) == ["a/b", "a/c"]


def test_a_kernel_without_a_compiler_is_a_skip_of_its_own() -> None:
    assert read("skip\tcompiled\tno BPF compiler in this kernel\n")["compiled"].status is Status.SKIP


@pytest.mark.parametrize("line", ["figure\ta/b\tinsns", "figure\tb\tinsns\t1\t1", "figure\ta/b\tinsns\t-1\t1", "noise"])
def test_any_other_line_is_refused(line: str) -> None:
    with pytest.raises(ReadingError):
        parse(line)
