# SPDX-License-Identifier: GPL-2.0-or-later
"""The statements and conditions of a function's body, as far as mutation needs them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kernels.mutants.tokens import Token

_TYPE_WORDS = frozenset((
    *("auto", "bool", "char", "const", "double", "enum", "extern", "float", "int", "long", "register", "short"),
    *("signed", "static", "struct", "typedef", "union", "unsigned", "void", "volatile", "__auto_type", "typeof"),
    *("__typeof__", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "uint", "ulong"),
))  # fmt: skip
_DECLARING = re.compile(r"(?:DECLARE|DEFINE)_\w+$|LIST_HEAD$|CLASS$")
_JUMPS = frozenset(("return", "goto", "break", "continue"))
_ASM = frozenset(("asm", "__asm__", "__asm", "asm_volatile_goto"))
_OPEN, _CLOSE = "([{", ")]}"


class StatementKind(StrEnum):
    """What a statement is. `LOOP_MACRO` is the head of a loop that a macro makes: `for_each_set_bit(...)`."""

    EXPRESSION = "expression"
    DECLARATION = "declaration"
    RETURN = "return"
    JUMP = "jump"
    ASM = "asm"
    CONDITION = "condition"
    FOR = "for"
    LABEL = "label"
    LOOP_MACRO = "loop macro"


@dataclass(frozen=True, slots=True)
class Statement:
    """`tokens` are those of a simple statement with its `;`, those in the parentheses of a condition, or those of a
    label; `word` is its first word or the keyword before the condition."""

    kind: StatementKind
    word: str
    tokens: tuple[Token, ...]


class UnreadableError(Exception):
    """The body is not what this reader understands; its function gets no mutants."""


def statements(body: Sequence[Token]) -> list[Statement]:
    """The statements in `body`, which is in braces. Raises UnreadableError."""
    return list(_Reader(body).read())


class _Reader:
    def __init__(self, body: Sequence[Token]) -> None:
        self._body = body
        self._at = 1

    def read(self) -> Iterator[Statement]:
        end = len(self._body) - 1
        while self._at < end:
            yield from self._next()

    def _token(self, ahead: int = 0) -> Token:
        if self._at + ahead >= len(self._body):
            raise UnreadableError
        return self._body[self._at + ahead]

    def _next(self) -> Iterator[Statement]:
        token = self._token()
        if token.text in ("{", "}", ";", "else", "do") and token.kind in ("punct", "word"):
            self._at += 1
        elif token.text in ("if", "while", "switch", "for"):
            self._at += 1
            if self._token().text != "(":
                raise UnreadableError
            kind = StatementKind.FOR if token.text == "for" else StatementKind.CONDITION
            yield Statement(kind, token.text, self._parentheses()[1:-1])
        elif token.kind == "word" and (token.text in ("case", "default") or self._token(1).text == ":"):
            yield Statement(StatementKind.LABEL, token.text, self._until(":"))
        elif self._is_loop_macro(token):
            self._at += 1
            yield Statement(StatementKind.LOOP_MACRO, token.text, self._parentheses()[1:-1])
        else:
            found = self._until(";")
            yield Statement(_kind(found), token.text, found)

    def _is_loop_macro(self, token: Token) -> bool:
        """`word(...)` with neither a `;` nor an operator behind it."""
        if token.kind != "word" or self._token(1).text != "(":
            return False
        behind = self._at + 1 + _length(self._body[self._at + 1 :])
        if behind >= len(self._body):
            raise UnreadableError
        follower = self._body[behind]
        return follower.text == "{" or follower.kind == "word"

    def _parentheses(self) -> tuple[Token, ...]:
        length = _length(self._body[self._at :])
        found = tuple(self._body[self._at : self._at + length])
        self._at += length
        return found

    def _until(self, mark: str) -> tuple[Token, ...]:
        """The tokens up to and with the first `mark` that stands in no bracket and belongs to no `?`."""
        depth = questions = 0
        for index in range(self._at, len(self._body) - 1):
            token = self._body[index]
            if token.kind != "punct":
                continue
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
            if depth < 0:
                raise UnreadableError
            questions += token.text == "?" and depth == 0
            if token.text == mark and depth == 0:
                if mark == ":" and questions:
                    questions -= 1
                    continue
                found = tuple(self._body[self._at : index + 1])
                self._at = index + 1
                return found
        raise UnreadableError


def _length(found: Sequence[Token]) -> int:
    """How many tokens the bracket has that begins here. Raises UnreadableError."""
    depth = 0
    for index, token in enumerate(found):
        if token.kind == "punct":
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
            if depth == 0:
                return index + 1
    raise UnreadableError


def _kind(found: Sequence[Token]) -> StatementKind:
    first = found[0]
    if first.text == "return":
        return StatementKind.RETURN
    if first.text in _JUMPS:
        return StatementKind.JUMP
    if first.text in _ASM:
        return StatementKind.ASM
    return StatementKind.DECLARATION if _declares(found) else StatementKind.EXPRESSION


def _declares(found: Sequence[Token]) -> bool:
    first, second = found[0], found[1]
    if first.kind != "word":
        return False
    if first.text in _TYPE_WORDS or first.text.endswith("_t") or _DECLARING.match(first.text):
        return not (first.text.endswith("_t") and second.text in ("=", "(", "[", ".", "->"))
    if second.kind == "word":
        return True
    stars = next((at for at, token in enumerate(found[1:], 1) if token.text != "*"), 1)
    return stars > 1 and found[stars].kind == "word" and found[stars + 1].text in ("=", ";", ",", "[")
