# SPDX-License-Identifier: GPL-2.0-or-later
"""The output folders of shards, and whether they belong together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci.model.results import Run
from ci.model.shard import Shard
from ci.report.output import RESULTS, read_results
from util.errors import UserError


@dataclass(frozen=True, slots=True)
class ShardFolder:
    """One shard's output folder and its results."""

    folder: Path
    run: Run
    shard: Shard


def read_parts(folders: Iterable[Path]) -> tuple[list[ShardFolder], list[str]]:
    """The shards in these folders, and a line for each folder that holds no results: a shard that was cut off.

    Raises UserError for results of a whole run, and for shards that do not belong together.
    """
    parts: list[ShardFolder] = []
    notes: list[str] = []
    for folder in folders:
        if not (folder / RESULTS).is_file():
            notes.append(f"{folder}: holds no {RESULTS}; its shard was cut off, or never ran")
            continue
        run = read_results(folder)
        if run.shard is None:
            raise UserError(f"{folder}: holds the results of a whole run; there is nothing to join it with")
        parts.append(ShardFolder(folder, run, run.shard))
    _check(parts)
    return parts, notes


def _check(parts: Sequence[ShardFolder]) -> None:
    """Raises UserError unless all are of one plan and no two have the same cell."""
    owners: dict[str, ShardFolder] = {}
    for part in parts:
        if part.shard.plan != parts[0].shard.plan:
            raise UserError(
                f"{parts[0].folder} and {part.folder} are of different plans: {_difference(parts[0], part)}"
            )
        for place in part.shard.places:
            if place in owners:
                raise UserError(f"{owners[place].folder} and {part.folder} both hold {place}: leave one of them out")
            owners[place] = part


def _difference(one: ShardFolder, other: ShardFolder) -> str:
    """What a person would change first."""
    for words, values in (
        ("profile", [part.run.profile for part in (one, other)]),
        ("version of the rig", [part.run.rig_version for part in (one, other)]),
        ("tree of base", [part.run.source.tree for part in (one, other)]),
        ("series", [part.run.series.digest if part.run.series else "none" for part in (one, other)]),
    ):
        if values[0] != values[1]:
            return f"{words} {values[0]} and {values[1]}"
    return "their options, suites, budgets or known issues are not the same"
