# SPDX-License-Identifier: GPL-2.0-or-later
"""The report on the terminal: the verdict, what fails, the cells, what else changed. Plain text pastes into a mail."""

import io
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ci.model.results import Run
from ci.model.stages import FAULT, CellResult
from ci.model.verdicts import Effect, KnownState, RunVerdict, TestVerdict
from ci.text.cell_text import clock, counts, guest_cells, row_name
from ci.text.changes import changed_tests, of_guests
from ci.text.coverage_text import coverage_lines
from ci.text.findings import print_findings, print_lines, print_rest
from ci.text.repeated_text import repeated_lines
from ci.text.static_text import accel_text, figure_lines
from ci.verdict.compare.builds import BUILD, SERIES
from configs.names import STATIC
from configs.result import Cell, Status
from util.paths import called_as
from util.text import counted, paste, plain

WIDTH = 100
_ROWS = 12
"""Rows of the table above which those of one suite that count alike are one."""
_NOTES = 10
"""Notes that are listed; the rest is counted."""
_COLOURS = {RunVerdict.PASS: "green", RunVerdict.FAIL: "red", RunVerdict.UNKNOWN: "yellow"}
_STATUS_COLOURS: dict[Status | None, str] = {
    Status.FAIL: "red", Status.ERROR: "yellow", Status.MISS: "yellow", Status.PASS: "green", Status.SKIP: "cyan",
}  # fmt: skip


def render(run: Run, width: int = WIDTH, colour: bool = False, last: str = "", verbose: bool = False) -> str:
    """The report, at most `width` columns wide (and never wider than 100). Without `colour` not an escape sequence.
    `last` is a last line in place of the first one with the verdict, for a reader that is told something else;
    `verbose` names every test that changed and every cell."""
    console = Console(
        file=io.StringIO(),
        width=max(40, min(width, WIDTH)),
        force_terminal=colour,
        color_system="standard" if colour else None,
        highlight=False,
        legacy_windows=False,
    )
    style = f"bold {_COLOURS[run.verdict]}"
    if not last:
        console.print(_verdict_line(run, console.width), style=style, markup=False)
    for line in _identity(run):
        print_lines(console, line, 0)
    console.print()
    for indent, line in repeated_lines(run, verbose):
        print_lines(console, line, indent)
    if run.repeats:
        console.print()
    print_findings(run, console)
    if bisection := bisection_line(run):
        console.print("to find the patch that did it:")
        console.print(paste(bisection, console.width, "  "), markup=False, soft_wrap=True, end="\n\n")
    for table in _tables(run, console.width, colour, verbose) if guest_cells(run) else ():
        console.print(table)
        console.print()
    print_rest(run, console, verbose)
    _print_figures(run, console, verbose)
    _print_changed_figures(run, console)
    if run.coverage:
        for line in coverage_lines(run.coverage):
            print_lines(console, line, 0)
        console.print()
    _print_known(run, console)
    _print_notes(run, console)
    if last:
        console.print(last, soft_wrap=True, style=style, markup=False)
    file = console.file
    assert isinstance(file, io.StringIO)
    text = "\n".join(line.rstrip() for line in file.getvalue().splitlines()).rstrip("\n") + "\n"
    return text if colour else plain(text)


def show(run: Run, last: str = "", verbose: bool = False) -> str:
    """The report for standard output: coloured and as wide as a terminal, plain and 100 columns wide elsewhere."""
    if not sys.stdout.isatty():
        return render(run, last=last, verbose=verbose)
    width = shutil.get_terminal_size((WIDTH, 24)).columns
    return render(run, width, colour=not os.environ.get("NO_COLOR"), last=last, verbose=verbose)


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
        patches = counted(count, "patch")
        yield f"series  {run.series.title}, v{run.series.version}, {patches}"
        yield from (f"note    {text}" for text in run.series.warnings)
    if run.host.accel:
        accels = ", ".join(f"{arch} {accel}" for arch, accel in sorted(run.host.accel.items()))
        where = f" on {run.host.guests}" if run.host.guests else ""
        yield f"guests  {accels}; QEMU {run.host.qemu or '?'}{where}"
    for arch in sorted(run.host.fallback):
        yield f"        {arch} {accel_text(run.host, arch)}"

    if same := list(dict.fromkeys(_same_kernel(cell) for cell in guest_cells(run) if cell.same_as)):
        yield f"same    {'; '.join(same)}: one guest spoke for both"


def _same_kernel(cell: CellResult) -> str:
    flavour = "" if cell.cell.flavour == "plain" else f" {cell.cell.flavour}"
    return f"{cell.cell.arch}{flavour}: {cell.cell.variant} is the same binary as {cell.same_as}"


def _tables(run: Run, width: int, colour: bool, verbose: bool) -> Iterator[Table]:
    """Cells down, variants across; several tables where one would be too wide."""
    names = [variant.name for variant in run.variants]
    rows = _rows(run, names, verbose)
    columns = {
        name: max([len(name), *(len(texts[place].plain) for texts in rows.values())])
        for place, name in enumerate(names)
    }
    label = min(max([len("cell"), *map(len, rows)]), width // 2)
    for chunk in _chunks(names, columns, width - label):
        table = Table(box=box.SIMPLE_HEAD if colour else box.ASCII2, show_edge=False, pad_edge=False)
        table.add_column("cell", min_width=label, overflow="fold")
        for name in chunk:
            table.add_column(escape(plain(name)), overflow="fold")
        for row, texts in rows.items():
            table.add_row(escape(plain(row)), *(texts[names.index(name)] for name in chunk))
        yield table


def _rows(run: Run, names: Sequence[str], verbose: bool) -> dict[str, list[Text]]:
    """What each variant's cell counts, by the row's name. Where there are many rows, those of one suite that count
    alike on every variant are one, unless the report is verbose."""
    found = {(cell.cell.variant, row_name(cell.cell)): cell for cell in guest_cells(run)}
    suites = {row_name(cell.cell): cell.cell.suite for cell in guest_cells(run)}
    changed = changed_tests(run)
    rows = {row: [_counts(found.get((name, row)), changed) for name in names] for row in suites}
    if verbose or len(rows) <= _ROWS:
        return rows
    alike: dict[tuple[str, ...], list[str]] = {}
    for row, texts in rows.items():
        alike.setdefault((suites[row], *(text.plain for text in texts)), []).append(row)
    return {same[0] if len(same) == 1 else f"{key[0]}, {len(same)} cells": rows[same[0]] for key, same in alike.items()}


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


def _counts(cell: CellResult | None, changed: Mapping[Cell, int]) -> Text:
    """`87 pass`, `1 FAIL, 86 pass`, in colour; `87 pass (22 changed)` where figures of so many tests are not those of
    base."""
    text = Text(", ").join(Text(word, _STATUS_COLOURS.get(status, "")) for word, status in counts(cell))
    if cell and (count := changed.get(cell.cell)):
        text.append(f" ({count} changed)")
    return text


def _print_figures(run: Run, console: Console, verbose: bool) -> None:
    for indent, line in figure_lines(run, verbose):
        if line:
            print_lines(console, line, indent)
        else:
            console.print()


def _print_changed_figures(run: Run, console: Console) -> None:
    """A line for each cell with a guest whose figures are not those of base."""
    found = of_guests(run)
    for cell, text in found.items():
        print_lines(console, f"{row_name(cell)}: {text}", 0)
    if found:
        console.print()


def _print_known(run: Run, console: Console) -> None:
    told: Iterable[str] = [item.message for item in run.known_issues if item.effect is Effect.FAIL]
    unused = [item.message for item in run.known_issues if item.state is KnownState.UNUSED and item.message]
    for message in told:
        console.print("known issue", style="bold red")
        print_lines(console, message, 2)
    for message in unused:
        print_lines(console, f"known issue without a test: {message}", 0)
    if told or unused:
        console.print()


def _print_notes(run: Run, console: Console) -> None:
    """The notes of init in first runs, each text once, with the guests that reported it."""
    told: dict[str, list[str]] = {}
    for cell in guest_cells(run):
        for note in cell.notes:
            told.setdefault(note, []).append(f"{cell.cell.variant} {row_name(cell.cell)}")
    for note, cells in list(told.items())[:_NOTES]:
        more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
        print_lines(console, f"note: {note} ({cells[0]}{more})", 0)
    if len(told) > _NOTES:
        console.print(f"and {len(told) - _NOTES} more notes, see results.json")
    if told:
        console.print()


def _verdict_line(run: Run, width: int) -> str:
    line = f"{run.verdict.value} (exit {run.exit_code}, {clock(run.seconds)}): {run.summary}"
    while len(line) > width and "; " in line:
        line = line.rpartition("; ")[0]
    line = plain(line).replace("\n", " ")
    return line if len(line) <= width else line[: width - 3] + "..."
