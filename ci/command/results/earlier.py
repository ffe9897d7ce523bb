# SPDX-License-Identifier: GPL-2.0-or-later
"""An earlier run, read from its output folder: its results, and the plan that its command line makes again."""

import os
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ci.command.shared.options import HERE, GuestHost, Selection, values_of
from util.errors import UserError
from util.text import paste

if TYPE_CHECKING:
    from ci.model.results import Run
    from ci.plan.plan import Plan

REPEATED = ("check", "bench")
"""The commands whose runs can be planned again from what their results say."""


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """`command` is the command line that planned it, `called_in` the folder from which its relative paths count."""

    folder: Path
    run: "Run"
    command: tuple[str, ...]
    called_in: str

    @property
    def name(self) -> str:
        """The command's name."""
        return self.command[1]


def read_earlier(out: Path) -> EarlierRun:
    """Raises UserError for a folder without results, or with those of an older rig."""
    from ci.report.output import read_results

    folder = out.resolve()
    run = read_results(folder)
    command, called_in = (run.repeats.command, run.repeats.called_in) if run.repeats else (run.command, run.called_in)
    if not called_in:
        raise UserError(
            f"{out}: its results.json is of an older rig, which did not note down where it was called; run it again: "
            f"{paste(command)}"
        )
    if len(command) < 2 or command[1] not in REPEATED:
        raise UserError(f"{out}: is the output of `{paste(command)}`; only `check` and `bench` leave what this needs")
    return EarlierRun(folder, run, command, called_in)


def replan(earlier: EarlierRun, jobs: int, accel: str = "") -> tuple["Plan", GuestHost]:
    """The plan of the earlier run as its command line makes it today, and the machine that its guests ran on. `accel`
    replaces what was asked for.

    The process goes into the folder in which that run was called, because paths and revisions of its command line count
    from there. Raises UserError where a word of it is not known any more.
    """
    from ci.command.series import check

    with suppress(FileNotFoundError, NotADirectoryError):
        os.chdir(earlier.called_in)
    values = _options(earlier) | {"jobs": jobs, "fresh": True}
    if earlier.name == "bench":
        return _bench_plan(values, jobs), HERE
    # What the suites execute of a series is asked of the whole of a run; so is the first verdict that fails it.
    values |= {"coverage": False, "fail_fast": False, "accel": accel or values["accel"]}
    return check.plan_from(values), GuestHost(**_fields(GuestHost, values))


def _bench_plan(values: dict[str, Any], jobs: int) -> "Plan":
    from ci.plan.wishes import make_plan
    from ci.run.bench import bench_suites
    from configs.loader import load_profile

    selection = Selection(**_fields(Selection, values))
    profile = load_profile(selection.profile)
    wishes = selection.wishes(abis=values["abis"], suites=bench_suites(profile), rerun=0)
    return make_plan(profile, wishes, accel="tcg", jobs=jobs, fresh=True, spec=selection.profile)


def _options(earlier: EarlierRun) -> dict[str, Any]:
    """What the words of the command line say, by the names of the command's parameters."""
    from ci.command.series import bench, check

    command = {"check": check.COMMAND, "bench": bench.COMMAND}[earlier.name]
    try:
        return values_of(command, earlier.command[2:])
    except click.ClickException as error:
        text = error.format_message()
        raise UserError(f"{earlier.folder}: this rig does not understand its command line any more: {text}") from None


def _fields(kind: type[Selection | GuestHost], values: dict[str, Any]) -> dict[str, Any]:
    """Those of the values that a group of options is made of."""
    return {field.name: values[field.name] for field in fields(kind)}


def moved(earlier: EarlierRun, variant: str, commit: str, key: str) -> list[str]:
    """Lines on what of a cell's kernel is not what the earlier run had."""
    then = next((item for item in earlier.run.variants if item.name == variant), None)
    keys = [build.key for build in earlier.run.builds if build.variant == variant]
    if then and then.commit != commit:
        return [f"the tree of {variant} is another than in that run: {then.commit[:12]} then, {commit[:12]} now"]
    if keys and key not in keys:
        return [f"the kernel of {variant} is another build than in that run: configuration, compiler or rig differ"]
    return []
