# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows, table and verdict of wall time, without a guest."""

import subprocess
import sys
from pathlib import Path

import pytest

from ci.cells.further.wall_cell import ticks_of, wall_rows
from ci.model.figures import Wall
from ci.model.results import Run
from ci.model.stages import BuildResult
from ci.model.stats import Shown
from ci.model.verdicts import RunVerdict
from ci.report import schema
from ci.report.formats import json_report
from ci.run.wall import concluded, rounds_of
from ci.text.bench_table import WIDTH
from ci.text.wall_table import LOUD, tables
from configs.result import Cell
from guests.host.facts import HostFacts
from testcases.benchmark.suite import CLOCK
from testcases.benchmark.topic import TableRow, find_topic
from tests.ci.samples import built, run_of

HZ = 2_500_000_000
CELL = Cell("patched", "x86_64", "x86_64", "plain", "benchmark/seccomp")
FACTS = HostFacts("ssh://me@far:22", "Some CPU @ 3 GHz", (0, 1), 0.25, "performance", False)
ROWS = find_topic("seccomp").rows()


def guest(factor: float, hz: int = HZ) -> dict[str, int]:
    """Every figure of the table: a row's place times 100 ns times the factor, in thousandths of ticks."""
    figures = {row.figure: round(place * 250 * 1000 * factor) for place, row in enumerate(ROWS, start=1)}
    return {**figures, CLOCK: hz}


def measured(factors: list[float], accel: str = "kvm", problems: tuple[str, ...] = ()) -> Wall:
    rounds = [(guest(1.0), guest(factor)) for factor in factors]
    return Wall(
        cell=CELL,
        against="base",
        accel=accel,
        qemu_version="7.2.22",
        host=FACTS,
        load_after=0.5,
        pinned=1,
        seed=7,
        first=("base",) * len(factors),
        confidence=0.95,
        ticks=ticks_of(rounds),
        rows=tuple(wall_rows(ROWS, rounds)),
        problems=problems,
        command=("taskset", "-c", "1", "qemu-system-x86_64", "-cpu", "host"),
    )


def run_with(*walls: Wall, builds: tuple[BuildResult, ...] = (built("base"), built("patched"))) -> Run:
    return run_of([], builds).model_copy(update={"wall": walls})


def test_rows_are_in_nanoseconds_with_the_ratio_of_the_rounds() -> None:
    (first, *_), rows = measured([0.5] * 20).rows, measured([0.5] * 20).rows
    assert len(rows) == len(ROWS)
    assert first.base == pytest.approx((100.0,) * 20)
    assert first.judged == pytest.approx((50.0,) * 20)
    assert (first.ratio, first.low, first.high) == pytest.approx((0.5, 0.5, 0.5))
    assert {row.shown for row in rows} == {Shown.FASTER}


def test_one_clock_serves_all_guests() -> None:
    """A guest that measured its clock wrongly does not make its side slower."""
    rounds = [(guest(1.0, HZ // 3), guest(1.0)), (guest(1.0), guest(1.0)), (guest(1.0), guest(1.0, HZ // 2))]
    assert ticks_of(rounds) == HZ
    assert {row.ratio for row in wall_rows(ROWS, rounds)} == {1.0}
    assert ticks_of([]) == 0


def test_a_figure_that_one_guest_lacks_has_no_row() -> None:
    lacking = {name: value for name, value in guest(1.0).items() if name != ROWS[0].figure}
    found = list(wall_rows(ROWS, [(guest(1.0), guest(1.0)), (guest(1.0), lacking)]))
    assert [row.label for row in found] == [row.label for row in ROWS[1:]]
    assert list(wall_rows([TableRow("label", "figure")], [])) == []


def test_the_intervals_of_a_table_hold_together() -> None:
    """Six rounds are enough for one row, and not for a table of sixty."""
    assert {row.shown for row in measured([0.5] * 6).rows} == {Shown.TOO_FEW}
    (alone,) = wall_rows(ROWS[:1], [(guest(1.0), guest(0.5))] * 6)
    assert alone.shown is Shown.FASTER


@pytest.mark.parametrize("factors", [[0.5] * 20, [1.0] * 20, [3000.0] * 20, [0.001] * 3])
def test_the_table_fits_a_mail_and_says_how_it_was_measured(factors: list[float]) -> None:
    lines = list(tables(run_with(measured(factors))))
    assert max(map(len, lines)) <= WIDTH
    text = "\n".join(lines)
    words = ("kvm", "-cpu host", "pinned to processor 1", "ssh://me@far:22", "Some CPU", "performance", "0.25", "0.50")
    for word in (*words, f"variant: {len(factors)},", "seed 7", "95%"):
        assert word in text
    assert not any(line in text for line in LOUD)


def test_rows_stand_below_what_they_show() -> None:
    lines = list(tables(run_with(measured([0.5] * 20))))
    (row,) = (number for number, line in enumerate(lines) if line.startswith("getppid, no filter"))
    assert lines[row - 1] == f"faster ({len(ROWS)}):"
    assert lines[row].split()[3:] == ["100.0", "50.0", "0.500", "0.500", "0.500"]


def test_an_emulators_time_is_loud() -> None:
    lines = list(tables(run_with(measured([2.0] * 20, accel="tcg"))))
    assert all(line in lines and len(line) <= WIDTH for line in LOUD)


@pytest.mark.parametrize("accel", ["kvm", "tcg"])
@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_no_time_decides_anything(accel: str, factor: float) -> None:
    found = concluded(run_with(measured([factor] * 20, accel)))
    assert (found.verdict, found.exit_code) == (RunVerdict.PASS, 0)
    assert f"{len(ROWS)} {measured([factor] * 20).rows[0].shown}" in found.summary


def test_a_guest_without_an_end_leaves_the_run_unknown_and_a_broken_build_fails_it() -> None:
    problem = "patched round 3: Kernel panic (console.log)"
    unknown = concluded(run_with(measured([1.0] * 2, problems=(problem,))))
    assert (unknown.verdict, unknown.exit_code) == (RunVerdict.UNKNOWN, 3)
    assert unknown.summary.startswith(problem)
    assert f"PROBLEM: {problem}" in list(tables(unknown))
    broken = concluded(run_with(builds=(built("base"), built("patched", ok=False))))
    assert (broken.verdict, broken.exit_code) == (RunVerdict.FAIL, 1)


def test_json_holds_every_round_and_follows_the_schema(tmp_path: Path) -> None:
    run = concluded(run_with(measured([0.5] * 3)))
    assert json_report.parse(json_report.dump(run)).wall == run.wall
    (tmp_path / "results.json").write_text(json_report.dump(run))
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--schemafile",
        str(schema.PATH),
        str(tmp_path / "results.json"),
    ]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_seed_is_drawn_where_none_is_given() -> None:
    assert rounds_of(20, 7).seed == 7
    assert len({rounds_of(20, None).seed for _ in range(5)}) > 1
