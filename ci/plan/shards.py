# SPDX-License-Identifier: GPL-2.0-or-later
"""The shards that a plan was divided into, as a file that every job of a pipeline reads."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from ci.plan.places import ShardPlaces, places
from ci.plan.plan import Plan
from configs.model import Strict
from configs.names import did_you_mean
from util.errors import UserError


class ShardChoice(Strict):
    """One shard: its places, the shards whose kernels it boots, and what it takes, as far as that is known."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    places: tuple[str, ...]
    after: tuple[str, ...] = ()
    seconds: float = 0.0


class Shards(Strict):
    """The content of the file."""

    format: Literal[1] = 1
    shards: tuple[ShardChoice, ...]

    def part(self, name: str, plan: Plan) -> ShardPlaces:
        """The shard of this name. Raises UserError where there is none, or where the file divides another plan."""
        names = [shard.name for shard in self.shards]
        if name not in names:
            raise UserError(f"no shard `{name}`{did_you_mean(name, names)} (known: {', '.join(names)})")
        told, known = {place for shard in self.shards for place in shard.places}, set(places(plan))
        if told != known:
            other = sorted(told ^ known)[0]
            whose = "the shards leave out" if other in known else "the plan has no"
            raise UserError(f"the shards are of another plan: {whose} {other}; make them again with the same options")
        return ShardPlaces(name, self.shards[names.index(name)].places)

    def owner(self, place: str) -> str:
        """The name of the shard that a place belongs to; empty where there is none."""
        return next((shard.name for shard in self.shards if place in shard.places), "")


def read_shards(path: Path) -> Shards:
    """Raises UserError for a file that cannot be read or is none of shards."""
    try:
        return Shards.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: no file of shards: {where}: {first['msg']}") from None
