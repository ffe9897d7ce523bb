# SPDX-License-Identifier: GPL-2.0-or-later
"""Struct layout and size as results: the cells, what the terminal shows of them, what speaks for a broken budget."""

from collections.abc import Iterable, Sequence

from ci.cells.static.static_cells import (
    NO_STRUCT,
    SAME_IMAGE,
    Pair,
    layout_cells,
    layout_changes,
    size_cells,
    unmeasured,
)
from ci.model.results import Run
from ci.model.stages import CellResult
from ci.model.verdicts import Effect, RunVerdict
from ci.report import terminal
from ci.report.formats.junit import gate, raw
from ci.text.evidence import Witnesses
from ci.text.static_text import figure_lines
from ci.verdict.compare.cells import compare_cells, doubtful_tests
from ci.verdict.conclude import conclude
from ci.verdict.figures.budget import compare_budgets
from configs.model import BudgetChoice
from configs.names import LAYOUT, SIZE
from configs.result import Cell, Status
from kernels.binary.dwarf import Member, StructLayout
from kernels.binary.layout import Wanted
from kernels.binary.object_code import Sizes
from kernels.binary.size import ObjectChange, SizeChange, SymbolChange
from tests.ci.samples import TODAY, ran, run_of

FILTER, CACHE, TASK = Wanted("filter", "kernel/seccomp.c"), Wanted("cache", "kernel/seccomp.c"), Wanted("task")
NO_HOLES = BudgetChoice(suite=LAYOUT, figure="filter/hole_bytes", limit="no growth")


def cells(suite: str) -> Pair:
    return Cell("base", "x86_64", "-", "plain", suite), Cell("patched", "x86_64", "-", "plain", suite)


def struct(name: str, *members: tuple[str, int, int], size: int, holes: int = 0, padding: int = 0) -> StructLayout:
    """`members` are (name, offset, size) in bytes; every hole is of three bytes."""
    listed = tuple(Member(member, offset * 8, length * 8) for member, offset, length in members)
    return StructLayout(name, size, holes, 3 * holes, 0, padding, listed)


SMALL = struct("filter", ("refs", 0, 4), ("prev", 8, 8), ("gone", 16, 8), size=64)
LARGE = struct("filter", ("refs", 0, 8), ("log", 8, 1), ("prev", 60, 8), size=72, holes=1)


def of_struct() -> list[CellResult]:
    before, after = {FILTER: SMALL, CACHE: None, TASK: None}, {FILTER: LARGE, CACHE: SMALL, TASK: None}
    return layout_cells(cells(LAYOUT), before, after, [FILTER])


def of_size(*objects: ObjectChange, same: bool = False) -> list[CellResult]:
    return size_cells(cells(SIZE), SizeChange(same, Sizes(100, 20, 3), Sizes(120, 20, 3), objects))


SECCOMP = ObjectChange(
    "kernel/seccomp.o",
    Sizes(50, 8, 0),
    Sizes(70, 8, 0),
    (SymbolChange("cache_fill", None, 30), SymbolChange("old", 10, None), SymbolChange("poll", 7, 7)),
)


def lines(results: Iterable[CellResult]) -> list[str]:
    return [" " * indent + text for indent, text in figure_lines(run_of(results))]


def figures(result: CellResult, test: str) -> dict[str, int]:
    (found,) = [item for item in result.tests if item.name == test]
    return {figure.name: figure.value for figure in found.figures}


def test_members_that_moved_grew_came_and_went() -> None:
    assert list(layout_changes(SMALL, LARGE)) == [
        "refs: resized from 4 to 8",
        "prev: moved from 8 to 60",
        "gone: removed at 16, 8 long",
        "log: added at 8, 1 long",
        "prev: lies in two cache lines now",
    ]
    assert list(layout_changes(SMALL, SMALL)) == []


def test_both_sides_report_the_same_tests_and_none_is_gone_or_fails() -> None:
    run = conclude(run_of([*of_struct(), *of_size(SECCOMP)]), today=TODAY)
    assert run.verdict is RunVerdict.PASS
    base, judged = of_struct()
    assert [test.name for test in base.tests] == [test.name for test in judged.tests] == ["cache", "filter", "task"]
    assert [test.status for test in judged.tests] == [Status.PASS, Status.PASS, Status.SKIP]
    assert (base.tests[0].message, base.tests[0].figures) == (NO_STRUCT, ())


def test_figures_of_a_struct() -> None:
    judged = figures(of_struct()[1], "filter")
    assert judged == {
        "size": 72, "holes": 1, "hole_bytes": 3, "hole_bits": 0, "padding": 0, "cache_lines": 2, "straddlers": 1,
    }  # fmt: skip


def test_a_struct_that_the_profile_names_and_nobody_has_leaves_the_run_unknown() -> None:
    run = conclude(run_of(layout_cells(cells(LAYOUT), {TASK: None}, {TASK: None}, [TASK])), today=TODAY)
    assert run.verdict is RunVerdict.UNKNOWN


def test_what_could_not_be_measured_is_skipped_or_missed() -> None:
    for status, effect in ((Status.SKIP, Effect.NONE), (Status.MISS, Effect.UNKNOWN)):
        run = run_of(unmeasured(cells(LAYOUT), ["filter"], status, "no objects"))
        assert {item.effect for item in compare_cells(run)} == {effect}
        (broken,) = compare_budgets(run, [NO_HOLES])
        assert broken.effect is Effect.UNKNOWN


def test_no_guest_is_asked_again_for_what_no_guest_said() -> None:
    base, judged = unmeasured(cells(LAYOUT), ["filter"], Status.MISS, "no objects")
    assert not doubtful_tests(base, judged, compare_cells(run_of([base, judged])))


def test_figures_of_an_object_and_its_symbols() -> None:
    base, judged = of_size(SECCOMP)
    assert figures(base, "vmlinux") == {
        "text": 100, "data": 20, "bss": 3, "grown": 0, "changed_objects": 0, "changed_symbols": 0,
    }  # fmt: skip
    assert figures(judged, "vmlinux")["grown"] == 20
    assert figures(judged, "vmlinux")["changed_objects"] == 1
    assert figures(judged, "vmlinux")["changed_symbols"] == 3
    assert figures(base, "kernel/seccomp.o")["symbol:cache_fill"] == 0
    assert figures(judged, "kernel/seccomp.o") == {
        "text": 70, "data": 8, "bss": 0, "symbol:cache_fill": 30, "symbol:old": 0, "symbol:poll": 7,
    }  # fmt: skip


def test_the_terminal_tells_a_struct_old_to_new() -> None:
    assert lines(of_struct()) == [
        "layout x86_64",
        "  cache",
        "    size 64 bytes",
        "    the struct is new",
        "  filter",
        "    size 64 -> 72 bytes (+8, +12.5 %)",
        "    holes 0 -> 1 holes (+1)",
        "    hole_bytes 0 -> 3 bytes (+3)",
        "    cache_lines 1 -> 2 lines (+1, +100.0 %)",
        "    straddlers 0 -> 1 members (+1)",
        "    refs: resized from 4 to 8",
        "    prev: moved from 8 to 60",
        "    gone: removed at 16, 8 long",
        "    log: added at 8, 1 long",
        "    prev: lies in two cache lines now",
        "  task: not measured: nothing that was built defines this struct",
        "",
    ]


def test_the_terminal_tells_sizes_as_bloat_o_meter_does() -> None:
    assert lines(of_size(SECCOMP))[:-1] == [
        "size x86_64",
        "  vmlinux: changed: 1 object, 3 symbols in all",
        "    text 100 -> 120 bytes (+20, +20.0 %)",
        "    grown 0 -> 20 bytes (+20)",
        "    changed_objects 0 -> 1 objects (+1)",
        "    changed_symbols 0 -> 3 symbols (+3)",
        "  kernel/seccomp.o",
        "    text 50 -> 70 bytes (+20, +40.0 %)",
        "    cache_fill: 0 -> 30 bytes (+30), new",
        "    old: 10 -> 0 bytes (-10, -100.0 %), gone",
        "    poll: 7 -> 7 bytes, changed",
    ]


def test_an_equal_image_is_told() -> None:
    same = size_cells(cells(SIZE), SizeChange(same=True, before=Sizes(9), after=Sizes(9), objects=()))
    assert lines(same)[1] == f"  vmlinux: unchanged: {SAME_IMAGE}"


def test_many_symbols_are_counted() -> None:
    many = tuple(SymbolChange(f"s{number}", 1, 1) for number in range(40))
    assert lines(of_size(ObjectChange("a.o", Sizes(), Sizes(), many)))[-2] == "    and 28 more, see results.json"


def judged_run(*results: CellResult, budgets: Sequence[BudgetChoice] = ()) -> Run:
    return conclude(run_of(results), today=TODAY, budgets=budgets)


def test_a_broken_budget_is_in_every_report_with_what_changed() -> None:
    run = judged_run(*of_struct(), budgets=[NO_HOLES])
    (item,) = [item for item in run.comparisons if item.effect is Effect.FAIL]
    found = Witnesses(run).of(item)
    assert found.test is not None and found.test.name == "filter"
    assert "prev: moved from 8 to 60" in found.text
    assert "guest" not in found.text
    told = "0 -> 3 bytes (+3), budget no growth"
    assert told in terminal.render(run)
    assert told.replace(">", "&gt;") in gate(run)
    assert "hole_bytes 3 bytes\n" in gate(run)
    assert "prev: moved from 8 to 60" in gate(run)
    assert "size 64 bytes\n" in raw(run, "base")


def test_one_guest_for_two_equal_kernels_is_told() -> None:
    base = ran("base", {"a": Status.PASS})
    adopted = ran("patched", {"a": Status.PASS}).model_copy(update={"same_as": "base"})
    text = terminal.render(judged_run(base, adopted))
    assert "same    x86_64: patched is the same binary as base: one guest spoke for both" in text
    assert "same    " not in terminal.render(judged_run(base, ran("patched", {"a": Status.PASS})))
