# SPDX-License-Identifier: GPL-2.0-or-later
"""Inputs that nobody would write, made of good ones: cut, repeated, spliced, long lines, odd bytes, deep nesting."""

import random
import re
from collections.abc import Callable, Sequence

_WHOLE = 1_000_000
"""Bytes of an input that was blown up: at this size time that grows faster than the length shows."""
_LARGEST = 2_000_000
_BLOWN_UP = 0.03
"""The share of such inputs: each costs as much as a thousand others."""

_ODD = (
    b"\0", b"\x1b[2J", b"\xff", b"\xfe\xff", b"\r", b"\r\n", b"\n\n", b"\t", b"\x7f", b"\x85", b"\xed\xa0\x80",
    "\ufeff".encode(), "\u2028".encode(), "\u202e".encode(), "\u0130".encode(), "\u00b2".encode(),
    "\u0663".encode(), b"%s", b"\\", b'"', b"'", b"#", b" # ", b"\f", b"\v",
)  # fmt: skip
_NUMBERS = (b"0", b"-1", b"1e9", b"4096", b"2147483648", b"18446744073709551616", b"0x", b"08", b"9" * 400, b"9" * 5000)
_OPENERS = (b"[", b"{", b"(", b"!", b'{"a":', b"[{", b"- ", b"    ", b"\t", b"# ", b">", b"$(", b"if a\n", b"<", b"*")
_DIGITS = re.compile(rb"[0-9]+")
_WORD = re.compile(rb"[A-Za-z_][\w.-]*")


def mutated(dice: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One input, made of `seeds` by one to six steps; a few of them are blown up to a megabyte."""
    data = dice.choice(seeds)
    for _ in range(dice.randint(1, 6)):
        data = dice.choice(_STEPS)(dice, data, dice.choice(seeds))[:_LARGEST]
    return _blown_up(dice, data) if dice.random() < _BLOWN_UP else data


def _place(dice: random.Random, data: bytes) -> int:
    return dice.randrange(len(data) + 1)


def _piece(dice: random.Random, data: bytes) -> bytes:
    start = _place(dice, data)
    return data[start : start + dice.choice((1, 4, 20, 100, 800))]


def _some_lines(dice: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    start = dice.randrange(len(lines))
    return b"".join(lines[start : start + dice.choice((1, 1, 2, 5, 20))])


def _insert(data: bytes, place: int, what: bytes) -> bytes:
    return data[:place] + what + data[place:]


def _cut(dice: random.Random, data: bytes, _other: bytes) -> bytes:
    start = _place(dice, data)
    return data[:start] + data[start + dice.choice((1, 2, 10, 100, 1000)) :]


def _truncate(dice: random.Random, data: bytes, _other: bytes) -> bytes:
    return data[: _place(dice, data)] if dice.random() < 0.5 else data[_place(dice, data) :]


def _cut_lines(dice: random.Random, data: bytes, _other: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    start = dice.randrange(len(lines) + 1)
    return b"".join(lines[:start] + lines[start + dice.choice((1, 1, 3)) :])


def _swap_lines(dice: random.Random, data: bytes, _other: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    if len(lines) > 1:
        one, two = dice.randrange(len(lines)), dice.randrange(len(lines))
        lines[one], lines[two] = lines[two], lines[one]
    return b"".join(lines)


def _repeat(dice: random.Random, data: bytes, _other: bytes) -> bytes:
    piece = (_some_lines if dice.random() < 0.5 else _piece)(dice, data)
    return _insert(data, _place(dice, data), piece * dice.choice((1, 2, 10, 200)))


def _splice(dice: random.Random, data: bytes, other: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    place = len(b"".join(lines[: dice.randrange(len(lines) + 1)]))
    return _insert(data, place, _some_lines(dice, other)) if dice.random() < 0.8 else data + other


def _long_line(dice: random.Random, data: bytes, _other: bytes) -> bytes:
    piece = _piece(dice, data).replace(b"\n", b" ") or b"a"
    return _insert(data, _place(dice, data), piece * (dice.choice((300, 5000, 70_000)) // len(piece) + 1))


def _odd(dice: random.Random, data: bytes, _other: bytes) -> bytes:
    return _insert(data, _place(dice, data), dice.choice(_ODD) * dice.choice((1, 1, 1, 40)))


def _flip(dice: random.Random, data: bytes, _other: bytes) -> bytes:
    place = _place(dice, data)
    return data[:place] + bytes([dice.randrange(256)]) + data[place + 1 :]


def _nest(dice: random.Random, data: bytes, _other: bytes) -> bytes:
    return _insert(data, _place(dice, data), dice.choice(_OPENERS) * dice.choice((3, 40, 300, 3000)))


def _stairs(dice: random.Random, data: bytes, _other: bytes) -> bytes:
    """Lines each of which is indented deeper than the one before it."""
    lines, step = data.splitlines(keepends=True), dice.choice((b" ", b"  ", b"    ", b"# "))
    return b"".join(step * number + line for number, line in enumerate(lines[: dice.choice((5, 40, 300))]))


def _number(dice: random.Random, data: bytes, _other: bytes) -> bytes:
    found = list(_DIGITS.finditer(data))
    if not found:
        return data
    match = dice.choice(found)
    return data[: match.start()] + dice.choice(_NUMBERS) + data[match.end() :]


def _word(dice: random.Random, data: bytes, other: bytes) -> bytes:
    """A word of the one becomes a word of the other, which knows other words of the same language."""
    mine, theirs = list(_WORD.finditer(data)), list(_WORD.finditer(other))
    if not mine or not theirs:
        return data
    match = dice.choice(mine)
    return data[: match.start()] + dice.choice(theirs)[0] + data[match.end() :]


def _blown_up(dice: random.Random, data: bytes) -> bytes:
    piece = (_some_lines if dice.random() < 0.6 else _piece)(dice, data) or b"a"
    if dice.random() < 0.3:
        piece = piece.replace(b"\n", b"") or b"a"
    return _insert(data, _place(dice, data), piece * (_WHOLE // len(piece)))


_Step = Callable[[random.Random, bytes, bytes], bytes]
_STEPS: tuple[_Step, ...] = (
    _cut, _truncate, _cut_lines, _swap_lines, _repeat, _splice, _long_line, _odd, _flip, _nest, _stairs, _number, _word,
)  # fmt: skip
