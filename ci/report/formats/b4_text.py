# SPDX-License-Identifier: GPL-2.0-or-later
"""What b4 is told of one patch, in its two protocols (b4 0.16, its `docs/config.rst` and `docs/review.rst`).

Text (`prep-perpatch-check-cmd`, `am-perpatch-check-cmd`): each line of standard output is a warning, one with `ERROR:`
a failure; nothing is success. JSON (`review-*-check-cmd`): an array of tool, status (pass, warn, fail), summary,
details, and nothing else on standard output.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from ci.model.results import Run
from ci.model.verdicts import Effect, RunVerdict
from configs.names import CHECKPATCH
from util.text import one_line

TOOL = "kernel-patch-rig"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to tell; `fails` where the patch must not be sent so."""

    fails: bool
    text: str


def of_patch(run: Run, number: int) -> list[Line]:
    """What the run says of one patch: its static checks, checkpatch, and what it is named for by `--each`. The last
    patch stands for the whole series as well."""
    lines = [*_checks(run, number), *_checkpatch(run, number), *_breaks(run, number)]
    if run.series and number == len(run.series.patches):
        lines += of_series(run)
    return lines


def of_series(run: Run) -> list[Line]:
    """What is said of the series as a whole; nothing where it passes."""
    if run.verdict is RunVerdict.PASS:
        return []
    bad = [item for item in run.comparisons if item.effect is not Effect.NONE and not item.patch]
    named = (f"{item.cell.arch} {item.cell.suite}/{item.test}: {item.message}" for item in bad[:5])
    return [
        Line(run.verdict is RunVerdict.FAIL, one_line(f"whole series: {run.verdict.value}: {run.summary}")),
        *(Line(item.effect is Effect.FAIL, one_line(text)) for item, text in zip(bad, named, strict=False)),
    ]


def _checks(run: Run, number: int) -> Iterator[Line]:
    for item in run.findings:
        if item.patch == number:
            yield Line(item.level == "error", one_line(str(item)))


def _checkpatch(run: Run, number: int) -> Iterator[Line]:
    for cell in run.cells:
        if cell.cell.suite == CHECKPATCH and cell.cell.variant == run.judged.name:
            for test in cell.tests:
                if test.name.startswith(f"{number:04} "):
                    yield from (Line(False, one_line(f"checkpatch: {line}")) for line in test.output.splitlines())


def _breaks(run: Run, number: int) -> Iterator[Line]:
    for item in run.comparisons:
        if item.patch == number and item.effect is not Effect.NONE:
            where = f"{item.cell.arch} {item.cell.suite}/{item.test}"
            yield Line(item.effect is Effect.FAIL, one_line(f"{where}: {item.message}"))


def text(lines: list[Line]) -> str:
    """For b4's text protocol; empty where there is nothing to say."""
    return "".join(f"{'ERROR' if line.fails else 'WARNING'}: {_without_mark(line)}\n" for line in lines)


def _without_mark(line: Line) -> str:
    """b4 takes a line for a failure that holds `ERROR:` anywhere, such as one that quotes checkpatch."""
    return line.text if line.fails else line.text.replace("ERROR:", "ERROR :")


def as_json(lines: list[Line], summary: str) -> str:
    """For b4's JSON protocol. `summary` is told where nothing is wrong."""
    status = "fail" if any(line.fails for line in lines) else "warn" if lines else "pass"
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    first = next((line for line in lines if line.fails), lines[0]) if lines else None
    answer = {
        "tool": TOOL,
        "status": status,
        "summary": f"{first.text}{more}" if first else summary,
        "details": text(lines),
    }
    return json.dumps([answer]) + "\n"
