# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run does beside its verdicts: builds and series that fail, interruptions, every form of its output."""

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from ci.model.verdicts import RunVerdict, TestVerdict
from configs.result import Status
from tests.faketree import git
from tests.scenes.stage import SUITE, Stage, as_json, programs, says
from util.paths import ROOT

BROKEN = {"kernel/sched.c": "int schedule(void)\n{\n\treturn nobody_knows_this;\n}\n"}


@pytest.mark.slow
def test_a_series_that_does_not_build_fails_the_run_and_quotes_the_compiler(stage: Stage) -> None:
    stage.patched(BROKEN)
    ended = stage.check()
    assert (ended.status, ended.run.verdict) == (1, RunVerdict.FAIL)
    assert [(build.variant, build.ok) for build in ended.run.builds] == [("base", True), ("patched", False)]
    assert "nobody_knows_this" in ended.run.builds[1].failure
    assert "nobody_knows_this" in ended.report("junit.xml")
    assert "nobody_knows_this" in ended.report(ended.run.builds[1].log)
    assert "does not build" in next(cell.not_run for cell in ended.run.cells if cell.cell.variant == "patched")


@pytest.mark.slow
def test_a_base_that_does_not_build_leaves_the_run_without_an_answer(stage: Stage) -> None:
    stage.base(BROKEN)
    stage.patched({"kernel/fork.c": "int fork;\n"})
    ended = stage.check()
    assert (ended.status, ended.run.verdict) == (3, RunVerdict.UNKNOWN)


def test_a_series_that_does_not_apply_fails_the_run_and_names_the_file(stage: Stage) -> None:
    stage.patched(says("note=changed"))
    git(stage.tree, "reset", "--quiet", "--hard", "base")
    stage.base({"init/scene.c": 'const char scene[] = "something else";\n'})
    ended = stage.check()
    assert (ended.status, ended.run.verdict) == (1, RunVerdict.FAIL)
    failure = ended.run.variants[-1].failure
    assert failure and failure.file == "init/scene.c"
    assert "init/scene.c" in ended.report("junit.xml")
    assert ended.run.builds == ()


@pytest.mark.slow
def test_a_selftest_that_does_not_compile_is_the_error_of_its_own_test(stage: Stage) -> None:
    stage.patched({"tools/testing/selftests/seccomp/two.c": "no C at all\n"} | says("note=changed"))
    ended = stage.check()
    assert ended.status != 0
    assert "does not compile" in ended.verdict("two").message
    assert ended.verdict("one.a").verdict is TestVerdict.SAME


@pytest.mark.slow
def test_a_suite_that_cannot_be_made_is_said_of_its_cells(stage: Stage) -> None:
    stage.patched({"tools/testing/selftests/seccomp/Makefile": "include ../lib.mk\n"} | says("note=changed"))
    ended = stage.check()
    assert ended.status != 0
    assert any("names no test to run" in cell.not_run for cell in ended.run.cells)


@pytest.mark.slow
def test_an_interrupted_run_reports_what_was_finished_and_exits_130(stage: Stage) -> None:
    stage.patched(says("end=interrupts_the_rig"))
    command = [sys.executable, str(ROOT / "rig.py"), *stage.arguments()]
    done = subprocess.run(command, env=stage.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    suites = ElementTree.parse(stage.folder / "out" / "junit.xml")
    errors = [case for case in suites.iter("testcase") if case.find("error") is not None]
    assert errors
    results = as_json((stage.folder / "out" / "results.json").read_text())
    assert results.verdict is not RunVerdict.PASS
    assert any("the run ended before" in cell.not_run for cell in results.cells)
    assert [build.ok for build in results.builds] == [True, True]


@pytest.mark.slow
def test_json_prints_the_results_and_nothing_else(stage: Stage) -> None:
    stage.patched(says("fail=one.a"))
    ended = stage.check("--json")
    assert as_json(ended.stdout) == ended.run
    assert json.loads(ended.stdout)["exit_code"] == ended.status == 1


@pytest.mark.slow
def test_quiet_prints_one_line(stage: Stage) -> None:
    stage.patched(says("note=changed"))
    ended = stage.check()
    assert ended.stdout.splitlines() == [f"pass: {ended.run.summary}"]
    assert ended.stderr == ""


@pytest.mark.slow
def test_a_run_shows_its_progress_on_standard_error_and_its_table_on_standard_output(stage: Stage) -> None:
    stage.patched(says("note=changed loud=1"))
    ended = stage.check("--loud")
    assert "build x86_64 patched plain" in ended.stderr
    assert "boot patched/x86_64/x86_64/plain/selftests/seccomp" in ended.stderr
    assert ended.stderr.splitlines()[-1] == f"reports: {ended.folder}"
    assert "x86_64 x86_64 selftests/seccomp" in ended.stdout
    assert ended.stdout.startswith("pass (exit 0")


def test_a_dry_run_prints_every_command_and_gives_none(stage: Stage) -> None:
    stage.patched(says("note=changed"))
    ended = stage.check("--dry-run")
    assert ended.status == 0, ended.stderr
    assert not ended.folder.exists()
    groups = [line for line in ended.stdout.splitlines() if line.startswith("# ")]
    for words in ("the tree of base", "the tree of patched with", "build x86_64 base plain",
                  f"suite {SUITE} for x86_64", f"guest patched/x86_64/x86_64/plain/{SUITE}"):  # fmt: skip
        assert any(words in line for line in groups), words
    assert "bzImage" in ended.stdout
    assert "-no-reboot" in ended.stdout


def test_a_dry_run_of_a_series_that_does_not_apply_is_the_users_mistake(stage: Stage) -> None:
    stage.patched(says("note=changed"))
    git(stage.tree, "reset", "--quiet", "--hard", "base")
    stage.base(says("another"))
    ended = stage.check("--dry-run")
    assert (ended.status, ended.stdout) == (2, "")
    assert "init/scene.c" in ended.stderr


def test_a_host_that_cannot_be_reached_is_one_line(stage: Stage) -> None:
    stage.patched(says("note=changed"))
    ended = stage.check("--host", "ssh://nobody@127.0.0.1:1")
    assert ended.status == 3
    assert len(ended.stderr.splitlines()) == 1
    assert "127.0.0.1" in ended.stderr


def test_a_host_that_is_no_address_is_the_users_mistake(stage: Stage) -> None:
    ended = stage.check("--host", "fast.example")
    assert ended.status == 2
    assert "ssh://[user@]machine[:port]" in ended.stderr


@pytest.mark.slow
def test_a_range_of_the_source_itself_is_judged_against_the_commit_before_it(stage: Stage) -> None:
    stage.patched(says("fail=one.a"))
    stage.profile["source"] = str(stage.tree)
    stage.series = f"{stage.tree}:HEAD~1..HEAD"
    ended = stage.check()
    assert (ended.status, ended.verdict("one.a").verdict) == (1, TestVerdict.REGRESSION), ended.stderr


@pytest.mark.slow
def test_each_patch_may_be_a_variant_of_its_own(stage: Stage) -> None:
    stage.profile["variants"] = [
        {"name": "base", "series": "none"}, {"name": "patch-1", "patches": 1}, {"name": "patched"},
    ]  # fmt: skip
    stage.patched(says("fail=one.a"), says("note=mended"))
    ended = stage.check()
    statuses = {
        cell.cell.variant: test.status for cell in ended.run.cells for test in cell.tests if test.name == "one.a"
    }
    assert statuses == {"base": Status.PASS, "patch-1": Status.FAIL, "patched": Status.PASS}
    assert [side.patches for side in ended.run.variants] == [0, 1, None]


@pytest.mark.slow
def test_under_bisection_a_commit_that_does_not_build_is_skipped_and_a_bad_one_is_1(stage: Stage) -> None:
    stage.base(BROKEN)
    assert stage.check("--bisect").status == 125
    stage.base({"kernel/sched.c": "int schedule(void)\n{\n\treturn 1;\n}\n"} | says("fail=one.a"))
    assert stage.check("--bisect", "--test", "one.a").status == 1
    assert stage.check("--bisect", "--test", "two.a").status == 0


@pytest.mark.slow
def test_a_configuration_that_the_tree_does_not_have_is_the_users_mistake(stage: Stage) -> None:
    stage.profile["config"] = ["CONFIG_SECOMP=y"]
    ended = stage.check()
    assert ended.status == 2
    assert "did you mean CONFIG_SECCOMP?" in ended.stderr


@pytest.mark.slow
def test_build_makes_the_kernels_and_nothing_else(stage: Stage) -> None:
    stage.patched(says("note=built"))
    arguments = stage.arguments()
    ended = stage.call("build", *arguments[1:3], "--quiet")
    assert ended.status == 0, ended.stderr
    assert "x86_64 base plain: built" in ended.stdout
    assert "x86_64 patched plain: built" in ended.stdout
    assert not ended.folder.exists()


@pytest.mark.slow
def test_build_says_which_kernel_failed(stage: Stage) -> None:
    stage.patched(BROKEN | programs("one"))
    ended = stage.call("build", *stage.arguments()[1:3], "--quiet")
    assert ended.status == 1
    assert "x86_64 patched plain: FAILED" in ended.stdout


@pytest.mark.slow
def test_a_filter_is_replayed_on_every_variant(stage: Stage) -> None:
    """The fake QEMU does not speak for the agent of the suite: its tests have no answer, and are shown without one."""
    stage.patched(says("note=changed"))
    stage.arguments()
    text = stage.folder / "one.txt"
    text.write_text("ld [0]\njeq #39, l2, l3\nret #0x50026\nret #0x7fff0000\n")
    profile = str(stage.folder / "scene.yaml")
    ended = stage.call("filter", "replay", str(text), "--profile", profile, "--abi", "x86_64")
    assert "base, x86_64:" in ended.stdout, ended.stderr
    assert "patched, x86_64:" in ended.stdout
    assert ended.status == 3


@pytest.mark.slow
def test_a_whole_run_in_landlock(stage: Stage) -> None:
    """Kernels and selftests are made in it, the result names it, and the doctor says what it does not hold back."""
    stage.variables["RIG_SANDBOX"] = "landlock"
    stage.patched(says("fail=two.b"))
    ended = stage.check()
    assert (ended.status, ended.verdict("two.b").verdict) == (1, TestVerdict.REGRESSION)
    assert ended.run.host.sandbox == "landlock"
    assert {(build.sandbox, build.ok, build.cached) for build in ended.run.builds} == {("landlock", True, False)}
    told = stage.call("doctor").stdout
    assert "RIG_SANDBOX=landlock" in told and "see docs/sandbox.md" in told
