# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the SeccompProfile resource of the Kubernetes security profiles operator: a profile as containers/common has
it, under `spec` (security-profiles-operator, api/seccompprofile/v1beta1)."""

from dataclasses import replace
from typing import Any

import yaml

from testcases.seccomp.filters.formats import oci
from testcases.seccomp.filters.formats.json_value import Node, quoted
from testcases.seccomp.filters.target import FilterTarget, MadeFilter
from util.errors import UserError

KIND = "SeccompProfile"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C is ten times as fast."""
_LARGEST = 256 << 10
"""Bytes; a profile that names every system call has 10,000."""


def made(root: Node, target: FilterTarget) -> MadeFilter:
    """The filter of the profile under `spec`."""
    kind = root.text("kind")
    if kind != KIND:
        root.need("kind").wrong(f"{quoted(kind)} is no {KIND}")
    spec = root.need("spec")
    found = oci.made(spec, target)
    notes = list(found.notes)
    base = spec.text("baseProfileName")
    if base:
        notes.append(f"spec.baseProfileName: {quoted(base)} is not read; its rules are missing from the answer")
    disabled = spec.find("disabled")
    if disabled and disabled.value is True:
        notes.append("spec.disabled: the operator does not install this profile")
    return replace(found, notes=tuple(notes))


def parse_yaml(data: bytes) -> Node:
    """The one document of a YAML file that is a profile. Raises UserError, with the line where there is one."""
    if len(data) > _LARGEST:
        raise UserError(f"is larger than {_LARGEST >> 10} KiB; no profile in YAML is")
    try:
        text = data.decode("utf-8")
        _check_depth(text)
        loaded = yaml.load_all(text, _Loader)
        documents: list[Any] = [one for one in loaded if one is not None]
    except UnicodeDecodeError:
        raise UserError("is not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"line {line}: not valid YAML: {error.problem}") from None
    except RecursionError:
        raise UserError("not valid YAML: nested too deeply") from None
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError("not valid YAML: " + " ".join(str(error).split())[:120]) from None
    profiles = [one for one in documents if isinstance(one, dict) and one.get("kind") == KIND] or documents
    if len(profiles) != 1:
        raise UserError(f"holds {len(profiles)} documents; it must be one profile")
    return Node(_texts(profiles[0]))


_DEEPEST = 100


def _check_depth(text: str) -> None:
    """Raises UserError before the loader, which calls itself for each level, can run out of stack."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise UserError("not valid YAML for a profile: nested too deeply")


_MOST_VALUES = 500_000
"""Aliases that refer to aliases can stand for more than a computer can hold."""


def _texts(value: Any, depth: int = 0, budget: list[int] | None = None) -> Any:
    """The value with keys that are text, as JSON has them."""
    budget = [_MOST_VALUES] if budget is None else budget
    budget[0] -= 1
    if depth > _DEEPEST or budget[0] < 0:
        raise UserError(
            "not valid YAML for a profile: " + ("nested too deeply" if depth > _DEEPEST else "too many values")
        )
    if isinstance(value, dict):
        return {str(key): _texts(one, depth + 1, budget) for key, one in value.items()}
    return [_texts(one, depth + 1, budget) for one in value] if isinstance(value, list) else value
