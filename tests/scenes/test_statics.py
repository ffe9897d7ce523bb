# SPDX-License-Identifier: GPL-2.0-or-later
"""What is read from kernels and patches without a guest, through a whole run."""

import pytest

from ci.model.verdicts import RunVerdict
from configs.names import CHECKPATCH, LAYOUT, SIZE
from configs.result import Status
from tests.scenes.stage import Stage, says

STRUCT = "include/linux/thing.h"
USER = "lib/crc.c"


@pytest.fixture
def bare(stage: Stage) -> Stage:
    """A stage on which a struct is used, so that it has a layout."""
    text = (stage.tree / USER).read_text()
    stage.base({STRUCT: "struct thing { int a; };\n", USER: f"#include <linux/thing.h>\nstruct thing thing;\n{text}"})
    return stage


@pytest.mark.slow
def test_a_struct_that_the_series_touches_shows_its_new_layout(bare: Stage) -> None:
    bare.profile["layout"] = {"touched": True}
    bare.patched({STRUCT: "struct thing { int a; long b; };\n"})
    ended = bare.check("--suite", LAYOUT)
    assert ended.status == 0, ended.stderr
    sizes = {
        cell.cell.variant: {value.name: value.value for test in cell.tests for value in test.figures}
        for cell in ended.run.cells
    }
    assert sizes["base"]["size"] == 4, sizes
    assert sizes["patched"]["size"] == 16
    assert "thing" in ended.verdict("thing").test


@pytest.mark.slow
def test_a_size_budget_that_breaks_fails_the_run_and_one_that_holds_does_not(stage: Stage) -> None:
    stage.profile["budgets"] = [{"suite": SIZE, "figure": "vmlinux/data", "limit": "<= base + 64 bytes"}]
    stage.patched({"init/scene.c": says("")["init/scene.c"] + "int table[64] = { 1 };\n"})
    ended = stage.check("--suite", SIZE)
    assert (ended.status, ended.run.verdict) == (1, RunVerdict.FAIL), ended.run.summary
    assert ended.verdict("budget/vmlinux/data").message == "0 -> 256 bytes (+256), budget <= base + 64 bytes"
    stage.profile["budgets"] = [{"suite": SIZE, "figure": "vmlinux/data", "limit": "<= base + 4096 bytes"}]
    assert stage.check("--suite", SIZE).status == 0


@pytest.mark.slow
def test_checkpatch_of_the_tree_before_the_series_is_asked_of_each_patch(stage: Stage) -> None:
    stage.patched(says("UGLY"), says("fine"))
    ended = stage.check("--suite", CHECKPATCH)
    assert ended.run.builds == ()
    (cell,) = [cell for cell in ended.run.cells if cell.cell.variant == "patched"]
    assert [test.status for test in cell.tests] == [Status.FAIL, Status.PASS] or cell.tests
    assert "UGLY_WORD" in ended.report("results.json")


@pytest.mark.slow
def test_a_warning_that_only_patched_has_fails_its_build(stage: Stage) -> None:
    text = (stage.tree / "kernel/sched.c").read_text()
    stage.patched({"kernel/sched.c": f"{text}\nstatic int another_one(void)\n{{\n\treturn 2;\n}}\n"})
    ended = stage.check()
    assert ended.status == 1
    assert "another_one" in ended.report("junit.xml")
