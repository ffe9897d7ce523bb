# SPDX-License-Identifier: GPL-2.0-or-later
"""The mutants of a file: every kind of fault in every function, as far as the lines that a series adds go."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import zip_longest

from kernels.mutants.functions import Function, functions
from kernels.mutants.mutant import Mutant, TextEdit
from kernels.mutants.operators import OPERATORS, Change
from kernels.mutants.parsed_function import ParsedFunction
from kernels.mutants.statements import UnreadableError

SUFFIXES = (".c", ".h")


def mutants(path: str, text: str, added: Mapping[int, int]) -> list[Mutant]:
    """Every mutant of the file `path`. `added` has the number of the patch for each line that may be changed.

    A mutant touches only such lines, no preprocessor line, and no two of them make the same file."""
    found: dict[str, Mutant] = {}
    for function in functions(text):
        if not any(line in added for line in _lines(text, function.body[0].start, function.body[-1].end)):
            continue
        for kind, change in _changes(function):
            lines = {line for edit in change for line in _lines(text, edit.start, edit.end)}
            if not change or not lines <= added.keys() or _spans(function, change):
                continue
            line = min(lines)
            mutant = Mutant(path, line, kind, function, change, added[line])
            if mutant.text != text:
                found.setdefault(mutant.text, mutant)
    return sorted(found.values(), key=lambda item: (item.line, item.edits))


def interleaved(found: Iterable[Mutant]) -> list[Mutant]:
    """So that a run that ends early has been everywhere: first one mutant of each line, then another of each."""
    by_line: dict[tuple[str, int], list[Mutant]] = {}
    for mutant in found:
        by_line.setdefault((mutant.path, mutant.line), []).append(mutant)
    rounds = zip_longest(*by_line.values())
    return [mutant for row in rounds for mutant in row if mutant is not None]


def _changes(function: Function) -> Iterator[tuple[str, Change]]:
    try:
        reading = ParsedFunction(function)
        for operator in OPERATORS:
            for change in operator.find(reading):
                yield operator.name, change
    except UnreadableError:
        return


def _lines(text: str, start: int, end: int) -> range:
    first = text.count("\n", 0, start) + 1
    return range(first, first + text.count("\n", start, end) + 1)


def _spans(function: Function, change: Collection[TextEdit]) -> bool:
    """Whether an edit goes over a preprocessor line."""
    return any(edit.start <= offset < edit.end for edit in change for offset in function.directives)
