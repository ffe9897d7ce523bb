# SPDX-License-Identifier: GPL-2.0-or-later
"""Each verdict of a test, and what it makes of the run."""

from xml.etree import ElementTree

import pytest
import yaml

from ci.model.verdicts import KnownState, RunVerdict, TestVerdict
from configs.result import Status
from tests.faketree import git
from tests.scenes.stage import FOLDER, PROGRAM, SUITE, Stage, programs, says


@pytest.mark.slow
def test_a_series_that_changes_no_result_passes(stage: Stage) -> None:
    stage.patched(says("note=changed"))
    ended = stage.check()
    assert (ended.status, ended.run.verdict) == (0, RunVerdict.PASS), ended.stderr
    assert {item.verdict for item in ended.run.comparisons} == {TestVerdict.SAME}
    assert [cell.end for cell in ended.run.cells] == ["finished", "finished"]
    assert ended.verdict("one.a").patched == (Status.PASS,)


@pytest.mark.slow
def test_a_failure_that_only_patched_shows_is_a_regression_after_re_runs_on_both_sides(stage: Stage) -> None:
    stage.patched(says("fail=two.b"))
    ended = stage.check()
    found = ended.verdict("two.b")
    assert (ended.status, ended.run.verdict, found.verdict) == (1, RunVerdict.FAIL, TestVerdict.REGRESSION)
    assert (found.base, found.patched) == ((Status.PASS,) * 2, (Status.FAIL,) * 2)
    assert ended.verdict("two.a").verdict is TestVerdict.SAME
    assert {(cell.cell.variant, cell.attempt) for cell in ended.run.cells} == {
        ("base", 0), ("base", 1), ("patched", 0), ("patched", 1),
    }  # fmt: skip
    assert "two.b" in ended.report("junit.xml")
    for cell in ended.run.cells:
        assert cell.only == (("two.b",) if cell.attempt else ())
        assert ("one.a" in {test.name for test in cell.tests}) == (cell.attempt == 0), "its program is not in doubt"


@pytest.mark.slow
def test_re_runs_end_when_nothing_can_change_any_more(stage: Stage) -> None:
    stage.profile["rerun"] = 5
    stage.patched(says("fail@0=one.b"))
    ended = stage.check()
    assert ended.verdict("one.b").verdict is TestVerdict.FLAKY
    attempts = {cell.attempt: cell.only for cell in ended.run.cells}
    assert attempts == {0: (), 1: ("one.b",), 2: ()}, "alone, and then whole because alone it passed"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scene", "attempts", "status"), [("fail=two.b,only.a", [1, 3], 1), ("fail@0=two.b,only.a", [1, 2], 0)]
)
def test_the_first_failure_that_holds_ends_the_re_runs_of_the_others(
    stage: Stage, scene: str, attempts: list[int], status: int
) -> None:
    """Everything runs again once; and what turns out to be flaky settles nothing."""
    stage.profile |= {"suites": [SUITE, "selftests/other"], "rerun": 3}
    folder = "tools/testing/selftests/other"
    makefile = "TEST_GEN_PROGS := only\ninclude ../lib.mk\n"
    stage.base({f"{folder}/Makefile": makefile, f"{folder}/only.c": PROGRAM})
    stage.patched(says(scene))
    ended = stage.check("--loud")
    last: dict[str, int] = {}
    for cell in ended.run.cells:
        if cell.end:
            last[cell.cell.suite] = max(last.get(cell.cell.suite, 0), cell.attempt)
    assert (sorted(last.values()), ended.status) == (attempts, status), ended.stderr
    settled = "a failure held in all 4 runs; what else differs is not run again" in ended.stderr
    assert settled == (status == 1)


@pytest.mark.slow
def test_what_failed_on_base_alone_is_fixed(stage: Stage) -> None:
    stage.base(says("fail=one.a"))
    stage.patched(says(""))
    ended = stage.check()
    assert (ended.status, ended.verdict("one.a").verdict) == (0, TestVerdict.FIXED)


@pytest.mark.slow
def test_what_fails_on_both_sides_is_pre_existing_and_does_not_fail_the_run(stage: Stage) -> None:
    stage.base(says("fail=one.a"))
    stage.patched(says("fail=one.a note=changed"))
    ended = stage.check()
    assert (ended.status, ended.verdict("one.a").verdict) == (0, TestVerdict.PRE_EXISTING)


@pytest.mark.slow
def test_a_failure_that_a_re_run_does_not_repeat_is_flaky(stage: Stage) -> None:
    stage.patched(says("fail@0=one.b"))
    ended = stage.check()
    found = ended.verdict("one.b")
    assert (found.verdict, found.patched) == (TestVerdict.FLAKY, (Status.FAIL, Status.PASS))
    assert ended.run.verdict is not RunVerdict.FAIL


@pytest.mark.slow
def test_a_test_that_only_the_patched_tree_has_is_new_where_it_cannot_have_passed_before(stage: Stage) -> None:
    stage.patched(programs("one", "two", "three") | says("note=changed"))
    ended = stage.check()
    suites = {(cell.cell.variant, cell.suite_variant) for cell in ended.run.cells}
    assert suites == {("base", ""), ("patched", ""), ("base", "base")}
    assert (ended.status, ended.verdict("three.a").verdict) == (0, TestVerdict.NEW)


@pytest.mark.slow
def test_a_suite_that_the_series_brings_runs_on_both_kernels(stage: Stage) -> None:
    git(stage.tree, "rm", "--quiet", "-r", FOLDER)
    stage.base({"init/other.c": "int other;\n"})
    stage.patched({**programs("one", "two"), **says("note=changed")})
    ended = stage.check()
    assert ended.status == 0, ended.stderr
    suites = {(cell.cell.variant, cell.suite_variant) for cell in ended.run.cells}
    assert suites == {("base", ""), ("patched", "")}
    assert {item.test for item in ended.run.comparisons} >= {"one.a", "two"}


@pytest.mark.slow
def test_a_test_that_the_series_takes_away_is_gone(stage: Stage) -> None:
    stage.patched(programs("one") | says("note=changed"))
    ended = stage.check()
    assert ended.verdict("two.a").verdict is TestVerdict.GONE
    assert ended.verdict("one.a").verdict is TestVerdict.SAME


@pytest.mark.slow
def test_without_a_series_the_tree_stands_for_itself(stage: Stage) -> None:
    stage.base(says("fail=two.a"))
    ended = stage.check()
    assert [side.name for side in ended.run.variants] == ["base"]
    assert (ended.status, ended.run.verdict) == (1, RunVerdict.FAIL)


@pytest.mark.slow
def test_a_kernel_that_is_the_same_binary_is_not_booted_again(stage: Stage) -> None:
    stage.patched({"init/scene.c": says("")["init/scene.c"].replace("a scene", "another comment")})
    ended = stage.check()
    assert ended.status == 0
    assert [(cell.cell.variant, cell.same_as) for cell in ended.run.cells] == [("base", ""), ("patched", "base")]


@pytest.mark.slow
def test_a_known_issue_takes_its_test_out_of_the_verdict_and_is_named(stage: Stage) -> None:
    issue = {
        "test": "one.b", "suite": SUITE, "reason": "the scene says so", "link": "https://example.org/1",
        "expires": "2099-01-01",
    }  # fmt: skip
    (stage.folder / "known.yaml").write_text(yaml.safe_dump({"issues": [issue]}).replace("'2099-01-01'", "2099-01-01"))
    stage.profile["known_issues"] = "known.yaml"
    stage.patched(says("fail=one.b"))
    ended = stage.check()
    assert (ended.status, ended.run.verdict) == (0, RunVerdict.PASS), ended.run.summary
    known = ended.verdict("one.b").known
    assert known and known.reason == "the scene says so"
    assert [item.state for item in ended.run.known_issues] == [KnownState.MATCHED]


def test_a_known_issue_that_no_longer_fails_fails_the_run(stage: Stage) -> None:
    issue = f"test: one.b, suite: {SUITE}, reason: r, link: 'https://example.org/1', expires: 2099-01-01"
    (stage.folder / "known.yaml").write_text(f"issues:\n  - {{{issue}}}\n")
    stage.profile["known_issues"] = "known.yaml"
    stage.patched(says("note=changed"))
    ended = stage.check()
    assert (ended.status, ended.run.verdict) == (1, RunVerdict.FAIL)


@pytest.mark.slow
def test_only_the_tests_of_a_name_count_where_one_is_given(stage: Stage) -> None:
    stage.patched(says("fail=two.b"))
    ended = stage.check("--test", "one.*")
    assert ended.status == 0
    left_out = {test.message for cell in ended.run.cells for test in cell.tests if test.name.startswith("two")}
    assert left_out == {"left out: no result of it can answer to --test one.*"}, "it did not run"
    assert stage.check("--test", "two.*").status == 1
    assert stage.check("--test", "three.*").status == 3


@pytest.mark.slow
def test_the_variants_of_a_profile_may_differ_in_configuration_alone(stage: Stage) -> None:
    stage.profile["config"] = ["CONFIG_SECCOMP=y"]  # which CONFIG_CACHE depends on
    stage.profile["variants"] = [
        {"name": "without", "config": ["CONFIG_CACHE=n"]},
        {"name": "with", "config": ["CONFIG_CACHE=y"]},
    ]
    ended = stage.check()
    assert ended.status == 0, ended.stderr
    assert [(side.name, side.config) for side in ended.run.variants] == [
        ("without", ("CONFIG_CACHE=n",)), ("with", ("CONFIG_CACHE=y",)),
    ]  # fmt: skip


@pytest.mark.slow
def test_a_second_run_takes_builds_and_guests_from_the_cache_and_says_the_same(stage: Stage) -> None:
    stage.patched(says("fail=one.a"))
    first, second = stage.check(), stage.check("--loud")
    assert (first.status, second.status) == (1, 1), second.stderr
    assert all(build.cached for build in second.run.builds)
    for variant in ("base", "patched"):
        for attempt in ("", " re-run 1"):
            step = f"test {variant}/x86_64/x86_64/plain/{SUITE}{attempt}"
            assert f"{step} done: unchanged, from the cache" in second.stderr
    assert "boot patched" not in second.stderr
    assert second.verdict("one.a").verdict is TestVerdict.REGRESSION
    again = stage.check("--loud", "--fresh")
    assert again.status == 1
    assert "build x86_64 patched plain done: unchanged, from the cache" in again.stderr
    assert f"boot patched/x86_64/x86_64/plain/{SUITE} done" in again.stderr


@pytest.mark.slow
def test_the_gate_of_a_ci_sees_the_regression_as_the_one_failure(stage: Stage) -> None:
    stage.patched(says("fail=two.a"))
    ended = stage.check()
    suites = ElementTree.fromstring(ended.report("junit.xml"))
    failed = [case.get("name", "") for case in suites.iter("testcase") if case.find("failure") is not None]
    assert len(failed) == 1
    assert "two.a" in failed[0]
