# SPDX-License-Identifier: GPL-2.0-or-later
"""Series that show in the binary alone: one that pads a struct, one that changes nothing but a comment."""

from pathlib import Path

import pytest

from ci.cells.static.static_cells import SAME_IMAGE
from ci.model.results import Run
from ci.model.verdicts import Effect, RunVerdict
from configs.result import Status
from tests.command import results, rig
from util.paths import ROOT

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
SERIES = ROOT / "tests" / "series"


def check(folder: Path, name: str, *suites: str) -> tuple[Run, str]:
    """Results and standard output of one `rig.py check` on x86_64."""
    finished = rig(
        "check", "--series", str(SERIES / name), "--arch", "x86_64", "--abi", "x86_64",
        "--suite", ",".join(suites), "--rerun", "1", "--out", str(folder),
    )  # fmt: skip
    assert (folder / "results.json").exists(), finished.stderr[-3000:]
    return results(folder), finished.stdout


def test_a_padded_struct_breaks_its_budgets_and_nothing_else(tmp_path: Path) -> None:
    run, printed = check(tmp_path, "pads-struct", "selftests/seccomp", "layout", "size")
    assert (run.verdict, run.exit_code) == (RunVerdict.FAIL, 1)
    failing = {item.test: item.message for item in run.comparisons if item.effect is not Effect.NONE}
    assert failing == {
        "budget/seccomp_filter/holes": "1 -> 2 holes (+1, +100.0 %), budget no growth",
        "budget/seccomp_filter/hole_bytes": "7 -> 14 bytes (+7, +100.0 %), budget no growth",
    }
    assert "size 96 -> 104 bytes (+8, +8.3 %)" in printed
    assert "quiet: added at 32, 1 long" in printed


def test_a_comment_needs_no_second_guest(tmp_path: Path) -> None:
    run, printed = check(tmp_path, "rewords-comment", "selftests/seccomp", "size")
    assert (run.verdict, run.exit_code) == (RunVerdict.PASS, 0)
    (base, judged) = [cell for cell in run.cells if cell.cell.suite == "selftests/seccomp" and not cell.suite_variant]
    assert (base.same_as, judged.same_as) == ("", "base")
    assert judged.tests == base.tests
    assert judged.console == base.console
    assert sum(test.status is Status.PASS for test in judged.tests) > 80
    assert SAME_IMAGE in printed
    assert "patched is the same binary as base: one guest spoke for both" in printed
