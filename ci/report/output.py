# SPDX-License-Identifier: GPL-2.0-or-later
"""The output folder: files appear whole or not at all, and `results.json` last, so that its presence means that the
folder is complete."""

import os
import re
from pathlib import Path

from ci.model.results import Run
from ci.report import commands, terminal
from ci.report.formats import json_report, junit
from ci.report.formats.coverage_files import COBERTURA, LCOV, cobertura, lcov
from ci.report.html import page
from testcases.benchmark import topics
from testcases.benchmark.topic import find_topic
from util.errors import MachineError, UserError
from util.files.atomic import TEMPORARY, write_atomic
from util.text import file_name

RESULTS = "results.json"
GATE = "junit.xml"
COMMANDS = "commands.txt"
SUMMARY = "summary.txt"
PAGE = "report.html"
BENCH_TABLE = "bench.txt"
WALL_TABLE = "wall.txt"
AGAIN = "again"
"""The folder of the second run of `rig.py bench --twice`."""
_OURS = (
    rf"results\.json|report\.html|junit(-.+)?\.xml|(commands|summary|bench|wall)\.txt|coverage\.(info|xml)"
    rf"|{re.escape(TEMPORARY)}.*"
)


def clear(folder: Path) -> None:
    """Removes what an earlier run reported into `folder`, tables and plots too, and nothing else: an old result must
    not be taken for a new one."""
    if not folder.is_dir():
        return
    clear(folder / AGAIN)
    ours = re.compile(_OURS)
    try:
        for path in [*folder.iterdir()]:
            if (ours.fullmatch(path.name) or _is_plot(path)) and not path.is_dir():
                path.unlink()
    except OSError as error:
        raise MachineError(f"{folder}: cannot be cleared: {error.strerror}") from error


def _is_plot(path: Path) -> bool:
    names = "|".join(re.escape(plot.name) for topic in topics() for plot in find_topic(topic).plots())
    return re.fullmatch(rf"({names})-\w+\.(svg|png)", path.name) is not None


def _in_project(folder: Path) -> str:
    """The folder's path from the root of the GitLab job that this is; empty elsewhere, and for a folder outside."""
    root = os.environ.get("CI_PROJECT_DIR", "")
    if not root or not folder.resolve().is_relative_to(Path(root).resolve()):
        return ""
    return folder.resolve().relative_to(Path(root).resolve()).as_posix()


def write_page(run: Run, folder: Path) -> Path:
    """report.html, with the plots that `folder` holds."""
    plots = sorted(path for path in folder.glob("*.svg") if _is_plot(path) and path.is_file())
    write_atomic(folder / PAGE, page.render(run, folder, plots))
    return folder / PAGE


def read_results(folder: Path) -> Run:
    """The run whose results lie in `folder`. Raises UserError where there are none."""
    path = folder / RESULTS
    try:
        return json_report.parse(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; name the output folder of a run") from None


def write_reports(run: Run, folder: Path) -> list[Path]:
    """All formats of one run. Returns the paths written, `results.json` last."""
    files: dict[str, str] = {GATE: junit.gate(run, _in_project(folder))}
    for variant in run.variants:
        files[f"junit-{file_name(variant.name)}.xml"] = junit.raw(run, variant.name)
    files[COMMANDS] = commands.render(run)
    files[SUMMARY] = terminal.render(run, width=100)
    if run.coverage:
        files[LCOV] = lcov(run.coverage)
        files[COBERTURA] = cobertura(run.coverage, int(run.started.timestamp()))
    for name, text in files.items():
        write_atomic(folder / name, text)
    written = [*(folder / name for name in files), write_page(run, folder)]
    write_atomic(folder / RESULTS, json_report.dump(run))
    return [*written, folder / RESULTS]
