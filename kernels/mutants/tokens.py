# SPDX-License-Identifier: GPL-2.0-or-later
"""C as tokens with their places, as far as mutation needs it: comments are skipped, and preprocessor lines are kept
whole, so that nothing in them is ever changed."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<skip>    (?:\s|\\\r?\n)+ | //[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<string>  (?:u8|[uUL])?"(?:\\.|[^"\\\n])*"? )
    | (?P<char>    [uUL]?'(?:\\.|[^'\\\n])*'? )
    | (?P<number>  \.?\d(?:[eEpP][+-]|[\w.])* )
    | (?P<word>    [A-Za-z_$][\w$]* )
    | (?P<punct>   \.\.\. | <<= | >>= | -> | \+\+ | -- | << | >> | <= | >= | == | != | && | \|\| | [-+*/%&|^]= | . )
    """,
    re.DOTALL | re.VERBOSE,
)
_DIRECTIVE = re.compile(r"#(?:/\*.*?(?:\*/|\Z)|\\\r?\n|[^\n])*", re.DOTALL)
_CONDITIONAL = re.compile(r"#\s*(if|ifdef|ifndef|else|elif|endif)\b")
_KINDS = {"if": "if", "ifdef": "if", "ifndef": "if", "else": "else", "elif": "else", "endif": "endif"}


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is word, number, string, char, punct, or directive for a whole preprocessor line; `start` and `end` are
    offsets in the text, `line` counts from 1."""

    kind: str
    text: str
    start: int
    end: int
    line: int

    @property
    def conditional(self) -> str:
        """`if`, `else` or `endif` for a line of conditional compilation, else nothing."""
        match = _CONDITIONAL.match(self.text) if self.kind == "directive" else None
        return _KINDS[match[1]] if match else ""


def tokens(text: str) -> list[Token]:
    """The tokens of a C file, in order. Whatever stands there, each character is in one token or in what is skipped."""
    found: list[Token] = []
    offset, line, fresh = 0, 1, True
    while offset < len(text):
        if fresh and text[offset] == "#":
            match = _DIRECTIVE.match(text, offset)
            kind = "directive"
        else:
            match = _TOKEN.match(text, offset)
            kind = str(match.lastgroup) if match else ""
        assert match is not None  # a single character always matches
        if kind != "skip":
            found.append(Token(kind, match[0], offset, match.end(), line))
        newlines = match[0].count("\n")
        fresh = (fresh or newlines > 0) if kind == "skip" else False
        offset, line = match.end(), line + newlines
    return found
