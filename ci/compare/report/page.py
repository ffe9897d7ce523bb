# SPDX-License-Identifier: GPL-2.0-or-later
"""The comparison as one page without a network, with links to the page of each run."""

from markupsafe import Markup

from ci.compare import coverage
from ci.compare.answer import ChangeKind, CompareAnswer
from ci.compare.report import text
from ci.report.html.page import environment, policy, style_sheet
from ci.report.output import PAGE
from ci.text.cell_text import clock, row_name
from util.text import paste

TEMPLATE = "compare.html.j2"


def render(answer: CompareAnswer) -> str:
    """compare.html of `answer`."""
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
        coverage_lines=coverage.lines,
        report=PAGE,
    )
    return rendered.encode("utf-8", "replace").decode("utf-8")
