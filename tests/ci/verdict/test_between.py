# SPDX-License-Identifier: GPL-2.0-or-later
"""Every variant that is named counts, also one between base and the judged one."""

import pytest

from ci.model.results import Run
from ci.model.variants import ApplyFailure, Variant
from ci.model.verdicts import Effect, RunVerdict, TestVerdict
from ci.verdict.conclude import conclude
from ci.verdict.doubt import find_doubts
from configs.result import Status
from tests.ci.samples import PANIC, SPLAT, TODAY, built, not_run, ran, run_of

GOOD = {"works": Status.PASS}
SIDES = (Variant(name="base", patches=0), Variant(name="patch-1", patches=1), Variant(name="patched"))


def judged(*cells: object, builds: object = (), sides: tuple[Variant, ...] = SIDES) -> Run:
    return conclude(run_of(cells, builds, variants=sides), today=TODAY)  # type: ignore[arg-type]


def test_all_fine() -> None:
    run = judged(*(ran(side.name, GOOD) for side in SIDES), builds=[built(side.name) for side in SIDES])
    assert run.verdict is RunVerdict.PASS
    assert not [item for item in run.comparisons if item.cell.variant == "patch-1"]


def test_one_that_does_not_build_fails_the_run() -> None:
    cells = [ran("base", GOOD), not_run("patch-1", "the kernel does not build: x"), ran("patched", GOOD)]
    run = judged(*cells, builds=[built("base"), built("patch-1", ok=False), built("patched")])
    assert (run.verdict, run.exit_code) == (RunVerdict.FAIL, 1)
    (item,) = [item for item in run.comparisons if item.effect is not Effect.NONE]
    assert (item.cell.variant, item.test, item.verdict) == ("patch-1", "kernel", TestVerdict.REGRESSION)
    assert "expected ';'" in item.message


def test_where_base_does_not_build_either_nothing_is_known() -> None:
    builds = [built("base", ok=False), built("patch-1", ok=False), built("patched", ok=False)]
    assert judged(builds=builds).verdict is RunVerdict.UNKNOWN


def test_one_whose_build_is_missing_is_not_forgotten() -> None:
    cells = [ran("base", GOOD), ran("patched", GOOD)]
    run = judged(*cells, builds=[built("base"), built("patched")])
    assert run.verdict is RunVerdict.UNKNOWN


@pytest.mark.parametrize(("end", "fault"), [("panic", PANIC), ("silent", SPLAT)])
def test_one_that_does_not_boot_fails_the_run(end: str, fault: object) -> None:
    cells = [ran("base", GOOD), ran("patch-1", {}, end=end, faults=[fault]), ran("patched", GOOD)]  # type: ignore[list-item]
    run = judged(*cells, builds=[built(side.name) for side in SIDES])
    assert run.verdict is RunVerdict.FAIL
    (item,) = [item for item in run.comparisons if item.effect is not Effect.NONE]
    assert (item.cell.variant, item.test) == ("patch-1", "guest/end")
    assert [doubt.judged.variant for doubt in find_doubts(run.cells, run)] == ["patch-1"], (
        "it is run again, as any suspicion"
    )


def test_its_tests_are_not_judged() -> None:
    cells = [ran("base", GOOD), ran("patch-1", {"works": Status.FAIL}), ran("patched", GOOD)]
    assert judged(*cells, builds=[built(side.name) for side in SIDES]).verdict is RunVerdict.PASS


def test_one_that_does_not_apply_is_named() -> None:
    failure = ApplyFailure(patch=1, subject="x", file="a.c", message="patch failed: a.c:1")
    sides = (SIDES[0], SIDES[1].model_copy(update={"failure": failure}), SIDES[2])
    run = judged(sides=sides)
    assert run.verdict is RunVerdict.FAIL
    assert ("patch-1", "apply", Effect.FAIL) in [
        (item.cell.variant, item.test, item.effect) for item in run.comparisons
    ]
