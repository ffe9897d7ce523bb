# SPDX-License-Identifier: GPL-2.0-or-later
"""New `static inline` functions of some size in .c files: the compiler decides better (coding-style.rst, 15, "The
inline disease": more than about three lines are too many). Short ones and empty stand-ins are usual."""

import re
from collections.abc import Iterator

from kernels.checks.check import Finding, Level, PatchInTree, StaticCheck

MOST = 5
"""Statements that pass without a word."""

_START = re.compile(r"static\s+(?:\w+\s+)*?inline\b|inline\s+static\b")
_NAME = re.compile(r"\b(\w++)\s*+\(")


def _run(item: PatchInTree) -> Iterator[Finding]:
    for path, lines in item.added.items():
        if path.endswith(".c") and not path.startswith(("tools/", "samples/", "scripts/")):
            whole = (item.text(path) or "").split("\n")
            for number, line in lines.items():
                if _START.match(line) and (size := _statements(whole, number)) > MOST:
                    name = _NAME.search(" ".join(whole[number - 1 : number + 1]).partition("inline")[2])
                    what = f"{name[1]}() is" if name else "this function is"
                    text = f"{what} `static inline` with {size} statements in a .c file: leave inlining to the compiler"
                    yield Finding(path, number, Level.WARNING, "static-inline", text)


def _statements(lines: list[str], first: int) -> int:
    """The semicolons up to the brace that closes the function; 0 for a declaration."""
    count = 0
    for index in range(first - 1, len(lines)):
        if lines[index].startswith("}"):
            return count
        code = re.sub(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|//.*', "", lines[index])
        if count == 0 and index < first + 8 and code.rstrip().endswith(");") and not code.startswith((" ", "\t")):
            return 0
        count += code.count(";")
    return 0


INLINE = StaticCheck(
    "inline", "large `static inline` functions in .c files",
    lambda item: any(path.endswith(".c") for path in item.added), _run,
)  # fmt: skip
