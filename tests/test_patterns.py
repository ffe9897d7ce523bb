# SPDX-License-Identifier: GPL-2.0-or-later
"""No pattern of the rig takes longer than the length of its text explains, whatever a stranger wrote.

Every compiled pattern of every module is tried, in the way that the module calls it, on texts of one repeated piece: a
pattern of quadratic time needs 16 times the processor time for four times the text, one of linear time 4 times.
"""

import functools
import importlib
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from re._parser import parse  # type: ignore[import-not-found]
from typing import Any

import pytest

from util.paths import ROOT

ROOMS = ("util", "configs", "kernels", "initramfs", "guests", "testcases", "ci")
PIECES = (
    " ", "\t", "\n", "\r", "a", "0", "A", "_", ",", "(", "[", "{", "<", '"', "\\", "'", "#", ":", "-", "=", "/", ".",
    "*", "a ", "0 ", ", ", ". ", "a:", "a=", "a,", "a.", "a/", "0,", "0x", "ab ", "/*", "*/", "//", "{}", "()", "[]",
    "<a>",
    '" ', "\\\n", " \n", "a\n", "0\n", "\x1b[",
)  # fmt: skip
ENDS = ("", "!", "\0")
AFTER = (" ", "a", "0", "a ", "\n")
"""What follows on a text that the pattern matches up to some part of it."""
CATEGORIES = {
    sre.CATEGORY_SPACE: r"\s", sre.CATEGORY_NOT_SPACE: r"\S", sre.CATEGORY_DIGIT: r"\d", sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_WORD: r"\w", sre.CATEGORY_NOT_WORD: r"\W",
}  # fmt: skip
LENGTH = 1500
ENOUGH = 0.01
"""Seconds of processor time: a text of four times LENGTH that takes less is no worry."""
GROWTH = 9
"""Between the 4 of linear and the 16 of quadratic time."""
TRIALS = 5

Pattern = re.Pattern[Any]


def patterns(value: object, depth: int = 0) -> Iterator[Pattern]:
    """The compiled patterns in a value of a module, within tuples, dicts and data classes too."""
    if isinstance(value, re.Pattern):
        yield value
        return
    parts: list[object] = []
    if isinstance(value, tuple | list | set | frozenset):
        parts = [*value]
    elif isinstance(value, dict):
        parts = [*value.keys(), *value.values()]
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        parts = [getattr(value, name, None) for name in value.__dataclass_fields__]
    for part in parts if depth < 4 else ():
        yield from patterns(part, depth + 1)


_ANYWHERE = re.compile(r"(?<![\w.])(\w++)\.(?:search|findall|finditer|sub|split)\b")


@functools.cache
def searched(path: Path) -> frozenset[str]:
    """The names on which a file calls what looks for a pattern anywhere in a text, not at its beginning alone. The text
    says it, where a syntax tree of every file would take a second."""
    return frozenset(_ANYWHERE.findall(path.read_text(encoding="utf-8")))


def collected() -> dict[str, tuple[Pattern, bool]]:
    """By `module.NAME`: each pattern once, and whether a file of its room searches with it."""
    found: dict[str, tuple[Pattern, bool]] = {}
    seen: set[tuple[str | bytes, int, bool]] = set()
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if name.endswith(("__main__", "__init__")) or name == "kernels.sandbox.supervise":
            continue
        for variable, value in vars(importlib.import_module(name)).items():
            if variable.startswith("__"):
                continue
            for number, pattern in enumerate(patterns(value)):
                nested = not isinstance(value, re.Pattern)
                search = nested or any(variable in searched(file) for file in path.parent.glob("*.py"))
                key = (pattern.pattern, pattern.flags, search)
                if key not in seen:
                    seen.add(key)
                    found[f"{name}.{variable}" + (f"[{number}]" if nested else "")] = pattern, search
    return found


PATTERNS = collected()


def beginnings(pattern: Pattern) -> list[str]:
    """Nothing, what opens something, and the words of the pattern, which may have to come first."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    words = dict.fromkeys(re.findall(r"(?<!\\)\b[A-Za-z][A-Za-z_ :-]{1,30}", text))
    return ["", "a", "{", "[", '"', "#", *[*words][:5], *(f"{word} " for word in [*words][:5])]


def matched(parts: Sequence[tuple[Any, Any]]) -> Iterator[str]:
    """Short texts that the parts of a pattern match one after the other, up to each of them."""
    text = ""
    for kind, value in parts:
        inner: Sequence[tuple[Any, Any]] = ()
        if kind is sre.LITERAL:
            text += chr(value)
        elif kind in (sre.ANY, sre.NOT_LITERAL, sre.IN):
            text += next((char for char in "a0 _,-+*=x" if one(kind, value, char)), "a")
        elif kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            inner = value[2]
        elif kind is sre.SUBPATTERN:
            inner = value[3]
        elif kind is sre.BRANCH:
            inner = value[1][0]
        last = ""
        for last in matched(inner):
            yield text + last
        text += last
        yield text


def one(kind: Any, value: Any, char: str) -> bool:
    """Whether a part that stands for one character is `char`; classes of characters by their own rules."""
    if kind is sre.ANY:
        return True
    if kind is sre.NOT_LITERAL:
        return bool(ord(char) != value)
    found = False
    for how, what in value:
        found |= (
            (how is sre.LITERAL and ord(char) == what)
            or (how is sre.RANGE and what[0] <= ord(char) <= what[1])
            or (how is sre.CATEGORY and bool(re.match(CATEGORIES.get(what, r"(?!)"), char)))
        )
    return bool(found != (value[0][0] is sre.NEGATE))


def texts(pattern: Pattern, length: int) -> Iterator[tuple[str, str, str]]:
    for begin in beginnings(pattern):
        for piece in PIECES:
            for end in ENDS:
                yield begin, piece * (length // len(piece)), end
    for begin in dict.fromkeys(matched(list(parse(pattern.pattern, pattern.flags & ~re.DEBUG)))):
        for piece in AFTER:
            yield begin, piece * (length // len(piece)), "\0"


def seconds(pattern: Pattern, search: bool, parts: tuple[str, str, str]) -> float:
    """Processor time, the least of some trials: the machine has others to serve."""
    text: Any = "".join(parts)
    if isinstance(pattern.pattern, bytes):
        text = text.encode("latin-1")
    method = pattern.search if search else pattern.match
    best = float("inf")
    for _ in range(TRIALS):
        begun = time.process_time()
        method(text)
        best = min(best, time.process_time() - begun)
        if best < ENOUGH / 20:
            break
    return best


def worst(pattern: Pattern, search: bool) -> tuple[str, float, float] | None:
    """The first text whose time grows faster than its length: (its beginning, piece and end; both times)."""
    for begin, middle, end in texts(pattern, LENGTH):
        short = seconds(pattern, search, (begin, middle, end))
        if short < ENOUGH / 20:
            continue  # four times the text would stay below ENOUGH even in quadratic time
        long = seconds(pattern, search, (begin, middle * 4, end))
        if long > ENOUGH and long > GROWTH * short:
            return f"{begin!r} {middle[:4]!r} {end!r}", short, long
    return None


def test_the_patterns_are_found() -> None:
    assert len(PATTERNS) > 150
    assert any(search for _, search in PATTERNS.values())
    assert "testcases.seccomp.filters.formats.minijail._POLICY" in PATTERNS


@pytest.mark.slow
def test_a_pattern_of_quadratic_time_is_seen() -> None:
    assert worst(re.compile(r"\w+\s*(?:\[\d+\])?\s*:"), search=False)
    assert worst(re.compile(r"(\w+)\s*\("), search=True)
    assert worst(re.compile(r"\{\s*\d+\s*,?\s*\}"), search=True), "behind what it has matched already"
    assert worst(re.compile(r"^Fixes:\s*(.*?)\s*$"), search=True)
    assert not worst(re.compile(r"\b(\w++)\s*+\("), search=True)


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("name", PATTERNS)
def test_time_is_linear_in_the_length(name: str) -> None:
    found = worst(*PATTERNS[name])
    assert found is None, f"{name} {PATTERNS[name][0].pattern!r}: {found}"
