# SPDX-License-Identifier: GPL-2.0-or-later
"""Wall time as the page shows it: a table for each benchmark and ABI."""

from dataclasses import dataclass

from ci.model.figures import Wall
from ci.model.results import Run
from ci.model.stats import Shown
from ci.text.cell_text import row_name
from ci.text.wall_table import LOUD, head_lines, interval_text, ratio_text, time_text


@dataclass(frozen=True, slots=True)
class WallView:
    """`head` says what was measured where, `loud` why the times mean nothing (empty where they do); a row of `groups`
    is (label, base, judged, ratio, interval)."""

    title: str
    head: tuple[str, ...]
    loud: str
    base: str
    judged: str
    groups: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]
    problems: tuple[str, ...]


def wall_views(run: Run) -> list[WallView]:
    """One for each benchmark and ABI, rows by what they show."""
    return [_view(run, wall) for wall in run.wall]


def _view(run: Run, wall: Wall) -> WallView:
    rows = {shown: tuple(row for row in wall.rows if row.shown is shown) for shown in Shown}
    return WallView(
        title=row_name(wall.cell),
        head=tuple(head_lines(run, wall)),
        loud=" ".join(line.strip("* ") for line in LOUD) if wall.emulated else "",
        base=wall.against,
        judged=wall.cell.variant,
        groups=tuple(
            (
                f"{shown} ({len(found)})",
                tuple(
                    (row.label, time_text(row.base), time_text(row.judged), ratio_text(row.ratio), interval_text(row))
                    for row in found
                ),
            )
            for shown, found in rows.items()
            if found
        ),
        problems=wall.problems,
    )
