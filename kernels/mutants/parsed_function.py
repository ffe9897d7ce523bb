# SPDX-License-Identifier: GPL-2.0-or-later
"""One function as the kinds of fault look at it: its statements, and what of it is evaluated at run time."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property

from kernels.mutants.functions import Function
from kernels.mutants.statements import Statement, StatementKind, statements
from kernels.mutants.tokens import Token

_OPEN, _CLOSE = "([{", ")]}"
_UNARY = frozenset(("+", "-", "*", "&"))
"""Punctuation that is an operator of one operand as well."""
_UNEVALUATED = frozenset(("sizeof", "typeof", "__typeof__", "offsetof", "offsetofend", "__alignof__", "ARRAY_SIZE",
                          "IS_ENABLED", "IS_BUILTIN", "IS_REACHABLE", "IS_MODULE"))  # fmt: skip
TALK = re.compile(
    r"(?:pr_|dev_|netdev_|printk|WARN|BUG|VM_BUG|VM_WARN|BUILD_BUG|static_assert|_Static_assert|lockdep_|might_|trace_"
    r"|kasan_|kcsan_|DEFINE_|DECLARE_)\w*$|(?:printk|WARN|BUG)$"
)
"""Statements that only print, assert or annotate: a test that passes cannot tell whether they are there."""


class ParsedFunction:
    """One function, its statements, and the tokens that are evaluated at run time. Raises UnreadableError."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.statements = statements(function.body)

    @cached_property
    def expressions(self) -> list[tuple[Token, ...]]:
        """The parts of the function that are expressions."""
        return [part for statement in self.statements for part in _evaluated(statement) if part]

    def operators(self) -> Iterator[tuple[Token, ...]]:
        """(token before, operator, token behind) for each operator of two operands."""
        for part in self.expressions:
            for before, token, behind in zip(part, part[1:], part[2:], strict=False):
                if token.kind == "punct" and _is_binary(before, token, behind):
                    yield before, token, behind


def _evaluated(statement: Statement) -> Iterator[tuple[Token, ...]]:
    if statement.kind in (StatementKind.LABEL, StatementKind.ASM, StatementKind.JUMP) or TALK.match(statement.word):
        return
    if statement.kind is StatementKind.DECLARATION:
        for part in _initialisers(statement.tokens):
            yield from _pieces(part)
    else:
        yield from _pieces(statement.tokens)


def _pieces(part: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """Without the operands of sizeof and its like, which are not evaluated at run time."""
    piece: list[Token] = []
    index = 0
    while index < len(part):
        token = part[index]
        if token.text in _UNEVALUATED and index + 1 < len(part) and part[index + 1].text == "(":
            yield tuple(piece)
            piece, index = [], _behind(part, index + 1)
            continue
        piece.append(token)
        index += 1
    yield tuple(piece)


def _initialisers(found: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """What stands between a `=` of a declaration and the `,` or `;` behind it."""
    depth, begin = 0, -1
    for index, token in enumerate(found):
        if token.kind != "punct":
            continue
        depth += (token.text in _OPEN) - (token.text in _CLOSE)
        if depth == 0 and token.text == "=" and begin < 0:
            begin = index + 1
        elif depth == 0 and token.text in (",", ";"):
            if begin >= 0:
                yield tuple(found[begin : index + 1])
            begin = -1


def _behind(part: Sequence[Token], opening: int) -> int:
    """The index behind the bracket that opens there."""
    depth = 0
    for index in range(opening, len(part)):
        if part[index].kind == "punct":
            depth += (part[index].text in _OPEN) - (part[index].text in _CLOSE)
            if depth == 0:
                return index + 1
    return len(part)


def _is_binary(before: Token, token: Token, behind: Token) -> bool:
    """By what stands before it, and where that is a parenthesis, which may end a cast, by the kernel's style: an
    operator of two operands has blanks on both sides."""
    if before.text in ("return", "case", "else", "sizeof") or behind.text in (")", ",", ";"):
        return token.text in ("++", "--")
    operand = before.kind in ("word", "number", "char") or before.text in (")", "]", "++", "--")
    if token.text in ("++", "--"):
        return True
    if token.text in _UNARY and before.text == ")":
        return token.start > before.end and behind.start > token.end
    return operand
