# SPDX-License-Identifier: GPL-2.0-or-later
"""Which lines of a C file hold code, and which of them a configuration leaves out."""

from collections.abc import Collection, Mapping

from kernels.mutants.functions import functions
from kernels.mutants.tokens import tokens

_NO_CODE = frozenset(("{", "}", ";", "else", "do", "break", ")", "};", "default", ":"))


def code_lines(text: str) -> set[int]:
    """The lines inside of functions that hold more than braces."""
    found: dict[int, bool] = {}
    for function in functions(text):
        for token in function.body:
            found[token.line] = found.get(token.line, False) or token.text not in _NO_CODE
    return {line for line, holds in found.items() if holds}


def left_out(text: str, active: Collection[int]) -> set[int]:
    """The lines of those branches of conditional compilation of which nothing is `active`. A line whose branch is
    compiled may be missing among the active ones all the same: the arguments of a macro stand on its first line."""
    branches = _branches(text)
    alive = {branches[line] for line in active if line in branches}
    return {line for line, branch in branches.items() if branch and branch not in alive}


def _branches(text: str) -> Mapping[int, int]:
    """line -> number of the innermost branch that it stands in, 0 for none, of each line with a token."""
    found: dict[int, int] = {}
    stack, last = [0], 0
    for token in tokens(text):
        kind = token.conditional
        if kind in ("else", "endif") and len(stack) > 1:
            stack.pop()
        if kind in ("if", "else"):
            last += 1
            stack.append(last)
        elif token.kind != "directive":
            found[token.line] = stack[-1]
    return found
