# SPDX-License-Identifier: GPL-2.0-or-later
"""JSON of people whom nobody checked: every mistake is one line with its place, `syscalls[3].args[0].op: ...`.

The rules are those of Go's encoding/json, in which most container runtimes are written: keys are found whatever their
case is, the last of two equal keys counts, null is as good as absent, a number that is wanted as an integer must be
written as one, NaN and a byte order mark are refused.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from util.errors import UserError

_KINDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
_SHOWN = 60


def quoted(text: str) -> str:
    """A word of a file between backticks: no longer than a line, and nothing in it that a terminal acts upon."""
    cut = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return "`" + "".join(char if char.isprintable() else ascii(char)[1:-1] for char in cut) + "`"


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands."""

    value: Any
    place: str = ""

    def wrong(self, what: str) -> NoReturn:
        """Raises UserError with the place."""
        raise UserError(f"{self.place or 'file'}: {what}")

    def find(self, key: str) -> "Node | None":
        """What an object has under a key; None if it has nothing there, or null."""
        values = self._as(dict)
        if key in values:
            value = values[key]
        else:
            value = next((one for other, one in values.items() if other.casefold() == key.casefold()), None)
        return None if value is None else Node(value, f"{self.place}.{key}".removeprefix("."))

    def need(self, key: str) -> "Node":
        """What an object must have under a key."""
        found = self.find(key)
        if found is None:
            raise UserError(f"{self.place}.{key}".removeprefix(".") + ": is missing")
        return found

    def each(self, key: str) -> "Iterator[Node]":
        """The members of the list that an object has under a key, none if it has no such key."""
        found = self.find(key)
        if found is not None:
            yield from found.members()

    def members(self) -> "Iterator[Node]":
        """The members of a list."""
        for index, value in enumerate(self._as(list)):
            yield Node(value, f"{self.place}[{index}]")

    def entries(self) -> "Iterator[tuple[str, Node]]":
        """The keys and values of an object."""
        for key, value in self._as(dict).items():
            yield key, Node(value, f"{self.place}.{key}".removeprefix("."))

    def text(self, key: str = "") -> str:
        """The text that stands here, or under a key (empty if absent)."""
        found = self.find(key) if key else self
        return "" if found is None else str(found._as(str))

    def whole(self, high: int, low: int = 0) -> int:
        """A number from `low` to `high`."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(f"must be a whole number, not {self._kind()}")
        if not low <= value <= high:
            number = str(value) if value.bit_length() < 200 else "a number of many digits"
            self.wrong(f"must be {low} to {high}, not {number}")
        return value

    def one_of(self, known: Iterable[str], kind: str) -> str:
        """A word of these; `kind` says what the words are."""
        word = self.text()
        if word not in known:
            self.wrong(f"unknown {kind} {quoted(word)} (known: {', '.join(known)})")
        return word

    def _as(self, wanted: type) -> Any:
        if not isinstance(self.value, wanted):
            self.wrong(f"must be {_KINDS[wanted]}, not {self._kind()}")
        return self.value

    def _kind(self) -> str:
        if isinstance(self.value, float):
            return "a fraction"
        return "null" if self.value is None else _KINDS.get(type(self.value), type(self.value).__name__)


def parse_json(data: bytes) -> Node:
    """The value that a file holds. Raises UserError, with the line where there is one."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise UserError("is not UTF-8 text") from None
    if text.startswith("\ufeff"):
        raise UserError("begins with a byte order mark, which container runtimes refuse; remove it")
    try:
        return Node(json.loads(text, parse_constant=_refused))
    except json.JSONDecodeError as error:
        raise UserError(f"line {error.lineno}: not valid JSON: {error.msg}") from None
    except RecursionError:
        raise UserError("not valid JSON: nested too deeply") from None
    except ValueError as error:
        raise UserError(f"not valid JSON: {str(error).partition(';')[0]}") from None


def _refused(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
