# SPDX-License-Identifier: GPL-2.0-or-later
"""Text for people and for file names: commands that can be pasted, and text without control characters."""

import math
import re
import shlex
from collections.abc import Sequence


def plain(text: str) -> str:
    """Text of a stranger's as a terminal may have it. Whatever prints such a text prints it through this.

    What cannot be printed (ESC and other controls, marks that turn the direction of writing) stands as `\\x1b`; line
    ends and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else _escape(char) for char in text)


def one_line(text: str) -> str:
    """Text of a stranger's as one printable line: controls and runs of blanks become one blank."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def plain_line(text: str) -> str:
    """`plain` on one line: line ends, tabs and runs of blanks become one blank."""
    return plain(" ".join(text.split()))


def counted(number: int, noun: str) -> str:
    """The number with its noun: 1 patch, 2 patches."""
    ending = "" if number == 1 else "es" if noun.endswith(("ch", "sh", "s", "x")) else "s"
    return f"{number} {noun}{ending}"


def duration(seconds: float) -> str:
    """`40 s`, `3 min`, `1 h 20 min`: no more exact than it is known; `an unknown time` of no finite number."""
    if not math.isfinite(seconds):
        return "an unknown time"
    if seconds < 90:
        return f"{max(5, round(seconds / 5) * 5)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


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
    escaped = "surrogateescape" if "\udc80" <= character <= "\udcff" else "surrogatepass"
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", escaped))


def file_name(text: str) -> str:
    """`text` with every character replaced that is unsafe in a file name."""
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", text).strip(".-") or "unnamed"


def columns(words: Sequence[str], width: int = 90) -> list[str]:
    """The words in as many columns as fit, down and then across."""
    cell = max(map(len, words), default=0) + 2
    rows = -(-len(words) // max(1, width // cell)) if words else 0
    return ["".join(word.ljust(cell) for word in words[row::rows]).rstrip() for row in range(rows)]
