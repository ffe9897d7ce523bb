# SPDX-License-Identifier: GPL-2.0-or-later
"""The output folder of a comparison: text, page, and JSON last, so that its presence means that the folder is
complete. Each run has a folder of its own in it."""

from pathlib import Path

from markupsafe import Markup

from ci.compare.answer import ChangeKind, CompareAnswer
from ci.compare.changes import coverage_change_lines
from ci.compare.report import text
from ci.report import output
from ci.report.formats.json_report import dump
from ci.report.html.page import environment, policy, style_sheet
from ci.text.cell_text import clock, row_name
from util.errors import MachineError
from util.files.atomic import write_atomic
from util.text import paste

JSON, TEXT, PAGE = "compare.json", "compare.txt", "compare.html"
TEMPLATE = "compare.html.j2"


def begin(folder: Path) -> None:
    """Makes the folder, and takes an earlier answer away: it must not be taken for a new one. Raises MachineError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (JSON, TEXT, PAGE):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(f"{folder}: cannot be the output folder: {error.strerror}") from None


def write(answer: CompareAnswer, folder: Path) -> None:
    write_atomic(folder / TEXT, text.render(answer))
    write_atomic(folder / PAGE, render_page(answer))
    write_atomic(folder / JSON, dump(answer))


def render_page(answer: CompareAnswer) -> str:
    """compare.html: one page without a network, with links to the page of each run."""
    style = style_sheet()
    page = environment().get_template(TEMPLATE)
    rendered: str = page.render(
        answer=answer,
        style=Markup(style),
        policy=policy(style, ""),
        clock=clock(answer.seconds),
        verdict={"worse": "fail", "no worse": "pass"}.get(answer.outcome.value, "unknown"),
        marks=text.MARKS,
        heads=text.HEADS,
        kinds=list(ChangeKind),
        row_name=row_name,
        paste=paste,
        coverage_lines=coverage_change_lines,
        report=output.PAGE,
    )
    return rendered.encode("utf-8", "replace").decode("utf-8")
