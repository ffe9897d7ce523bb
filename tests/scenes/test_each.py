# SPDX-License-Identifier: GPL-2.0-or-later
"""`check --each`: every patch by itself, whole runs on the kernel in miniature."""

import pytest

from ci.model.verdicts import Comparison, RunVerdict, TestVerdict
from configs.result import Status
from kernels.build.store.build_store import BuildStore
from tests.scenes.stage import SUITE, Ended, Stage, says
from util.paths import APP

BROKEN = {"kernel/sched.c": "int schedule(void)\n{\n\treturn nobody_knows_this;\n}\n"}
MENDED = {"kernel/sched.c": "int schedule(void)\n{\n\treturn 7;\n}\n"}
WARNS = {"kernel/sched.c": "int schedule(void)\n{\n\tint unused;\n\treturn 7;\n}\n"}


def broken(ended: Ended) -> list[Comparison]:
    return [item for item in ended.run.comparisons if item.patch]


@pytest.mark.slow
def test_a_patch_that_breaks_the_build_and_one_that_mends_it_are_named(stage: Stage) -> None:
    stage.patched(says("note=1"), BROKEN, says("note=3"), MENDED)
    plain = stage.check()
    assert (plain.status, plain.run.verdict) == (0, RunVerdict.PASS), plain.stdout
    ended = stage.check("--each")
    assert (ended.status, ended.run.verdict) == (1, RunVerdict.FAIL), ended.stderr
    (item,) = broken(ended)
    assert (item.cell.variant, item.cell.suite, item.test) == ("patch-2", "build", "kernel")
    assert (item.patch, item.mended, item.verdict) == (2, 4, TestVerdict.REGRESSION)
    assert item.message.startswith("patch 2 “fake: patch 2” breaks this, patch 4 “fake: patch 4” mends it: ")
    assert "nobody_knows_this" in item.message
    assert ended.stdout.startswith("fail: patch 2 breaks x86_64 build/kernel, which patch 4 mends; 1 regression")
    assert "patch-2.x86_64.plain.build" in ended.report("junit.xml")
    assert [(build.variant, build.ok) for build in ended.run.builds] == [
        ("base", True), ("patch-1", True), ("patch-2", False), ("patch-3", False), ("patched", True),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.slow
def test_a_patch_that_breaks_one_architecture_and_one_that_mends_it(stage: Stage) -> None:
    """The third adds a header for x86 alone, the fourth that for arm64: the series as a whole is fine."""
    stage.profile |= {"archs": ["x86_64", "aarch64"], "abis": ["x86_64", "aarch64"], "suites": ["boot"]}
    needs = {"kernel/sched.c": f"#include <asm/extra.h>\n{MENDED['kernel/sched.c']}"}
    extra = {f"arch/{arch}/include/asm/extra.h": "#define EXTRA 1\n" for arch in ("x86", "arm64")}
    first, second = ({path: text} for path, text in extra.items())
    stage.patched(says("note=1"), says("note=2"), needs | first, second)
    plain = stage.check()
    assert (plain.status, plain.run.verdict) == (0, RunVerdict.PASS), plain.stderr
    ended = stage.check("--each")
    assert ended.status == 1, ended.stderr
    (item,) = broken(ended)
    assert (item.cell.arch, item.cell.suite, item.patch, item.mended) == ("aarch64", "build", 3, 4)
    assert ended.stdout.startswith("fail: patch 3 breaks aarch64 build/kernel, which patch 4 mends; 1 regression")


@pytest.mark.slow
def test_a_patch_whose_kernel_does_not_boot_is_named_after_re_runs(stage: Stage) -> None:
    stage.patched(says("end=panics"), says("note=mended"))
    ended = stage.check("--each")
    assert ended.status == 1, ended.stderr
    end = next(item for item in broken(ended) if item.test == "guest/end")
    assert (end.patch, end.mended, end.cell.suite) == (1, 2, "boot")
    assert end.patched == (Status.FAIL, Status.FAIL)
    assert end.base == (Status.PASS, Status.PASS)
    assert {(cell.cell.variant, cell.cell.suite) for cell in ended.run.cells if cell.end} == {
        ("base", SUITE), ("patched", SUITE), ("base", "boot"), ("patch-1", "boot"), ("patched", "boot"),
    }  # fmt: skip


@pytest.mark.slow
def test_another_suite_may_run_after_every_patch(stage: Stage) -> None:
    stage.patched(says("fail=one.a"), says("note=mended"))
    ended = stage.check("--each", "--each-suite", SUITE)
    assert ended.status == 1, ended.stderr
    (item,) = broken(ended)
    assert (item.test, item.patch, item.mended) == ("one.a", 1, 2)
    assert stage.check("--each").status == 0


@pytest.mark.slow
def test_a_warning_that_a_later_patch_takes_away_is_named(stage: Stage) -> None:
    stage.patched(WARNS, MENDED)
    ended = stage.check("--each")
    (item,) = broken(ended)
    assert item.test.startswith("warning: kernel/sched.c: unused variable")
    assert (ended.status, item.patch, item.mended) == (1, 1, 2)


@pytest.mark.slow
def test_what_no_patch_mends_is_named_beside_the_regression_of_the_whole(stage: Stage) -> None:
    stage.patched(says("note=1"), BROKEN, says("note=3"))
    ended = stage.check("--each")
    assert ended.status == 1
    (item,) = broken(ended)
    assert (item.patch, item.mended) == (2, 0)
    assert "no later patch mends it" in item.message
    assert [build.variant for build in ended.run.builds if not build.ok] == ["patch-2", "patched"]


@pytest.mark.slow
def test_each_patch_that_is_fine_changes_nothing(stage: Stage) -> None:
    stage.patched(says("note=1"), MENDED, says("note=3"))
    ended = stage.check("--each")
    assert (ended.status, broken(ended), ended.run.each) == (0, [], "boot"), ended.stderr
    assert [variant.name for variant in ended.run.variants] == ["base", "patch-1", "patch-2", "patched"]


@pytest.mark.slow
def test_each_kernel_starts_from_the_objects_of_the_one_before_it(stage: Stage) -> None:
    sched = "int schedule(void)\n{\n\treturn 77;\n}\n"
    stage.patched({"kernel/sched.c": sched}, {"drivers/null.c": "int null = 77;\n"}, says("note=the third of a chain"))
    ended = stage.check("--each")
    store = BuildStore(stage.cache / APP / "kernels")
    _base, *keys = [build.key for build in ended.run.builds]
    made = [store.load(key) for key in keys]
    assert [item.started_from for item in made[1:] if item] == keys[:-1]


def test_mistakes_are_one_line(stage: Stage) -> None:
    no_series = stage.check("--each")
    stage.patched(says("note=1"), says("note=2"))
    alone = stage.check("--each-suite", "boot")
    unknown = stage.check("--each", "--each-suite", "boott")
    static = stage.check("--each", "--each-suite", "size")
    stage.profile["variants"] = [{"name": "base", "series": "none"}, {"name": "patched"}]
    variants = stage.check("--each")
    for ended, words in (
        (no_series, "there is no series"),
        (alone, "give both"),
        (unknown, "did you mean `boot`?"),
        (static, "without a guest"),
        (variants, "variants of its own"),
    ):
        assert ended.status == 2, (words, ended)
        assert words in ended.stderr
        assert len(ended.stderr.strip().splitlines()) == 1


def test_a_bisection_is_stopped(stage: Stage) -> None:
    stage.patched(says("note=1"), says("note=2"))
    ended = stage.check("--each", "--bisect")
    assert (ended.status, "one commit at a time" in ended.stderr) == (128, True)


@pytest.mark.slow
def test_a_dry_run_prints_the_commands_for_each_patch(stage: Stage) -> None:
    stage.patched(says("note=1"), says("note=2"))
    ended = stage.check("--each", "--dry-run")
    assert "# build x86_64 patch-1 plain" in ended.stdout, ended.stderr
    assert "# guest patch-1/x86_64/x86_64/plain/boot" in ended.stdout
    assert f"# guest patch-1/x86_64/x86_64/plain/{SUITE}" not in ended.stdout


@pytest.mark.slow
def test_the_static_checks_look_at_every_patch(stage: Stage) -> None:
    stage.patched(says("note=1"), {"drivers/null.c": "#ifdef CONFIG_TYPO\n#endif\n"})
    ended = stage.check("--suite", "checks", "--loud")
    assert (ended.status, ended.run.builds) == (0, ()), ended.stderr
    (finding,) = ended.run.findings
    assert str(finding) == "drivers/null.c:1: warning: no Kconfig file defines TYPO [kconfig-undefined]"
    assert (finding.patch, finding.check) == (2, "kconfig")
    assert "patch 2: drivers/null.c:1: warning: no Kconfig file" in ended.stdout


@pytest.mark.slow
def test_a_patch_that_nobody_signed_fails_the_run(stage: Stage) -> None:
    stage.patched(says("note=1"))
    series = stage.folder / "series.mbox"
    series.write_text(series.read_text().replace("Signed-off-by:", "Acked-by:"))
    ended = stage.check("--suite", "checks")
    assert (ended.status, ended.verdict("mail").verdict) == (1, TestVerdict.REGRESSION), ended.stderr
    assert "no Signed-off-by of the author" in ended.report("junit.xml")
    assert stage.check().status == 0


@pytest.mark.slow
def test_a_summary_is_printed_in_place_of_the_table(stage: Stage) -> None:
    stage.patched(says("note=1"), says("note=2"))
    text = stage.check("--each", "--summary").stdout
    assert "after every single patch: builds and passes boot on x86_64" in " ".join(text.split()), text
    assert max(map(len, text.splitlines())) <= 72
    assert stage.check("--summary=reply").stdout.startswith("Nothing to reply")
    both = stage.check("--summary", "--json")
    assert (both.status, len(both.stderr.strip().splitlines())) == (2, 1)
    assert stage.check("--summary=answer").status == 2
