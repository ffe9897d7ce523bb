# SPDX-License-Identifier: GPL-2.0-or-later
"""Which figures are explained, that the rows add up, and what a person, JUnit and results.json are shown."""

from collections.abc import Mapping
from xml.etree import ElementTree

from ci.model.figures import Explanation
from ci.model.results import Run
from ci.model.stages import CellResult
from ci.model.variants import Variant
from ci.report import terminal
from ci.report.formats import junit
from ci.run.bench import BenchResult
from ci.verdict.conclude import conclude
from ci.verdict.figures.explain import (
    AUTOMATIC,
    BEGUN_AGAIN,
    UNACCOUNTED,
    FigureQuestion,
    Traced,
    explanations,
    lines,
    questions,
)
from configs.model import BudgetChoice
from configs.result import Cell, Figure, Status, TestResult
from testcases.benchmark.windows import MOST
from tests.ci.samples import TODAY, run_of

SUITE = "benchmark/seccomp"
BASE = Cell("base", "x86_64", "i386", "plain", SUITE)
PATCHED = Cell("patched", "x86_64", "i386", "plain", SUITE)
GETPPID = "call/none/getppid/unfiltered"
COMMAND = ("./rig.py", "bench", "--explain", GETPPID)


def measured(cell: Cell, figures: Mapping[str, int], unit: str = "insns") -> CellResult:
    tests = (
        TestResult(name.rpartition("/")[0], Status.PASS, figures=(Figure(name.rpartition("/")[2], value, unit),))
        for name, value in figures.items()
    )
    return CellResult(cell=cell, tests=tuple(tests))


def judged(
    base: Mapping[str, int] | None, patched: Mapping[str, int], limit: str = "no growth", unit: str = "insns"
) -> Run:
    cells = [*([measured(BASE, base, unit)] if base is not None else []), measured(PATCHED, patched, unit)]
    variants = None if base is not None else (Variant(name="patched"),)
    budget = BudgetChoice(suite=SUITE, figure="*", limit=limit)
    return conclude(run_of(cells, variants=variants), today=TODAY, budgets=[budget])


def explained(run: Run, base: Mapping[str, int], patched: Mapping[str, int]) -> Explanation:
    (question,) = questions(run)
    traced = {
        BASE: Traced({GETPPID: base}, values={GETPPID: 211}),
        PATCHED: Traced({GETPPID: patched}, values={GETPPID: 251}),
    }
    (found,) = explanations(run, question, traced)
    return found.model_copy(update={"reproduce": COMMAND})


def test_only_broken_budgets_and_what_is_asked_for_are_traced() -> None:
    run = judged({GETPPID: 211, "fork/none/unfiltered": 900}, {GETPPID: 251, "fork/none/unfiltered": 900})
    assert questions(run) == [FigureQuestion(PATCHED, BASE, (GETPPID,))]
    (asked,) = questions(run, ["fork/*", "nothing/*"])
    assert asked.figures == (GETPPID, "fork/none/unfiltered")
    assert questions(judged({GETPPID: 211}, {GETPPID: 211})) == []


def test_what_is_not_counted_in_instructions_has_no_functions() -> None:
    assert questions(judged({"memory/filter/interpreted": 100}, {"memory/filter/interpreted": 200}, unit="bytes")) == []


def test_most_grown_first_and_the_rest_is_named() -> None:
    names = [f"call/list/{number}/compiled" for number in range(MOST + 3)]
    run = judged(dict.fromkeys(names, 100), {name: 101 + number for number, name in enumerate(names)})
    (question,) = questions(run)
    assert question.figures == tuple(names[::-1][:AUTOMATIC])
    assert set(question.left_out) == set(names) - set(question.figures)
    (everything,) = questions(run, ["*"])
    assert len(everything.figures) == MOST
    assert len(everything.left_out) == 3
    spent = {name: {"do_syscall_64": 100} for name in names}
    found = list(explanations(run, question, {BASE: Traced(spent), PATCHED: Traced(spent)}))
    text = "\n".join(lines(run, [item.model_copy(update={"reproduce": COMMAND}) for item in found]))
    assert "and 14 more: not explained" in text
    assert "4 others of this cell are explained" in text
    assert "./rig.py bench --explain" in text


def test_rows_add_up_to_the_figures_and_stand_by_difference() -> None:
    base = {"do_syscall_64": 150, "(user space)": 60}
    patched = {"do_syscall_64": 145, "(user space)": 60, "syscall_trace_enter": 40}
    item = explained(judged({GETPPID: 211}, {GETPPID: 251}), base, patched)
    assert [(row.function, row.base, row.judged, row.difference) for row in item.functions] == [
        ("syscall_trace_enter", 0, 40, 40),
        (UNACCOUNTED, 1, 6, 5),
        ("(user space)", 60, 60, 0),
        ("do_syscall_64", 150, 145, -5),
    ]
    assert sum(row.base or 0 for row in item.functions) == item.base == 211
    assert sum(row.judged for row in item.functions) == item.judged == 251


def test_a_row_for_what_is_missing_only_where_something_is() -> None:
    run = judged({GETPPID: 211}, {GETPPID: 251})
    assert [row.function for row in explained(run, {"a": 211}, {"a": 251}).functions] == ["a"]
    twice = explained(run, {"a": 212}, {"a": 253}).functions
    assert [(row.function, row.base, row.judged) for row in twice] == [("a", 212, 253), (BEGUN_AGAIN, -1, -2)]
    (question,) = questions(run)
    unlike = Traced({GETPPID: {"a": 253}}, values={GETPPID: 253})
    (item,) = explanations(run, question, {BASE: Traced({GETPPID: {"a": 211}}), PATCHED: unlike})
    assert [(row.function, row.base, row.judged) for row in item.functions] == [("a", 211, 253), (UNACCOUNTED, 0, -2)]


def test_a_side_that_could_not_be_traced_says_why() -> None:
    run = judged({GETPPID: 211}, {GETPPID: 251})
    (question,) = questions(run)
    traced = {BASE: Traced({GETPPID: {"a": 211}}), PATCHED: Traced({}, "the traced guest did not finish: panic")}
    (item,) = explanations(run, question, traced)
    assert (item.functions, item.missing) == ((), "the traced guest did not finish: panic")
    (item,) = explanations(run, question, {BASE: Traced({}), PATCHED: Traced({GETPPID: {"a": 251}})})
    assert item.missing == "the program marked no window of this figure"


def test_a_long_table_shows_what_matters_and_sums_up_the_rest() -> None:
    run = judged({GETPPID: 211}, {GETPPID: 251})
    small = {f"small{number}": number for number in range(1, 21)}
    item = explained(run, {**small, "shrunk": 1}, {**{name: value + 1 for name, value in small.items()}, "grown": 21})
    rows = [line.split() for line in lines(run, [item]) if line][2:]
    assert rows[0] == ["grown", "0", "21", "+21"]
    assert [row[0] for row in rows[1:12]] == sorted(small)[:11]
    assert rows[12][:6] == ["10", "others", "that", "differ", "by", "less"]
    assert rows[12][-1] == "+8"
    assert len(rows) == 14
    assert sum(int(row[-1]) for row in rows[:-1]) == int(rows[-1][-1]) == 40


def test_without_a_base_there_is_one_column() -> None:
    run = judged(None, {GETPPID: 251}, "<= 200 insns")
    (question,) = questions(run)
    assert question.cells == (PATCHED,)
    (item,) = explanations(run, question, {PATCHED: Traced({GETPPID: {"do_syscall_64": 251}})})
    assert [(row.function, row.base, row.judged) for row in item.functions] == [("do_syscall_64", None, 251)]
    assert [line.split() for line in lines(run, [item])][1:4] == [
        ["patched"],
        ["do_syscall_64", "251"],
        ["together,", "as", "measured", "251"],
    ]


def test_everybody_is_shown_the_table() -> None:
    run = judged({GETPPID: 211}, {GETPPID: 251})
    item = explained(run, {"do_syscall_64": 151, "same": 60}, {"do_syscall_64": 151, "same": 60, "x" * 60: 40})
    run = run.model_copy(update={"explanations": (item,)})
    table = [line for line in lines(run, [item]) if line]
    assert max(map(len, table)) <= 74
    assert [line.split()[-3:] for line in table[1:]] == [
        ["base", "patched", "difference"],
        ["0", "40", "+40"],
        ["211", "211", "+0"],
        ["211", "251", "+40"],
    ]
    assert "2 others that cost the same" in table[3]
    case = ElementTree.fromstring(junit.gate(run)).find(f".//testcase[@name='budget/{GETPPID}']/failure")
    assert case is not None
    shown = (terminal.render(run), case.text or "", "\n".join(BenchResult(run, "", "").explained))
    for text in shown:
        assert all(line.strip() in text for line in table)
