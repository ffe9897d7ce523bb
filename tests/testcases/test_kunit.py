# SPDX-License-Identifier: GPL-2.0-or-later
"""KUnit's results as debugfs gives them, and what is done after a kernel that died in one of its suites."""

from pathlib import Path

import pytest

from configs.model import SuiteChoice
from configs.result import Status
from guests.crash.outcome import End, Outcome, StepOutcome
from testcases.kunit.results import MARK, died_in, listed, read_results
from testcases.kunit.suite import SUITE
from testcases.registry import find_suite
from testcases.suite import ContinuingSuite, Payload
from util.errors import UserError

GOOD = f"""{MARK}list_sort
KTAP version 1
1..1
    KTAP version 1
    # Subtest: list_sort
    1..2
    ok 1 list_sort_test
    # list_sort_big.speed: slow
    ok 2 list_sort_big # SKIP too small a machine
ok 1 list_sort
"""
BAD = f"""{MARK}sizes
KTAP version 1
1..1
    KTAP version 1
    # Subtest: sizes
    1..2
        KTAP version 1
        # Subtest: each
        ok 1 a value
        ok 2 another
    ok 1 each
    # grows: EXPECTATION FAILED at lib/sizes_kunit.c:12
    Expected a == b, but
    not ok 2 grows
not ok 1 sizes
"""
CONSOLE = """[    1.0] KTAP version 1
[    1.0] 1..3
[    1.1]     KTAP version 1
[    1.1]     # Subtest: first
[    1.1]     1..1
[    1.2]     ok 1 a
[    1.2] ok 1 first
[    1.3]     KTAP version 1
[    1.3]     # Subtest: second
[    1.3]     1..1
[    1.4] Kernel panic - not syncing: on purpose
"""
LISTED = "[    0.9] TAP version 14\n[    0.9] first.a\n[    0.9] second.b\n[    0.9] third.c\n[    0.9] third.d\n"


def outcome(tmp_path: Path, payload: Payload, how: str, console: str, stdout: str = "") -> Outcome:
    path = tmp_path / "console.log"
    path.write_text(console)
    end = End.FINISHED if how == "exited" else End.PANIC
    steps = tuple(StepOutcome(step, how, stdout=stdout.encode()) for step in payload.steps)
    return Outcome(end, "" if how == "exited" else "Kernel panic", steps, (), path, (), "tcg", "7.2", 1.0)


def payload() -> Payload:
    return SUITE.prepare(_Context())  # type: ignore[arg-type]


class _Context:
    choice = SuiteChoice(name="kunit/list*")


def test_reports_that_kunit_asks_for_are_told_to_the_guest() -> None:
    assert "NULL pointer dereference in kunit_test_null_dereference" in payload().provokes


def test_each_test_has_a_result() -> None:
    found = {result.name: (result.status, result.message) for result in read_results(GOOD + BAD)}
    assert found == {
        "list_sort.list_sort_test": (Status.PASS, ""),
        "list_sort.list_sort_big": (Status.SKIP, "too small a machine"),
        "sizes.each.a_value": (Status.PASS, ""),
        "sizes.each.another": (Status.PASS, ""),
        "sizes.grows": (Status.FAIL, "EXPECTATION FAILED at lib/sizes_kunit.c:12"),
    }


def test_a_suite_that_fails_without_a_failed_test_says_so() -> None:
    text = GOOD.replace("\nok 1 list_sort\n", "\nnot ok 1 list_sort\n")
    assert [(result.name, result.status) for result in read_results(text)][-1] == ("list_sort", Status.FAIL)


def test_a_suite_without_a_result_is_an_error() -> None:
    (result,) = read_results(f"{MARK}empty\n")
    assert (result.name, result.status) == ("empty", Status.ERROR)


def test_the_console_says_in_which_suite_the_kernel_died() -> None:
    assert died_in(CONSOLE) == "second"
    assert died_in(CONSOLE.partition("[    1.3]")[0]) == ""
    assert listed(LISTED) == ("first", "second", "third")


def test_after_a_death_every_other_suite_runs_in_a_guest_of_its_own(tmp_path: Path) -> None:
    assert isinstance(SUITE, ContinuingSuite)
    made = payload()
    assert made.append[0] == "kunit.filter_glob=list*"
    dead = outcome(tmp_path, made, "never-ran", CONSOLE)
    (guilty,) = SUITE.read(made, dead)
    assert (guilty.name, guilty.status) == ("second", Status.FAIL)
    assert "did not survive" in guilty.message
    rest = SUITE.rest(made, dead)
    asked = next(rest)
    assert asked.append[:2] == ("kunit.filter_glob=list*", "kunit.action=list")
    told = outcome(tmp_path, asked, "exited", LISTED)
    assert SUITE.read(asked, told) == ()
    globs = [rest.send(told).append[0]]
    globs += [more.append[0] for more in rest]
    assert globs == ["kunit.filter_glob=first", "kunit.filter_glob=third"]


def test_a_suite_that_computes_for_half_a_minute_is_no_stall(tmp_path: Path) -> None:
    assert isinstance(SUITE, ContinuingSuite)
    made = payload()
    rest = SUITE.rest(made, outcome(tmp_path, made, "never-ran", CONSOLE))
    asked = next(rest)
    one = rest.send(outcome(tmp_path, asked, "exited", LISTED))
    for guest in (made, asked, one):
        assert [word for word in guest.append if "stall_timeout" in word] == ["rcupdate.rcu_cpu_stall_timeout=300"]
        assert [word for word in guest.append if "watchdog" in word] == ["watchdog_thresh=60"]


def test_a_guest_that_came_to_its_end_leaves_nothing(tmp_path: Path) -> None:
    assert isinstance(SUITE, ContinuingSuite)
    made = payload()
    done = outcome(tmp_path, made, "exited", CONSOLE, GOOD)
    assert len(SUITE.read(made, done)) == 2
    assert list(SUITE.rest(made, done)) == []


def test_a_kernel_without_such_a_suite_is_an_error_and_no_pass(tmp_path: Path) -> None:
    made = payload()
    (result,) = SUITE.read(made, outcome(tmp_path, made, "exited", ""))
    assert result.status is Status.ERROR


def test_a_kernel_that_dies_before_its_first_suite_is_no_suites_fault(tmp_path: Path) -> None:
    made = payload()
    (result,) = SUITE.read(made, outcome(tmp_path, made, "never-ran", "Kernel panic\n"))
    assert (result.name, result.status) == ("kunit", Status.MISS)


def test_what_the_suite_asks_of_a_kernel(tmp_path: Path) -> None:
    own = tmp_path / "tools/testing/kunit/configs/all_tests.config"
    own.parent.mkdir(parents=True)
    own.write_text("CONFIG_IIO=y\n")
    lines = [line for part in SUITE.fragments(SuiteChoice(name="kunit"), tmp_path) for line in part.lines]
    assert [(line.symbol, bool(line.optional)) for line in lines][:2] == [("IIO", True), ("KUNIT", False)]


def test_a_glob_is_a_name_and_other_text_is_not() -> None:
    assert find_suite("kunit/list*")[1] == "list*"
    with pytest.raises(UserError, match="behind the slash stands a glob"):
        SUITE.folder(SuiteChoice(name="kunit/a b"))
