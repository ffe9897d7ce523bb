# SPDX-License-Identifier: GPL-2.0-or-later
"""The report on the terminal: table, list of what changed, one line with the verdict. Plain text pastes into a mail."""

import io
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ci.model.results import (
    FAULT,
    CellResult,
    Comparison,
    Effect,
    KnownState,
    Run,
    RunVerdict,
    TestVerdict,
    is_changed,
)
from ci.model.suites import STATIC
from ci.report.changes import changed_tests, of_guests
from ci.report.evidence import Witnesses, trace_lines
from ci.report.static_text import accel_text, figure_lines
from ci.verdict import verdict
from ci.verdict.compare_builds import BUILD, SERIES
from ci.verdict.explain import lines as explained_lines
from ci.verdict.explain import of_budget
from configs.result import Cell, Status
from util.paths import called_as
from util.text import paste, plain

WIDTH = 100
_SHOWN = 10
"""Findings of one kind in one cell that are listed; the rest is counted."""
_COLOURS = {RunVerdict.PASS: "green", RunVerdict.FAIL: "red", RunVerdict.UNKNOWN: "yellow"}
_EFFECT_COLOURS = {Effect.FAIL: "red", Effect.UNKNOWN: "yellow", Effect.NONE: ""}
_QUIET = (TestVerdict.SAME,)


def render(run: Run, width: int = WIDTH, colour: bool = False, last: str = "") -> str:
    """The report, at most `width` columns wide (and never wider than 100). Without `colour` not an escape sequence.
    `last` replaces the verdict's line, for a reader that is told something else than the verdict."""
    console = Console(
        file=io.StringIO(),
        width=max(40, min(width, WIDTH)),
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
        legacy_windows=False,
    )
    for line in _identity(run):
        _print_lines(console, line, 0)
    console.print()
    for table in _tables(run, console.width, colour) if _first_runs(run) else ():
        console.print(table)
        console.print()
    _print_figures(run, console)
    _print_changed_figures(run, console)
    _print_changes(run, console)
    _print_known(run, console)
    _print_notes(run, console)
    if bisection := bisection_line(run):
        console.print("to find the patch that did it:")
        console.print(paste(bisection, console.width, "  "), markup=False, soft_wrap=True, end="\n\n")
    console.print(
        last or _verdict_line(run, console.width),
        soft_wrap=bool(last),
        style=f"bold {_COLOURS[run.verdict]}",
        markup=False,
    )
    file = console.file
    assert isinstance(file, io.StringIO)
    text = "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"
    return text if colour else plain(text)


def show(run: Run, last: str = "") -> str:
    """The report for standard output: coloured and as wide as a terminal, plain and 100 columns wide elsewhere."""
    if not sys.stdout.isatty():
        return render(run, last=last)
    width = shutil.get_terminal_size((WIDTH, 24)).columns
    return render(run, width, colour=not os.environ.get("NO_COLOR"), last=last)


def bisection_line(run: Run) -> tuple[str, ...]:
    """The command that finds the patch behind the first regression; nothing where there is no choice of patches."""
    regressions = (item for item in run.comparisons if item.verdict is TestVerdict.REGRESSION)
    found = next((item for item in regressions if item.cell.variant == run.judged.name), None)
    patches = len(run.series.patches) if run.series else 0
    if found is None or patches < 2 or found.cell.suite in (*STATIC, BUILD, SERIES) or run.judged.patches is not None:
        return ()
    reproduce = next((cell.reproduce for cell in run.cells if cell.cell == found.cell and cell.reproduce), ())
    kernels = dict(zip(reproduce[2::2], reproduce[3::2], strict=False))
    names = ("--profile", "--source", "--series", "--revision", "--only", "--mailbox")
    chosen = [word for name in names if name in kernels for word in (name, kernels[name])]
    cell = found.cell
    where = ("--arch", cell.arch, "--abi", cell.abi, "--flavour", cell.flavour, "--suite", cell.suite)
    sought = ("--splat", found.test.removeprefix(FAULT)) if found.test.startswith(FAULT) else ("--test", found.test)
    return (called_as(), "bisect", *chosen, *where, *sought)


def _identity(run: Run) -> Iterator[str]:
    yield f"source  {run.source.title} ({run.source.version}, {run.source.commit[:12]})"
    if run.series:
        count = len(run.series.patches)
        patches = f"{count} patch{'' if count == 1 else 'es'}"
        yield f"series  {run.series.title}, v{run.series.version}, {patches}"
        yield from (f"note    {text}" for text in run.series.warnings)
    if run.host.accel:
        accels = ", ".join(f"{arch} {accel}" for arch, accel in sorted(run.host.accel.items()))
        where = f" on {run.host.guests}" if run.host.guests else ""
        yield f"guests  {accels}; QEMU {run.host.qemu or '?'}{where}"
    for arch in sorted(run.host.fallback):
        yield f"        {arch} {accel_text(run.host, arch)}"

    if same := list(dict.fromkeys(_same_kernel(cell) for cell in _first_runs(run) if cell.same_as)):
        yield f"same    {'; '.join(same)}: one guest spoke for both"


def _same_kernel(cell: CellResult) -> str:
    flavour = "" if cell.cell.flavour == "plain" else f" {cell.cell.flavour}"
    return f"{cell.cell.arch}{flavour}: {cell.cell.variant} is the same binary as {cell.same_as}"


def _tables(run: Run, width: int, colour: bool) -> Iterator[Table]:
    """Cells down, variants across; several tables where one would be too wide."""
    results = {(cell.cell.variant, _row(cell)): cell for cell in _first_runs(run)}
    rows = list(dict.fromkeys(_row(cell) for cell in _first_runs(run)))
    names = [variant.name for variant in run.variants]
    changed = changed_tests(run)
    texts = {(name, row): _counts(results.get((name, row)), changed) for name in names for row in rows}
    columns = {name: max([len(name), *(len(texts[name, row].plain) for row in rows)]) for name in names}
    label = min(max([len("cell"), *map(len, rows)]), width // 2)
    for chunk in _chunks(names, columns, width - label):
        table = Table(box=box.SIMPLE_HEAD if colour else box.ASCII2, show_edge=False, pad_edge=False)
        table.add_column("cell", min_width=label, overflow="fold")
        for name in chunk:
            table.add_column(escape(plain(name)), overflow="fold")
        for row in rows:
            table.add_row(escape(plain(row)), *(texts[name, row] for name in chunk))
        yield table


def _chunks(names: Sequence[str], columns: dict[str, int], room: int) -> Iterator[list[str]]:
    chunk: list[str] = []
    used = 0
    for name in names:
        if chunk and used + columns[name] + 3 > room:
            yield chunk
            chunk, used = [], 0
        chunk.append(name)
        used += columns[name] + 3
    if chunk:
        yield chunk


def _first_runs(run: Run) -> list[CellResult]:
    guests = (cell for cell in run.cells if cell.cell.suite not in STATIC)
    return [cell for cell in guests if not cell.attempt and not cell.suite_variant]


def _row(cell: CellResult) -> str:
    return _where(cell.cell)


def _where(cell: Cell) -> str:
    """The flavour `plain` is the usual case and is not shown."""
    parts = (cell.arch, cell.abi, cell.flavour, cell.suite)
    return " ".join(part for part in parts if part not in ("-", "plain"))


def _counts(cell: CellResult | None, changed: Mapping[Cell, int]) -> Text:
    """`87 pass`, `1 FAIL, 86 pass`: what is bad first; `87 pass (22 changed)` where figures of so many tests are not
    those of base. The guest itself is counted only where it is at fault."""
    if cell is None:
        return Text("-")
    if cell.not_run and not cell.tests:
        return Text("not run", "yellow")
    tests = [test for test in cell.tests if test.status is not Status.PASS or not test.name.startswith("guest/")]
    counts = Counter(test.status for test in tests)
    parts = [
        (f"{counts[status]} {status.value.lower() if quiet else status.value}", style)
        for status, quiet, style in (
            (Status.FAIL, False, "red"),
            (Status.ERROR, False, "yellow"),
            (Status.MISS, False, "yellow"),
            (Status.PASS, True, "green"),
            (Status.SKIP, True, "cyan"),
        )
        if counts[status]
    ]
    text = Text(", ").join(Text(*part) for part in parts)
    if count := changed.get(cell.cell):
        text.append(f" ({count} changed)")
    return text if parts else Text("no test")


def _print_figures(run: Run, console: Console) -> None:
    for indent, line in figure_lines(run):
        if line:
            _print_lines(console, line, indent)
        else:
            console.print()


def _print_changed_figures(run: Run, console: Console) -> None:
    """A line for each cell with a guest whose figures are not those of base."""
    found = of_guests(run)
    for cell, text in found.items():
        _print_lines(console, f"{_where(cell)}: {text}", 0)
    if found:
        console.print()


def _print_changes(run: Run, console: Console) -> None:
    """Everything but `same`, what fails the run first. Pre-existing failures are named once, without evidence."""
    order = {Effect.FAIL: 0, Effect.UNKNOWN: 1, Effect.NONE: 2}
    items = sorted((item for item in run.comparisons if _worth_telling(item)), key=lambda item: order[item.effect])
    groups: dict[tuple[Effect, str, str], list[Comparison]] = {}
    for item in items:
        groups.setdefault((item.effect, _word(item), str(item.cell)), []).append(item)
    if not groups:
        figures = any(cell.cell.suite in STATIC for cell in run.cells)
        nothing = "No test changed its result." if figures else "Nothing changed." if run.base else "Nothing to tell."
        if others := _left_out(run):
            nothing = f"Nothing to tell of the tests that count; {others} of the others failed."
        console.print(nothing, end="\n\n")
        return
    told: set[Cell] = set()
    witnesses = Witnesses(run)
    for (effect, word, _), found in groups.items():
        fresh = [item for item in found if not witnesses.told_in(item)]
        _print_group(console, effect, word, fresh, [item for item in found if witnesses.told_in(item)])
        if fresh and effect is not Effect.NONE and found[0].cell not in told:
            told.add(found[0].cell)
            _print_evidence(witnesses, console, fresh[0])
        for line in explained_lines(run, [one for item in found for one in of_budget(run, item)]):
            console.print(f"  {plain(line)}", markup=False, soft_wrap=True)
        console.print()


def _left_out(run: Run) -> int:
    """How many tests of a run without a base failed and were left out of the judgement, by `--test`."""
    if run.base:
        return 0
    judged = {(item.cell, item.test) for item in run.comparisons}
    return sum(
        test.status is Status.FAIL and (cell.cell, test.name) not in judged
        for cell in _first_runs(run)
        for test in cell.tests
    )


def _worth_telling(item: Comparison) -> bool:
    """What changed within its budget is told in one line for each cell, not test by test."""
    if item.effect is not Effect.NONE:
        return True
    return item.verdict is not None and item.verdict not in _QUIET and not is_changed(item)


def _word(item: Comparison) -> str:
    return item.verdict.value if item.verdict else verdict.show(item.patched)


def _print_group(
    console: Console, effect: Effect, word: str, found: Sequence[Comparison], again: Sequence[Comparison]
) -> None:
    """`again` are reports of the kernel that stand under another ABI already."""
    cell = (*found, *again)[0].cell
    console.print(plain(f"{word}: {_where(cell)}"), style=f"bold {_EFFECT_COLOURS[effect]}".strip(), markup=False)
    alike: dict[str, list[str]] = {}
    for item in found:
        alike.setdefault(_sides(item), []).append(item.test)
    for statuses, tests in list(alike.items())[:_SHOWN]:
        for test in tests[:_SHOWN]:
            _print_lines(console, test, 2)
        if len(tests) > _SHOWN:
            console.print(f"  and {len(tests) - _SHOWN} more, see results.json")
        _print_lines(console, statuses, 6)
    if again:
        _print_lines(console, f"and {len(again)} of the kernel's reports above, in this ABI as well", 2)
    rest = sum(map(len, list(alike.values())[_SHOWN:]))
    if rest:
        console.print(f"  and {rest} more, see results.json")


def _sides(item: Comparison) -> str:
    statuses = f"{item.cell.variant}: {verdict.show(item.patched)}"
    if item.base:
        statuses = f"{item.against}: {verdict.show(item.base)}; {statuses}"
    known = f"; known: {item.known.reason} ({item.known.link})" if item.known else ""
    return f"{statuses}{'; ' if item.message else ''}{item.message}{known}"


def _print_evidence(witnesses: Witnesses, console: Console, item: Comparison) -> None:
    """For the first finding of a group: the place in the source, the log, and the command that repeats it."""
    found = witnesses.of(item)
    for line in (*trace_lines(found), *(found.run.state if found.run else ())):
        _print_lines(console, line, 6)
    if found.run and found.run.console:
        _print_lines(console, f"console: {found.run.console}", 6)
    for command in found.commands[:1]:
        console.print(paste(command, console.width, "      "), markup=False, soft_wrap=True)


def _print_lines(console: Console, text: str, indent: int) -> None:
    """Breaks at blanks, and inside a word only if it is wider than the terminal."""
    clean = "".join(character if character.isprintable() else " " for character in text)
    prefix = " " * indent
    for line in wrap(
        clean, console.width, initial_indent=prefix, subsequent_indent=prefix + "  ", break_on_hyphens=False
    ):
        console.print(line, markup=False, soft_wrap=True)


def _print_known(run: Run, console: Console) -> None:
    told: Iterable[str] = [item.message for item in run.known_issues if item.effect is Effect.FAIL]
    unused = [item.issue.where for item in run.known_issues if item.state is KnownState.UNUSED]
    for message in told:
        console.print("known issue", style="bold red")
        _print_lines(console, message, 2)
    if unused:
        _print_lines(console, f"known issues that nothing here speaks of: {', '.join(unused)}", 0)
    if told or unused:
        console.print()


def _print_notes(run: Run, console: Console) -> None:
    """The notes of init in first runs, each text once, with the guests that reported it."""
    told: dict[str, list[str]] = {}
    for cell in _first_runs(run):
        for note in cell.notes:
            told.setdefault(note, []).append(f"{cell.cell.variant} {_row(cell)}")
    for note, cells in list(told.items())[:_SHOWN]:
        more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
        _print_lines(console, f"note: {note} ({cells[0]}{more})", 0)
    if len(told) > _SHOWN:
        console.print(f"and {len(told) - _SHOWN} more notes, see results.json")
    if told:
        console.print()


def _verdict_line(run: Run, width: int) -> str:
    line = f"{run.verdict.value} (exit {run.exit_code}, {_clock(run.seconds)}): {run.summary}"
    while len(line) > width and "; " in line:
        line = line.rpartition("; ")[0]
    line = plain(line).replace("\n", " ")
    return line if len(line) <= width else line[: width - 3] + "..."


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
