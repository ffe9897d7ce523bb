# SPDX-License-Identifier: GPL-2.0-or-later
"""Digest, table and plots of a run's figures, without a guest."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from ci.model.results import Run
from ci.model.stages import CellResult
from ci.run.bench import bench_suites, digest, figures
from ci.run.bench import differences as compare
from ci.text.bench_table import WIDTH, tables
from configs.loader import load_arch, load_profile
from configs.model import SuiteChoice
from configs.result import Cell, Figure, Status, TestResult
from testcases.benchmark.topic import Plot, find_topic
from tests.ci.samples import run_of

SUITE = "benchmark/seccomp"
BASE = {"call/list/front": 549, "call/list/end": 4168, "call/none/getppid": 217, "call/stack/4": 15625}
PATCHED = {"call/list/front": 354, "call/list/end": 354, "call/none/getppid": 217, "call/stack/4": 354}


def write_plots(run: Run, suite: str, plots: Iterable[Plot], folder: Path) -> list[Path]:
    """Only the tests that draw import what draws."""
    from ci.report.bench_plot import write_plots as draw

    return draw(run, suite, plots, folder)


def measured(variant: str, values: dict[str, int]) -> CellResult:
    tests = [
        TestResult(
            name, Status.PASS, figures=(Figure("unfiltered" if "none" in name else "interpreted", value, "insns"),)
        )
        for name, value in values.items()
    ]
    command = ("qemu-system-x86_64", "-cpu", "max", "-icount", "shift=0,sleep=off")
    return CellResult(
        cell=Cell(variant, "x86_64", "x86_64", "plain", SUITE),
        tests=(TestResult(SUITE, Status.PASS), *tests),
        accel="tcg",
        qemu_version="7.2.22",
        command=command,
    )


def both(base: dict[str, int], patched: dict[str, int]) -> Run:
    return run_of([measured("base", base), measured("patched", patched)])


def test_the_digest_follows_every_figure_and_nothing_else() -> None:
    one = both(BASE, PATCHED)
    again = one.model_copy(update={"seconds": 99.0, "cells": one.cells[::-1]})
    assert digest(one) == digest(again)
    assert digest(one) != digest(both(BASE, {**PATCHED, "call/list/end": 355}))
    assert len(figures(one)) == 8


def test_other_suites_of_the_run_are_left_alone(tmp_path: Path) -> None:
    run = both(BASE, PATCHED)
    size = TestResult("seccomp_filter", Status.PASS, figures=(Figure("size", 208, "bytes"),))
    more = CellResult(cell=Cell("patched", "x86_64", "-", "plain", "layout"), tests=(size,))
    with_layout = run.model_copy(update={"cells": (*run.cells, more)})
    assert digest(with_layout) == digest(run)
    assert list(tables(with_layout)) == list(tables(run))
    assert write_plots(with_layout, SUITE, (), tmp_path) == []


def test_what_differs_is_named_with_both_values() -> None:
    other = both(
        BASE, {name: value for name, value in {**PATCHED, "call/list/end": 355}.items() if "front" not in name}
    )
    assert compare(both(BASE, PATCHED), other) == (
        "patched/x86_64/x86_64/plain/benchmark/seccomp call/list/front/interpreted: 354 insns and then nothing",
        "patched/x86_64/x86_64/plain/benchmark/seccomp call/list/end/interpreted: 354 insns and then 355 insns",
    )


def test_a_test_that_lost_its_figure_is_another_digest() -> None:
    run = both(BASE, PATCHED)
    cells = [
        cell.model_copy(update={"tests": tuple(TestResult(t.name, Status.ERROR) for t in cell.tests)})
        for cell in run.cells
    ]
    assert digest(run) != digest(run.model_copy(update={"cells": tuple(cells)}))


def test_the_table_fits_a_mail_and_says_how_it_was_measured() -> None:
    lines = list(tables(both(BASE, PATCHED)))
    assert max(map(len, lines)) <= WIDTH
    text = "\n".join(lines)
    for word in ("QEMU 7.2.22 tcg", "-cpu max", "-icount shift=0,sleep=off", "x86_64"):
        assert word in text
    (row,) = (line.split() for line in lines if line.startswith("list of 330, end"))
    assert row[-3:] == ["4168", "354", "0.085"]
    (published,) = (line.split() for line in lines if "end / front of a list" in line)
    assert published[-2:] == ["7.59", "7.59"]


@pytest.mark.slow
def test_plots_are_drawn_for_figures_that_are_there_and_the_same_each_time(tmp_path: Path) -> None:
    plots = find_topic("seccomp").plots()
    written = write_plots(both(BASE, PATCHED), SUITE, plots, tmp_path)
    assert sorted(path.name for path in written) == [
        *("depth-x86_64.png", "depth-x86_64.svg", "position-x86_64.png", "position-x86_64.svg"),
    ]
    first = [path.read_bytes() for path in written]
    assert all(len(data) > 5000 for data in first)
    assert [path.read_bytes() for path in write_plots(both(BASE, PATCHED), SUITE, plots, tmp_path)] == first


def test_a_profile_without_benchmarks_gets_all_of_them() -> None:
    assert bench_suites(load_profile("seccomp-cost")) == (SUITE,)
    profile = load_profile("boot")
    assert bench_suites(profile) == (SUITE,)
    named = profile.model_copy(update={"suites": (SuiteChoice(name="boot"), SuiteChoice(name="benchmark/other"))})
    assert bench_suites(named) == ("benchmark/other",)


@pytest.mark.slow
def test_the_default_profile_counts_costs() -> None:
    """Each budget of our benchmark speaks of a figure that there is, and each figure has one, on the base that they are
    meant for; on any other base the rule for all holds."""
    profile = load_profile("seccomp-cache")
    assert SUITE in [suite.name for suite in profile.suites]
    budgets = [item for item in profile.budgets if item.suite == SUITE]
    assert budgets
    assert {item.source for item in budgets} == {"5.10*"}
    assert budgets == [item for item in load_profile("seccomp-cost").budgets if item.suite == SUITE]
    topic = find_topic(SUITE.partition("/")[2])
    used = set()
    for arch in map(load_arch, profile.archs):
        for abi in arch.abis:
            mine = [item for item in budgets if fnmatchcase(arch.name, item.arch) and fnmatchcase(abi, item.abi)]
            for test in topic.tests(arch, abi):
                matching = [item for item in mine if fnmatchcase(f"{test}/compiled", item.figure)]
                assert matching, (abi, test)
                used.update(matching)
    assert [item for item in budgets if item not in used] == []
