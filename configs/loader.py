# SPDX-License-Identifier: GPL-2.0-or-later
"""Loads the YAML files of `configs/` into the model. Every mistake is one line with file and line number."""

import shlex
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from configs.model import Arch, BudgetFile, Profile
from configs.names import did_you_mean, names
from configs.yaml_text import read_yaml
from util.errors import UserError
from util.paths import CONFIGS, ROOT
from util.text import plain_line

Model = TypeVar("Model", bound=BaseModel)


def load(path: Path, model: type[Model]) -> Model:
    """The file as `model`. Raises UserError naming file, line and what is wrong with the first mistake."""
    return load_with_lines(path, model)[0]


def load_with_lines(path: Path, model: type[Model]) -> tuple[Model, yaml.Node | None]:
    """The file as `model`, and the node that knows on which line each part of it stands."""
    document = read_yaml(path)
    if not isinstance(document.data, dict):
        raise UserError(f"{path}:1: must be a mapping of keys to values")
    try:
        return model.model_validate(document.data), document.node
    except ValidationError as error:
        raise UserError(_first_mistake(path, document.node, error, model)) from None
    except (RecursionError, ValueError, TypeError) as error:  # from a validator that did not expect such a value
        raise UserError(f"{path}: {plain_line(str(error))}") from None


def _first_mistake(path: Path, node: yaml.Node | None, error: ValidationError, model: type[BaseModel]) -> str:
    mistakes = error.errors(include_url=False)
    # A misspelt key shows as two mistakes, itself and the key that it should have been; the first one helps.
    first = min(mistakes, key=lambda mistake: mistake["type"] != "extra_forbidden")
    location = tuple(part for part in first["loc"] if part != "[key]")
    where = ".".join(str(part) for part in location) or "file"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = "no such key" + did_you_mean(str(location[-1]), _keys(model))
    return f"{path}:{_line_of(node, location)}: {plain_line(where)}: {plain_line(message)}"


def _keys(model: type[BaseModel]) -> list[str]:
    """The keys of a model and of its siblings, which nest in each other."""
    siblings = [model, *model.__bases__[0].__subclasses__()]
    return sorted({key for sibling in siblings for key in sibling.model_fields})


def _line_of(node: yaml.Node | None, location: Iterable[int | str]) -> int:
    """The line, from 1, of the deepest node on the way to `location`."""
    line = node.start_mark.line if node else 0
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pairs = [(key, value) for key, value in node.value if key.value == str(part)]
            if not pairs:
                break
            line, node = pairs[0][0].start_mark.line, pairs[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
    return line + 1


@cache
def load_arch(name: str) -> Arch:
    """An architecture by name, read once per process. Raises UserError that lists the known ones."""
    return _load_named("archs", "architecture", name, Arch)


def load_profile(name: str) -> Profile:
    """A profile by name, or by the path of a YAML file (anything with a slash or `.yaml`).

    Relative paths inside a file of the user's are taken from its folder, those of the rig's own from the rig's.
    """
    if "/" in name or name.endswith((".yaml", ".yml")):
        return _with_budgets(_anchor(load(Path(name), Profile), Path(name).resolve().parent))
    return _with_budgets(_anchor(_load_named("profiles", "profile", name, Profile), ROOT))


def _with_budgets(profile: Profile) -> Profile:
    """The profile with the budgets of its file beside its own."""
    if not profile.budget_file:
        return profile
    file = load(Path(profile.budget_file), BudgetFile)
    shared = (
        budget if "source" in budget.model_fields_set else budget.model_copy(update={"source": file.source})
        for budget in file.budgets
    )
    return profile.model_copy(update={"budgets": (*profile.budgets, *shared)})


def _anchor(profile: Profile, folder: Path) -> Profile:
    """The profile with every relative path that exists below `folder` made absolute."""

    def absolute(spec: str | None) -> str | None:
        return str(folder / spec) if spec and (folder / spec).exists() else spec

    variants = tuple(item.model_copy(update={"series": absolute(item.series)}) for item in profile.variants)
    suites = tuple(
        item.model_copy(update={"options": {key: _anchor_words(value, folder) for key, value in item.options.items()}})
        for item in profile.suites
    )
    paths = {key: absolute(getattr(profile, key)) for key in ("source", "series", "known_issues", "budget_file")}
    return profile.model_copy(update={**paths, "variants": variants, "suites": suites})


def _anchor_words(value: str | int | bool, folder: Path) -> str | int | bool:
    """An option of a suite with the words that name files below `folder` made absolute; otherwise as it was."""
    if not isinstance(value, str):
        return value
    words = value.split()
    files = [word for word in words if (folder / word).is_file()]
    return " ".join(shlex.quote(str(folder / word)) if word in files else word for word in words) if files else value


def _load_named(kind: str, word: str, name: str, model: type[Model]) -> Model:
    known = names(kind)
    if name not in known:
        raise UserError(f"no {word} `{name}`{did_you_mean(name, known)} (known: {', '.join(known)})")
    return load(CONFIGS / kind / f"{name}.yaml", model)


def as_yaml(value: Any) -> str:
    """A value as YAML text, keys in the order given."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
