# SPDX-License-Identifier: GPL-2.0-or-later
"""The page: one file without a network, escaped throughout, and with a policy that lets nothing run but our script."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ci.model.results import Run
from ci.model.verdicts import KnownState
from ci.report.html import view
from ci.report.html.clean import clean, file_address, web_address
from ci.report.html.wall_view import wall_views
from ci.text.cell_text import clock
from ci.text.repeated_text import repeated_lines
from ci.text.static_text import accel_text, figure_lines
from ci.verdict.figures.explain import lines as explained_lines
from util.text import paste

_TEMPLATE = Path(__file__).parent / "template"
_PLOTS = 12
"""Plots that stand in the page."""


def render(run: Run, folder: Path | None = None, plots: Sequence[Path] = ()) -> str:
    """report.html of `run`. Consoles are read below `folder`; `plots` are SVG or PNG files that become part of it."""
    style, script = ((_TEMPLATE / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    views = view.cell_views(run, folder)
    page = environment().get_template("report.html.j2")
    text = page.render(
        run=run,
        style=Markup(style),
        script=Markup(script),
        policy=policy(style, script),
        verdict=run.verdict.value,
        clock=clock(run.seconds),
        accels=[(arch, accel_text(run.host, arch)) for arch in sorted(run.host.accel)],
        command=paste(run.command),
        views=views,
        findings=view.findings(run, views),
        quiet=view.quiet_changes(run),
        static=list(figure_lines(run)),
        wall=wall_views(run),
        repeated=list(repeated_lines(run, verbose=True)),
        explained=list(explained_lines(run, run.explanations)),
        plots=[(plot.name, _data_address(plot)) for plot in plots[:_PLOTS]],
        warnings=view.warnings(run),
        coverage=view.coverage_view(run),
        patches=view.patch_views(run),
        known=[item for item in run.known_issues if item.state is not KnownState.UNUSED],
        not_run=view.not_run(run),
        verdicts=list(dict.fromkeys(row.word for one in views for row in one.rows)),
        archs=list(dict.fromkeys(one.cell.arch for one in views)),
        suites=list(dict.fromkeys(one.cell.suite for one in views)),
        total=sum(len(one.rows) for one in views),
    )
    return text.encode("utf-8", "replace").decode("utf-8")


def style_sheet() -> str:
    """The style of every page."""
    return (_TEMPLATE / "report.css").read_text(encoding="utf-8")


@cache
def environment() -> Environment:
    """Where the templates of pages are. Escaping does not depend on a file's name here: it is on for every template."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATE),
        autoescape=True,
        finalize=clean,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"web_address": web_address, "file_address": file_address}
    return environment


def policy(style: str, script: str) -> str:
    """A page's Content-Security-Policy: our style and script by their digests, pictures of the page itself."""
    names = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    ours, runs = (f"'sha256-{name}'" for name in names)
    return (
        f"default-src 'none'; style-src {ours}; script-src {runs}; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _data_address(plot: Path) -> str:
    kind = "svg+xml" if plot.suffix == ".svg" else "png"
    return f"data:image/{kind};base64,{base64.b64encode(plot.read_bytes()).decode()}"
