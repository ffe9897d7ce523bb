# SPDX-License-Identifier: GPL-2.0-or-later
"""Text for people and for file names: commands that can be pasted, and text without control characters."""

import re
import shlex
from collections.abc import Sequence


def paste(command: Sequence[str], width: int = 0, indent: str = "") -> str:
    """The argument list as shell text; with a `width`, broken between arguments so that it can still be pasted."""
    words = [_quote(word) for word in command]
    if not width or len(indent) + len(" ".join(words)) <= width:
        return indent + " ".join(words)
    lines, line = [], indent
    for word in words:
        full = f"{line} {word}" if line.strip() else f"{line}{word}"
        if line.strip() and len(full) + 2 > width:
            lines.append(f"{line} \\")
            line = f"{indent}  {word}"
        else:
            line = full
    return "\n".join([*lines, line])


def _quote(word: str) -> str:
    """Quoted for a shell, on one line, without control characters."""
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(map(_escape, word)) + "'"


def _escape(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def one_line(text: str) -> str:
    """`text` without what a terminal obeys: blanks for line ends and tabs, escapes for other control characters."""
    return "".join(map(_visible, " ".join(text.split())))


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def visible(text: str) -> str:
    """`text` with its line ends, and no other control character that a terminal would obey."""
    return "\n".join("".join(map(_visible, line.expandtabs())) for line in text.split("\n"))


def file_name(text: str) -> str:
    """`text` with every character replaced that is unsafe in a file name."""
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", text).strip(".-") or "unnamed"


def columns(words: Sequence[str], width: int = 90) -> list[str]:
    """The words in as many columns as fit, down and then across."""
    cell = max(map(len, words), default=0) + 2
    rows = -(-len(words) // max(1, width // cell)) if words else 0
    return ["".join(word.ljust(cell) for word in words[row::rows]).rstrip() for row in range(rows)]
