# SPDX-License-Identifier: GPL-2.0-or-later
"""Kconfig's dependency expressions: parsed, evaluated against a configuration, and the unmet part explained.

Grammar (Documentation/kbuild/kconfig-language.rst): symbols, quoted constants, `=`, `!=`, `<`, `<=`, `>`, `>=`, `!`,
`&&`, `||`, parentheses. A macro `$(...)` cannot be judged without running it: its value is None.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_TOKEN = re.compile(r"""\s*(&&|\|\||!=|<=|>=|[=<>!()]|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s&|!=<>()"']+|.)""")
_MACRO = re.compile(r"\s*\$\(")
_RELATIONS = ("=", "!=", "<", "<=", ">", ">=")


_DEEPEST = 100
"""Levels of nesting; what is deeper is not judged. The kernel's own expressions have five."""


@dataclass(frozen=True, slots=True)
class Expr:
    """A node: `op` is `&&`, `||`, `!`, a relation, `symbol` or `macro`; leaves carry their `text`."""

    op: str
    parts: tuple["Expr", ...] = ()
    text: str = ""


def parse_expr(text: str) -> Expr:
    """The expression in `text`. What cannot be read becomes a `macro` leaf: unknown, and shown as it stands."""
    tokens = _tokens(text.split("#", 1)[0])
    parser = _Parser(tokens)
    try:
        expr = parser.either()
    except IndexError:
        return Expr("macro", text=text)
    return expr if parser.at_end() else Expr("macro", text=text)


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    position = 0
    while position < len(text):
        if macro := _MACRO.match(text, position):
            position = _macro_end(text, macro.end() - 2)
            tokens.append(text[macro.end() - 2 : position])
        elif match := _TOKEN.match(text, position):
            tokens.append(match[1])
            position = match.end()
        else:
            break
    return [token for token in tokens if token.strip()]


def _macro_end(text: str, start: int) -> int:
    depth = 0
    for index in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0 and text[index] == ")":
            return index + 1
    return len(text)


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def at_end(self) -> bool:
        return self._at >= len(self._tokens)

    def _peek(self) -> str:
        return "" if self.at_end() else self._tokens[self._at]

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def either(self) -> Expr:
        parts = [self.both()]
        while self._peek() == "||":
            self._take()
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else Expr("||", tuple(parts))

    def both(self) -> Expr:
        parts = [self.single()]
        while self._peek() == "&&":
            self._take()
            parts.append(self.single())
        return parts[0] if len(parts) == 1 else Expr("&&", tuple(parts))

    def single(self) -> Expr:
        """Raises IndexError at the end of the tokens, and where they are nested too deeply."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise IndexError
        found = self._single()
        self._depth -= 1
        return found

    def _single(self) -> Expr:
        token = self._take()
        if token == "!":
            return Expr("!", (self.single(),))
        if token == "(":
            inner = self.either()
            self._take()
            return inner
        leaf = _leaf(token)
        if self._peek() in _RELATIONS:
            return Expr(self._take(), (leaf, _leaf(self._take())))
        return leaf


def _leaf(token: str) -> Expr:
    return Expr("macro" if "$" in token else "symbol", text=token)


def _value(leaf: Expr, final: Mapping[str, str]) -> str:
    text = leaf.text
    if text[:1] in "\"'":
        return text[1:-1]
    if text in ("y", "m", "n") or re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)", text):
        return text
    return final.get(text, "n").strip('"')


def holds(expr: Expr, final: Mapping[str, str]) -> bool | None:
    """Whether `expr` is met (`m` counts as met) in the configuration; None where a macro decides."""
    if expr.op == "macro":
        return None
    if expr.op == "symbol":
        return _value(expr, final) not in ("n", "")
    if expr.op == "!":
        inner = holds(expr.parts[0], final)
        return None if inner is None else not inner
    if expr.op in _RELATIONS:
        return _compare(expr, final)
    values = [holds(part, final) for part in expr.parts]
    decided = expr.op == "||"  # one such value settles it
    if decided in values:
        return decided
    return None if None in values else not decided


def _compare(expr: Expr, final: Mapping[str, str]) -> bool | None:
    if any(part.op == "macro" for part in expr.parts):
        return None
    left, right = (_value(part, final) for part in expr.parts)
    try:
        order = (int(left, 0) > int(right, 0)) - (int(left, 0) < int(right, 0))
    except ValueError:
        order = (left > right) - (left < right)
    return {"=": order == 0, "!=": order != 0, "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[
        expr.op
    ]


def unmet(expr: Expr, final: Mapping[str, str]) -> str:
    """The part of `expr` that is not met, in words: `CONFIG_NET is n`, `CONFIG_A is n or CONFIG_B is n`."""
    if expr.op == "&&":
        return " and ".join(unmet(part, final) for part in expr.parts if holds(part, final) is not True)
    if expr.op == "||":
        return " or ".join(unmet(part, final) for part in expr.parts)
    if expr.op == "macro":
        return f"{expr.text} is decided by the toolchain"
    if expr.op == "symbol":
        return f"CONFIG_{expr.text} is {final.get(expr.text, 'n')}"
    if expr.op == "!" and expr.parts[0].op == "symbol":
        name = expr.parts[0].text
        return f"CONFIG_{name} is {final.get(name, 'n')} and must be n"
    return f"`{show(expr)}` does not hold"


def show(expr: Expr) -> str:
    """The expression as text again."""
    if expr.op in ("symbol", "macro"):
        return expr.text
    if expr.op == "!":
        return f"!({show(expr.parts[0])})"
    return f" {expr.op} ".join(show(part) for part in expr.parts)
