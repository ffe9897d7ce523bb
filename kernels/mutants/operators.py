# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of fault, each data and one function: what of a function it changes, and into what.

A kind is a function of a `ParsedFunction` that yields changes, each a tuple of edits that belong together. To add one,
write that function and name it in `OPERATORS`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from kernels.mutants.mutant import TextEdit
from kernels.mutants.parsed_function import TALK, ParsedFunction
from kernels.mutants.statements import Statement, StatementKind
from kernels.mutants.tokens import Token

Change = tuple[TextEdit, ...]
_OPEN, _CLOSE = "([{", ")]}"

_COMPARISONS = {"<": ">=", ">": "<=", "<=": ">", ">=": "<", "==": "!=", "!=": "=="}
_BOUNDARIES = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "+=": "-=", "-=": "+=",
               "*=": "/=", "/=": "*=", "++": "--", "--": "++"}  # fmt: skip
_BITS = {"&": "|", "|": "&", "^": "&", "<<": ">>", ">>": "<<", "&=": "|=", "|=": "&=",
         "^=": "|=", "<<=": ">>=", ">>=": "<<="}  # fmt: skip
_LOGIC = {"&&": "||", "||": "&&"}
_ERRORS = {"EINVAL": "EPERM", "EPERM": "EINVAL", "ENOMEM": "EINVAL", "EACCES": "EPERM"}
_ERROR = re.compile(r"E[A-Z0-9]{2,}$")
_CONSTANT = re.compile(r"[A-Z][A-Z0-9_]*[A-Z0-9]$")
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)([uUlL]*)$")
_LOCK = re.compile(
    r"(?:raw_|__)?(?:(?:spin|read|write|mutex|rcu_read|srcu_read|task|preempt|local_irq|local_bh)_(?P<do>lock|disable|save)"
    r"(?:_\w+)?|(?P<down>down)(?:_read|_write)?)$"
)
_GIVEN_BACK = re.compile(r"(?:\w*unlock\w*|(?:preempt|local_irq|local_bh)_(?:enable|restore)\w*|up(?:_read|_write)?)$")
_TRIED = re.compile(r"(?P<stem>down(?:_read|_write)?|\w+?)_(?:lock_)?(?P<how>killable|interruptible|trylock)$")
"""Locks whose taking may fail; 0 is success, but for a trylock other than down_trylock."""
_UNLOCK = {"lock": "unlock", "disable": "enable", "save": "restore", "down": "up"}


def _replaced(table: Mapping[str, str]) -> Callable[[ParsedFunction], Iterator[Change]]:
    def find(reading: ParsedFunction) -> Iterator[Change]:
        for _before, token, _behind_it in reading.operators():
            if text := table.get(token.text):
                yield (TextEdit(token.start, token.end, text),)

    return find


def _steps(reading: ParsedFunction) -> Iterator[Change]:
    """`i++` and `++i`, which have one operand, and the other operators of arithmetic."""
    yield from _replaced({key: value for key, value in _ARITHMETIC.items() if key not in ("++", "--")})(reading)
    for part in reading.expressions:
        for token in part:
            if token.text in ("++", "--"):
                yield (TextEdit(token.start, token.end, _ARITHMETIC[token.text]),)


def _negations(reading: ParsedFunction) -> Iterator[Change]:
    for part in reading.expressions:
        for before, token in zip((None, *part), part, strict=False):
            if token.text in ("!", "~") and (before is None or before.kind == "punct" or before.text == "return"):
                yield (TextEdit(token.start, token.end, ""),)


def _constants(reading: ParsedFunction) -> Iterator[Change]:
    for part in reading.expressions:
        for before, token, behind in zip((None, *part), part, (*part[1:], None), strict=False):
            for text in _other_values(token, before.text if before else "", behind.text if behind else ""):
                yield (TextEdit(token.start, token.end, text),)


def _other_values(token: Token, before: str, behind: str) -> Iterator[str]:
    if token.kind == "number" and (match := _NUMBER.match(token.text)):
        value = int(match[1], 8 if re.match(r"0[0-7]+$", match[1]) else 0)
        yield from (f"{other}{match[2]}" for other in ((1,) if value == 0 else (value + 1, value - 1)))
    elif token.text in ("true", "false"):
        yield "false" if token.text == "true" else "true"
    elif token.kind == "word" and _CONSTANT.match(token.text) and token.text != "NULL":
        if before in (".", "->", "&", "#") or behind in ("(", ".", "->", "=", "[") or _ERROR.match(token.text):
            return
        yield f"({token.text} + 1)"
        yield f"({token.text} - 1)"


def _errors(reading: ParsedFunction) -> Iterator[Change]:
    """Another error, and none at all."""
    for part in reading.expressions:
        for minus, token in pairwise(part):
            if minus.text == "-" and _ERROR.match(token.text):
                yield (TextEdit(token.start, token.end, _ERRORS.get(token.text, "EINVAL")),)
                yield (TextEdit(minus.start, token.end, "0"),)


def _forced(reading: ParsedFunction) -> Iterator[Change]:
    """A condition that always holds, or never does. It is still evaluated, for what else it does."""
    for statement in reading.statements:
        if statement.kind is not StatementKind.CONDITION or statement.word == "switch" or not statement.tokens:
            continue
        start, end = statement.tokens[0].start, statement.tokens[-1].end
        for value in ("0", "1") if statement.word == "if" else ("0",):
            yield (TextEdit(start, start, "(("), TextEdit(end, end, f"), {value})"))
    yield from _forced_choices(reading)


def _forced_choices(reading: ParsedFunction) -> Iterator[Change]:
    """The same for `condition ? this : that`, of which the head is what stands before the `?` up to an opening
    bracket, a comma, an assignment or the statement's begin."""
    for part in reading.expressions:
        for index, token in enumerate(part):
            if token.text != "?" or index == 0:
                continue
            start = part[_head(part, index)].start
            for value in ("0", "1"):
                behind = part[index - 1].end
                yield (TextEdit(start, start, "(("), TextEdit(behind, behind, f"), {value})"))


def _head(part: Sequence[Token], question: int) -> int:
    """The index at which the condition before a `?` begins."""
    depth = 0
    for index in range(question - 1, -1, -1):
        token = part[index]
        if token.kind == "punct":
            depth += (token.text in _CLOSE) - (token.text in _OPEN)
            if depth < 0:
                return index + 1
        if depth == 0 and (token.text in (",", ";", "=", "?", ":", "return") or token.text in _ASSIGNS):
            return index + 1
    return 0


_ASSIGNS = frozenset(("+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="))


def _dropped(reading: ParsedFunction) -> Iterator[Change]:
    """One of the operands that `&&` or `||` joins is left out."""
    for part in reading.expressions:
        for index, token in enumerate(part):
            if token.text not in ("&&", "||"):
                continue
            left, right = _operand(part, index, -1), _operand(part, index, 1)
            if index not in (left, right):
                yield (TextEdit(part[left].start, part[index + 1].start, ""),)
                yield (TextEdit(part[index - 1].end, part[right].end, ""),)


def _operand(part: Sequence[Token], joint: int, way: int) -> int:
    """The index of the outermost token of the operand of a `&&` or `||` on its left (-1) or right (1) side."""
    depth, at = 0, joint
    index = joint + way
    closing, opening = (_CLOSE, _OPEN) if way < 0 else (_OPEN, _CLOSE)
    while 0 <= index < len(part):
        token = part[index]
        if token.kind == "punct":
            depth += (token.text in closing) - (token.text in opening)
            if depth < 0:
                return at
        ends = token.text in ("&&", "||", ",", ";", "?", ":", "=", "return") or token.text in _ASSIGNS
        if depth == 0 and ends and token.kind != "string":
            return at
        at = index
        index += way
    return at


def _removed(reading: ParsedFunction) -> Iterator[Change]:
    """A statement that does something, and nothing in its place."""
    for statement in reading.statements:
        jump = statement.kind is StatementKind.JUMP
        if (statement.kind is not StatementKind.EXPRESSION and not jump) or TALK.match(statement.word):
            continue
        if _LOCK.match(statement.word) or _GIVEN_BACK.match(statement.word):
            continue
        yield (TextEdit(statement.tokens[0].start, statement.tokens[-1].start, ""),)


def _early(reading: ParsedFunction) -> Iterator[Change]:
    """The function ends before it begins."""
    first = next((item for item in reading.statements if item.kind is not StatementKind.DECLARATION), None)
    if first is None or (len(reading.statements) == 1 and first.kind is StatementKind.RETURN):
        return
    start = reading.function.body[1].start
    begin = _begin_of(reading, first, start)
    text = "if (1) return; " if reading.function.returns_nothing else "if (1) return 0; "
    yield (TextEdit(begin, begin, text),)


def _begin_of(reading: ParsedFunction, statement: Statement, otherwise: int) -> int:
    """Where the statement begins: that of a condition at its keyword, which is not among its tokens."""
    if not statement.tokens:
        return otherwise
    first = statement.tokens[0]
    body = reading.function.body
    index = next(at for at, token in enumerate(body) if token.start == first.start)
    if statement.kind in (StatementKind.CONDITION, StatementKind.FOR, StatementKind.LOOP_MACRO):
        index -= 2
    while index > 1 and body[index - 1].text in ("{", "do") and index - 1 > 0:
        index -= 1
    return body[index].start


def _unlocked(reading: ParsedFunction) -> Iterator[Change]:
    """A lock that is not taken, and not given back either: what remains is a race."""
    calls = [
        item for item in reading.statements if item.kind is StatementKind.EXPRESSION and item.tokens[1].text == "("
    ]
    for statement in calls:
        match = _LOCK.match(statement.word)
        if match is None:
            continue
        taken = match["do"] or match["down"]
        name = statement.word.replace(taken, _UNLOCK[taken], 1)
        what = _first_argument(statement)
        others = [item for item in calls if _matches(item.word, name) and _first_argument(item) == what]
        if others:
            yield tuple(TextEdit(item.tokens[0].start, item.tokens[-1].start, "") for item in (statement, *others))


def _untried(reading: ParsedFunction) -> Iterator[Change]:
    """The same of a lock whose taking may fail: it seems to be taken."""
    calls = [
        item for item in reading.statements if item.kind is StatementKind.EXPRESSION and item.tokens[1].text == "("
    ]
    for statement in reading.statements:
        for at, token in enumerate(statement.tokens[:-1]):
            match = _TRIED.match(token.text)
            if match is None or statement.tokens[at + 1].text != "(":
                continue
            depth, end = 0, at + 1
            while end < len(statement.tokens):
                depth += {"(": 1, ")": -1}.get(statement.tokens[end].text, 0)
                if not depth:
                    break
                end += 1
            else:
                continue
            what = tuple(item.text for item in statement.tokens[at + 2 : end] if item.text != ")")
            name = (
                match["stem"].replace("down", "up", 1)
                if match["stem"].startswith("down")
                else f"{match['stem']}_unlock"
            )
            others = [item for item in calls if item.word == name and _first_argument(item) == what]
            taken = "1" if match["how"] == "trylock" and match["stem"] != "down" else "0"
            if others:
                yield (
                    TextEdit(token.start, statement.tokens[end].end, taken),
                    *(TextEdit(item.tokens[0].start, item.tokens[-1].start, "") for item in others),
                )


def _matches(word: str, name: str) -> bool:
    """spin_lock_irqsave is given back by spin_unlock_irqrestore, mutex_lock_nested by mutex_unlock."""
    return word in (name, name.replace("irqsave", "irqrestore"), name.replace("_nested", ""))


def _first_argument(statement: Statement) -> tuple[str, ...]:
    texts = tuple(token.text for token in statement.tokens[2:])
    end = next((index for index, text in enumerate(texts) if text in (",", ";")), len(texts))
    return tuple(text for text in texts[:end] if text != ")")


@dataclass(frozen=True, slots=True)
class Operator:
    """A kind of fault. `text` says what it does, for `--help` and the docs."""

    name: str
    text: str
    find: Callable[[ParsedFunction], Iterable[Change]]


OPERATORS = (
    Operator("comparison", "a comparison says the opposite", _replaced(_COMPARISONS)),
    Operator("boundary", "a bound is one off: `<` becomes `<=`", _replaced(_BOUNDARIES)),
    Operator("constant", "a number or named constant is one more or less, true becomes false", _constants),
    Operator("condition", "a condition always holds, or never", _forced),
    Operator("clause", "an operand of && or || is left out", _dropped),
    Operator("logic", "&& becomes ||", _replaced(_LOGIC)),
    Operator("negation", "a ! or ~ is left out", _negations),
    Operator("bits", "& becomes |, << becomes >>", _replaced(_BITS)),
    Operator("arithmetic", "+ becomes -, ++ becomes --", _steps),
    Operator("statement", "a call, an assignment, a break or a goto is left out", _removed),
    Operator("return", "the function returns at once", _early),
    Operator("lock", "a lock is neither taken nor given back", lambda item: (*_unlocked(item), *_untried(item))),
    Operator("error", "another error code, or success in its place", _errors),
)
