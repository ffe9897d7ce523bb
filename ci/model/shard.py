# SPDX-License-Identifier: GPL-2.0-or-later
"""A shard: the part of a plan that one call of `rig.py check` carried out. `ci.merge.merge` joins the shards of a plan.

A place is a cell without its variant, as `<arch>/<abi>/<flavour>/<suite>`: what is judged by itself, and the smallest
thing that a shard can be made of. `<arch>/-/<flavour>/build` stands for the kernels of an architecture and flavour.
"""

from ci.model.verdicts import KnownEntry
from configs.model import BudgetChoice, Strict
from configs.result import Cell

BUILDS = "build"
"""The suite of the place that stands for kernels."""


class KnownAt(Strict):
    """A known issue and where it stands (`file:line`)."""

    entry: KnownEntry
    where: str


class Shard(Strict):
    """What a run must say of itself to be joined with others.

    `plan` is the digest of the whole plan, its trees included: only shards of one plan may be joined. `places` are
    those of this shard, `all` those of the plan in the order of the report. `whole` is False where the run did not come
    to its end. `folder` is where the run wrote, for the paths in its commands. `test`, `budgets` and `known` are what
    the joined results are judged by.
    """

    name: str
    plan: str
    places: tuple[str, ...]
    all: tuple[str, ...]
    whole: bool = False
    folder: str = ""
    test: str = ""
    budgets: tuple[BudgetChoice, ...] = ()
    known: tuple[KnownAt, ...] = ()


def place_of(cell: Cell) -> str:
    """`x86_64/x32/plain/selftests/timers`."""
    return f"{cell.arch}/{cell.abi}/{cell.flavour}/{cell.suite}"


def cell_at(place: str, variant: str) -> Cell:
    """The cell of a variant at a place. Raises ValueError for what is no place."""
    arch, abi, flavour, suite = place.split("/", 3)
    return Cell(variant, arch, abi, flavour, suite)
