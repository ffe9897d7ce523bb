# SPDX-License-Identifier: GPL-2.0-or-later
"""The results of a plan from the results of its shards. Pure functions.

What no shard answers for is a cell that was not run, so the verdict cannot be `pass`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from ci.merge.order import ReportOrder
from ci.merge.parts import ShardFolder
from ci.model.coverage import joined_coverage
from ci.model.results import HostRecord, Run
from ci.model.shard import BUILDS, cell_at, place_of
from ci.model.stages import BuildResult, CellResult
from ci.model.verdicts import RunVerdict
from ci.plan.shards import Shards
from ci.verdict.conclude import conclude
from ci.verdict.known import Issue
from configs.names import STATIC
from util.errors import MachineError

_OWN_OPTIONS = ("--cells", "--shard", "--shards")
_OUT = "--out"
NOWHERE = "no shard holds this cell"
_NAMED = 4
"""Cells that a line about what is missing names."""
_WORDS = ("machine", "system", "qemu", "guests", "sandbox")
"""What a record of a machine has as one text."""


@dataclass(frozen=True, slots=True)
class Joined:
    """The joined run; `parts` are the shards that it was made of, `notes` what a person has to know of those that are
    not there."""

    run: Run
    parts: tuple[ShardFolder, ...]
    notes: tuple[str, ...]


def join(parts: Sequence[ShardFolder], out: Path, shards: Shards | None = None, notes: Sequence[str] = ()) -> Joined:
    """The run that these shards are parts of; the paths in its commands lead into `out`. `shards` names those that are
    missing. Raises MachineError where there is no shard at all."""
    if not parts:
        raise MachineError("; ".join(("no shard has results, so nothing is known", *notes)))
    first = parts[0].run
    refused = any(variant.failure for variant in first.variants)
    order = ReportOrder(first, parts[0].shard.all)
    builds = order.builds(parts)
    cells = [_moved(cell, part, out) for part in parts for cell in part.run.cells]
    missing = [] if refused else list(_missing(parts, builds, cells, shards))
    started = min(part.run.started for part in parts)
    ended = max(part.run.started + timedelta(seconds=part.run.seconds) for part in parts)
    run = first.model_copy(
        update={
            "started": started,
            "seconds": round((ended - started).total_seconds(), 1),
            "command": _command(first.command, out),
            "shard": None,
            "host": _host([part.run.host for part in parts]),
            "builds": tuple(builds),
            "cells": tuple(order.cells([*cells, *(cell for _, cell in missing)])),
            "findings": tuple(item for part in parts for item in part.run.findings),
            "explanations": order.explanations(parts),
            "coverage": joined_coverage([part.run.coverage for part in parts if part.run.coverage]),
        }
    )
    shard = parts[0].shard
    issues = [Issue(item.entry, item.where) for item in shard.known]
    run = conclude(run, issues, today=started.date(), test=shard.test, budgets=shard.budgets)
    told = (*_told([(reason, place_of(cell.cell)) for reason, cell in missing]), *_cut(parts), *notes)
    return Joined(_not_passed(run, told) if told else run, tuple(parts), told)


def _told(missing: Iterable[tuple[str, str]]) -> Iterator[str]:
    """One line for each reason; `missing` are reasons and places."""
    reasons: dict[str, list[str]] = {}
    for reason, place in missing:
        reasons.setdefault(reason, []).append(place)
    for reason, found in reasons.items():
        places = list(dict.fromkeys(found))
        more = f" and {len(places) - _NAMED} more" if len(places) > _NAMED else ""
        yield f"{reason}: {', '.join(places[:_NAMED])}{more}"


def _cut(parts: Iterable[ShardFolder]) -> Iterator[str]:
    for part in parts:
        if not part.shard.whole:
            yield f"{part.folder}: shard {part.shard.name} did not come to its end"


def _not_passed(run: Run, notes: Sequence[str]) -> Run:
    """A run whose shards are not all there is never a pass, whatever the rest says."""
    verdict = RunVerdict.UNKNOWN if run.verdict is RunVerdict.PASS else run.verdict
    more = f" and {len(notes) - 1} more" if len(notes) > 1 else ""
    summary = f"{run.summary}; {notes[0]}{more}"
    return run.model_copy(update={"verdict": verdict, "summary": summary, "exit_code": verdict.exit_code})


def _missing(
    parts: Sequence[ShardFolder], builds: Sequence[BuildResult], cells: Sequence[CellResult], shards: Shards | None
) -> Iterator[tuple[str, CellResult]]:
    """A cell that was not run for each one that no shard has an answer for, with the reason for a person."""
    run = parts[0].run
    owned = {place: part for part in parts for place in part.shard.places}
    answered = {(place_of(item.cell), item.cell.variant) for item in cells}
    built = {(item.variant, item.arch, item.flavour): item for item in builds}
    variants = [variant.name for variant in dict.fromkeys((run.variants[0], run.judged))]
    for place in parts[0].shard.all:
        part = owned.get(place)
        if part and part.shard.whole:
            continue
        name = shards.owner(place) if shards else ""
        if part:
            reason = f"shard {part.shard.name} was cut off before it came to this"
        else:
            reason = f"shard {name} is missing" if name else NOWHERE
        for variant in variants:
            cell = cell_at(place, variant)
            build = built.get((variant, cell.arch, cell.flavour))
            if (place, variant) in answered or (cell.suite == BUILDS and build):
                continue
            dead = build and not build.ok and cell.suite not in STATIC
            text = f"the kernel does not build: {build.failure}" if build and dead else reason
            yield reason, CellResult(cell=cell, not_run=text)


def _moved(cell: CellResult, part: ShardFolder, out: Path) -> CellResult:
    """With the paths in QEMU's command line in the joined folder, where `copy_files` puts the files."""
    old, new = part.shard.folder, str(out)
    if not old or old == new:
        return cell
    return cell.model_copy(update={"command": tuple(word.replace(old, new) for word in cell.command)})


def _command(command: Sequence[str], out: Path) -> tuple[str, ...]:
    """The command line of the whole run: that of a shard without what makes it one, writing into `out`."""
    words: list[str] = []
    rest = iter(command)
    for word in rest:
        name, equals, _ = word.partition("=")
        if name in (*_OWN_OPTIONS, _OUT):
            if not equals:
                next(rest, "")
            if name == _OUT:
                words += [_OUT, str(out)]
        else:
            words.append(word)
    return tuple(words)


def _host(hosts: Sequence[HostRecord]) -> HostRecord:
    """One machine as it is; of several, what each of them has."""
    first = hosts[0]

    def each(values: Iterable[str]) -> str:
        words = (word for value in values for word in value.split(", ") if word)
        return ", ".join(sorted(set(words)))

    def together(name: str) -> dict[str, str]:
        found: dict[str, list[str]] = {}
        for host in hosts:
            for arch, text in getattr(host, name).items():
                found.setdefault(arch, []).append(text)
        return {arch: ", ".join(dict.fromkeys(texts)) for arch, texts in found.items()}

    return first.model_copy(
        update={
            "cpus": max(host.cpus for host in hosts),
            **{name: each(getattr(host, name) for host in hosts) for name in _WORDS},
            **{name: together(name) for name in ("compilers", "accel", "fallback")},
        }
    )
