# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures as pictures, SVG and PNG. The only module that draws: matplotlib takes a second to import."""

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure as Picture

from ci.model.results import Run, first_runs
from ci.text.bench_table import Figures, figures_by_role
from testcases.benchmark.topic import Curve, Plot

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "rig"  # the same figures give the same file
_SIZE = (7.5, 4.5)
_DOTS = 120


def write_plots(run: Run, suite: str, plots: Iterable[Plot], folder: Path) -> list[Path]:
    """`<plot>-<abi>.svg` and `.png` for each ABI with a figure for it. Returns what was written."""
    written = []
    plots = tuple(plots)
    for cell in first_runs(run):
        if cell.cell.variant != run.judged.name or cell.cell.suite != suite:
            continue
        found = figures_by_role(run, cell.cell)
        for plot in plots:
            if any(_points(curve, found) for curve in plot.curves):
                written += _write(run, plot, found, cell.cell.abi, folder)
    return written


def _points(curve: Curve, found: Figures) -> list[tuple[int, int]]:
    return [(x, figure.value) for x, name in curve.points if (figure := found.get((curve.role, name)))]


def _write(run: Run, plot: Plot, found: Figures, abi: str, folder: Path) -> list[Path]:
    picture = Picture(figsize=_SIZE, layout="constrained")
    axes = picture.subplots()
    names = {"base": run.base.name if run.base else "", "judged": run.judged.name}
    for curve in plot.curves:
        points = _points(curve, found)
        if points:
            style = "--" if curve.role == "base" else "-"
            axes.plot(*zip(*points, strict=True), style, marker="o", markersize=4, label=curve.label.format(**names))
    if "x" in plot.log:
        axes.set_xscale("log", base=2)
    if "y" in plot.log:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_title(f"{plot.title} ({abi})", fontsize=10)
    axes.set_xlabel(plot.x)
    axes.set_ylabel("guest instructions")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    files = [folder / f"{plot.name}-{abi}.{kind}" for kind in ("svg", "png")]
    picture.savefig(files[0], metadata={"Date": None})
    picture.savefig(files[1], dpi=_DOTS)
    return files
