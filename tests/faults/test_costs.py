# SPDX-License-Identifier: GPL-2.0-or-later
"""Series that decide rightly and cost too much, on a real 5.10: each breaks its own budgets, and nothing else counts.

And the claim below all of it: two runs from nothing agree in every figure.
"""

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from ci.model.results import Run
from ci.model.verdicts import Effect, TestVerdict
from ci.verdict.figures.explain import UNACCOUNTED, table
from tests.command import results, rig
from tests.faults.variants import COSTS, compose

pytestmark = pytest.mark.real
CACHED = tuple(f"budget/call/{what}/*" for what in ("list", "tree", "stack", "container", "service"))


def bench(folder: Path, *arguments: str) -> tuple[int, Run, str]:
    finished = rig("bench", "--arch", "x86_64", "--out", str(folder / "out"), "--quiet", *arguments)
    assert (folder / "out" / "results.json").exists(), finished.stderr[-3000:]
    return finished.returncode, results(folder / "out"), finished.stdout


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("name", "abis", "figures", "dearer"),
    [
        ("slow-path-for-all", "x86_64,i386", ("budget/call/none/*",), "syscall_enter_from_user_mode"),
        ("no-cache-for-compat", "x86_64,i386", CACHED, "__seccomp_filter"),
        ("quadratic-attach", "x86_64", ("budget/attach/stack/*",), "seccomp_cache_fill"),
        ("never-hits", "x86_64", CACHED, ""),  # what is cached costs what it costs on base
        ("emulates-twice", "x86_64", ("budget/attach/*",), "seccomp_always_allows"),
    ],
)
def test_each_cost_breaks_its_own_budget(
    tmp_path: Path, name: str, abis: str, figures: tuple[str, ...], dearer: str
) -> None:
    status, run, printed = bench(tmp_path, "--series", str(compose(COSTS / name, tmp_path / "series")), "--abi", abis)
    assert status == 1, run.summary
    counted = [item for item in run.comparisons if item.effect is not Effect.NONE]
    assert {item.verdict for item in counted} == {TestVerdict.REGRESSION}
    assert counted
    for item in counted:
        assert any(fnmatchcase(item.test, glob) for glob in figures), (item.cell.abi, item.test, item.message)
        assert item.message in printed
    if name == "no-cache-for-compat":
        assert {item.cell.abi for item in counted} == {"i386"}
    explained = [item for item in run.explanations if not item.missing]
    assert explained
    for explanation in explained:
        rows = explanation.functions
        if dearer:
            assert rows[0].function.partition(".")[0] == dearer
        else:
            assert not [row for row in rows if row.difference]
        assert sum(row.base or 0 for row in rows) == explanation.base
        assert sum(row.judged for row in rows) == explanation.judged
        assert UNACCOUNTED not in [row.function for row in rows]
        assert all(line in printed for line in table(run, explanation))


@pytest.mark.timeout(900)
def test_two_runs_from_nothing_agree_in_every_figure(tmp_path: Path) -> None:
    status, _run, printed = bench(tmp_path, "--abi", "i386", "--fresh", "--twice")
    assert status == 0, printed[-2000:]
    match = re.search(r"^digest of all figures: (\w+) and again (\w+)$", printed, re.MULTILINE)
    assert match
    assert match[1] == match[2]
