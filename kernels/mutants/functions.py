# SPDX-License-Identifier: GPL-2.0-or-later
"""The functions of a C file, found by their braces, without a preprocessor."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kernels.mutants.tokens import Token, tokens

_NO_FUNCTION = frozenset(("struct", "union", "enum", "typedef", "__attribute__", "__attribute", "if", "while", "for"))
_DROPPED = frozenset(("static", "inline", "__inline", "__inline__", "extern", "__always_inline", "noinline"))
_OPEN, _CLOSE = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Function:
    """`header` are the tokens from the first of the definition to the one before its brace, `body` those from `{` to
    `}`, without preprocessor lines; `directives` are the offsets of these lines inside of the body."""

    name: str
    text: str
    header: tuple[Token, ...]
    body: tuple[Token, ...]
    directives: tuple[int, ...]

    @property
    def returns_nothing(self) -> bool:
        words = self._type_words
        return "void" in words and "*" not in words

    @property
    def parameters(self) -> tuple[str, ...] | None:
        """Their names in order; None where a call cannot be written from the header alone: a variable number of
        them, one without a name, a name that a macro makes, a preprocessor line in between."""
        at = next(index for index, token in enumerate(self.header) if token.text == self.name)
        if any(token.kind == "directive" for token in self.header) or self.name.upper() == self.name or not at:
            return None
        inside = _inside(self.header, at + 1)
        if [token.text for token in inside] in (["void"], []):
            return ()
        names = [_parameter(part) for part in _split(inside)]
        return None if None in names else tuple(name for name in names if name)

    def renamed(self, name: str) -> str:
        """The header for a copy of this function under another name, static and never inlined."""
        words = [
            name if token.text == self.name and index == self._name_at else token.text
            for index, token in enumerate(self.header)
            if token.text not in _DROPPED or index > self._name_at  # of a parameter's type, which has none of them
        ]
        return "static __attribute__((__noinline__, __unused__)) " + " ".join(words)

    @property
    def _name_at(self) -> int:
        return next(index for index, token in enumerate(self.header) if token.text == self.name)

    @property
    def _type_words(self) -> list[str]:
        return [token.text for token in self.header[: self._name_at]]


def functions(text: str) -> list[Function]:
    """Every function that is defined in the file, in order."""
    return list(_functions(text, _structure(tokens(text))))


def _structure(found: Sequence[Token]) -> list[Token]:
    """The tokens without those branches of conditional compilation behind the first that open more than they close, or
    close more: two heads of one function, of which only one is there for the compiler."""
    kept: list[Token] = []
    stack: list[tuple[int, bool]] = []  # (where in `kept` the branch begins, whether an earlier one was lopsided)
    for token in found:
        kind = token.conditional
        if kind == "if":
            kept.append(token)
            stack.append((len(kept), False))
        elif kind and stack:
            begin, lopsided = stack.pop()
            branch = kept[begin:]
            balance = sum(_balance(item) for item in branch if item.kind == "punct")
            if lopsided:
                del kept[begin:]
            kept.append(token)
            if kind == "else":
                stack.append((len(kept), lopsided or balance != 0))
        else:
            kept.append(token)
    return kept


def _balance(token: Token) -> int:
    return (token.text in _OPEN) - (token.text in _CLOSE)


def _functions(text: str, found: Sequence[Token]) -> Iterator[Function]:
    begin = index = 0
    while index < len(found):
        token = found[index]
        if token.text == "{" and token.kind == "punct":
            end = _closing(found, index)
            header = _trimmed(found[begin:index])
            body = found[index : end + 1]
            if (name := _name(header)) and end < len(found):
                inner = tuple(item for item in body if item.kind != "directive")
                lines = tuple(item.start for item in body if item.kind == "directive")
                yield Function(name, text, header, inner, lines)
            index = begin = end + 1
            continue
        if token.text == ";" and token.kind == "punct":
            begin = index + 1
        index += 1


def _trimmed(header: Sequence[Token]) -> tuple[Token, ...]:
    """Without the preprocessor lines before it."""
    first = next((at for at, token in enumerate(header) if token.kind != "directive"), len(header))
    return tuple(header[first:])


def _closing(found: Sequence[Token], index: int) -> int:
    """The index of the token that closes the bracket at `index`; that of the end where nothing does."""
    depth = 0
    for at in range(index, len(found)):
        if found[at].kind == "punct":
            depth += _balance(found[at])
            if depth == 0:
                return at
    return len(found)


def _name(header: Sequence[Token]) -> str:
    """The name of the function that these tokens begin; nothing where they begin something else."""
    depth, name = 0, ""
    for at, token in enumerate(header):
        if token.kind == "punct" and depth == 0 and token.text == "=":
            return ""
        if token.text == "(" and depth == 0 and not name and at and header[at - 1].kind == "word":
            name = header[at - 1].text
            if name in ("__attribute__", "__attribute", "__printf", "__aligned", "__section"):
                name = ""  # an attribute before the name
        if token.kind == "punct":
            depth += _balance(token)
    if name in _NO_FUNCTION or not header or header[0].text == "typedef" or header[-1].text in (",", "="):
        return ""
    return name


def _inside(header: Sequence[Token], opening: int) -> list[Token]:
    end = _closing(header, opening)
    return list(header[opening + 1 : end])


def _split(inside: Sequence[Token]) -> list[list[Token]]:
    """At the commas that stand in no bracket."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in inside:
        if token.kind == "punct":
            depth += _balance(token)
            if token.text == "," and depth == 0:
                parts.append([])
                continue
        parts[-1].append(token)
    return parts


def _parameter(part: Sequence[Token]) -> str | None:
    """The name that a parameter has; None where it has none that can be told."""
    texts = [token.text for token in part]
    if "..." in texts:
        return None
    if "(" in texts:  # a pointer to a function: the word behind the first star
        star = texts.index("*") if "*" in texts else -1
        return part[star + 1].text if 0 <= star < len(part) - 1 and part[star + 1].kind == "word" else None
    end = texts.index("[") if "[" in texts else len(texts)
    words = [token for token in part[:end] if token.kind == "word"]
    return words[-1].text if len(words) > 1 and part[end - 1] is words[-1] else None
