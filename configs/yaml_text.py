# SPDX-License-Identifier: GPL-2.0-or-later
"""YAML as the rig takes it from users: PyYAML's safe subset, each mistake one line with file and line number.

Refused as well: the same key twice in one mapping (the second would silently win), values that no field can mean
(numbers of thousands of digits, dates that do not exist, infinities), and what grows without end: deep nesting, a node
that contains itself, and aliases that stand for more nodes than a person writes.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from util.errors import UserError
from util.text import one_line

BYTES = 1 << 20
DEPTH = 40
NODES = 50_000
DIGITS = 64


@dataclass(frozen=True, slots=True)
class Document:
    """`data` as Python objects, and the `node` that it was made from, which knows the lines; None of an empty file."""

    data: Any
    node: yaml.Node | None


class _Loader(yaml.SafeLoader):
    """A value that cannot be made is a mistake of the file, whatever PyYAML's constructors raise for it."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        kind = node.tag.rpartition(":")[2]
        if isinstance(node, yaml.ScalarNode) and kind in ("int", "float") and len(node.value) > DIGITS:
            raise _wrong(node, f"a number of {len(node.value)} characters")
        try:
            value = super().construct_object(node, deep)
        except yaml.YAMLError:
            raise
        except Exception as error:  # ValueError, KeyError, AttributeError, OverflowError and others: all of them seen
            raise _wrong(node, f"{_shown(node)} is no {kind}") from error
        if isinstance(value, str) and not value.replace("\n", "").replace("\t", "").isprintable():
            raise _wrong(node, f"{_shown(node)} holds a control character")
        if isinstance(value, float) and not math.isfinite(value):
            raise _wrong(node, f"{_shown(node)} is no finite number")
        return value


def read_yaml(path: Path) -> Document:
    """The one document of the file. Raises UserError naming file, line and what is wrong with the first mistake."""
    try:
        with path.open("rb") as file:
            raw = file.read(BYTES + 1)
        if len(raw) > BYTES:
            raise UserError(f"{path}: is longer than {BYTES >> 20} MB")
        text = raw.decode("utf-8")
        _check_depth(path, text)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                _check(node)
            return Document(None if node is None else loader.construct_document(node), node)
        finally:
            loader.dispose()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text") from None
    except ValueError:
        raise UserError(f"{path}: no such file can be") from None  # a NUL in the name
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}:{line}: not valid YAML: {one_line(str(error.problem))}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {one_line(str(error))}") from None
    except RecursionError:
        raise UserError(f"{path}: not valid YAML: nested too deeply") from None


def _check_depth(path: Path, text: str) -> None:
    """On the events, before anything of PyYAML's goes down into them by recursion."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise UserError(f"{path}:{line}: not valid YAML: nested more than {DEPTH} deep")


def _check(root: yaml.Node) -> None:
    """Walks the nodes as often as aliases name them. Raises MarkedYAMLError."""
    count = 0
    stack: list[tuple[yaml.Node, frozenset[int]]] = [(root, frozenset())]
    while stack:
        node, above = stack.pop()
        count += 1
        if id(node) in above:
            raise _wrong(node, "contains itself")
        if len(above) > DEPTH:
            raise _wrong(node, f"nested more than {DEPTH} deep, through aliases")
        if count > NODES:
            raise _wrong(node, f"stands for more than {NODES} values")
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
        stack += [(child, above | {id(node)}) for child in _children(node)]


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _check_keys(node: yaml.MappingNode) -> None:
    seen: dict[tuple[str, str], int] = {}
    for key, _value in node.value:
        if isinstance(key, yaml.ScalarNode):
            name, line = (key.tag, key.value), key.start_mark.line + 1
            if name in seen:
                raise _wrong(key, f"the key {_shown(key)} stands twice, on line {seen[name]} and on line {line}")
            seen[name] = line


def _wrong(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def _shown(node: yaml.Node) -> str:
    text = node.value if isinstance(node.value, str) else node.tag
    return f"`{one_line(text[:60])}{'...' if len(text) > 60 else ''}`"
