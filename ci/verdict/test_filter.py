# SPDX-License-Identifier: GPL-2.0-or-later
"""Picks tests by name, for `--test`."""

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from ci.model.stages import END, FAULT
from ci.model.verdicts import Comparison, Effect, TestVerdict
from ci.verdict.compare.builds import BUILD
from configs.result import Cell, Status

NOBODY = "no test of this name was reported"
"""How the reason begins where a glob names nothing."""
_GUEST = ("-", "series", BUILD)


def select(comparisons: Iterable[Comparison], glob: str, variant: str = "") -> list[Comparison]:
    """The comparisons whose test `glob` names, as `TEST` or `SUITE/TEST`.

    A report of the kernel's log that is not there, in guests that all came to their end, is a PASS. Any other name that
    nothing answers to is no success: then the one comparison of the result says why.
    """
    every = list(comparisons)
    chosen = [item for item in every if named(item, glob)]
    if chosen:
        return chosen
    cell = Cell(variant, "-", "-", "-", "-")
    ends = [item for item in every if item.test == END]
    broken = _broken(every)
    if names_fault(glob) and ends and not broken:
        verdict = TestVerdict.SAME if ends[0].verdict else None
        reason = f"not in the log of any guest ({len(ends)})"
        return [
            Comparison(
                cell=cell, test=glob, verdict=verdict, effect=Effect.NONE, patched=(Status.PASS,), message=reason
            )
        ]
    reason = broken or f"{NOBODY}{nearest(glob, (item.test for item in every if item.cell.suite not in _GUEST))}"
    return [
        Comparison(cell=cell, test=glob, verdict=None, effect=Effect.UNKNOWN, patched=(Status.MISS,), message=reason)
    ]


def named(item: Comparison, glob: str) -> bool:
    return names_test(glob, item.cell.suite, item.test)


def names_test(glob: str, suite: str, test: str) -> bool:
    """Whether a glob means a test, as `TEST` or as `SUITE/TEST`."""
    return fnmatchcase(test, glob) or fnmatchcase(f"{suite}/{test}", glob)


def names_fault(glob: str) -> bool:
    """Whether a glob can only mean reports of the kernel's log."""
    return glob.startswith(FAULT) or f"/{FAULT}" in glob


def nearest(glob: str, names: Iterable[str]) -> str:
    """`; nearest: ...` with the names most like a glob, whole or by their last part; nothing where none is like it."""
    known = [name for name in dict.fromkeys(names) if not name.startswith("guest/")]
    word = "".join(character for character in glob if character not in "*?[]")
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    if not close:
        last = {_last(name): name for name in known}
        close = [last[name] for name in difflib.get_close_matches(_last(word), list(last), n=3, cutoff=0.5)]
    return f"; nearest: {', '.join(close)}" if close else ""


def _last(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[2]


def _broken(every: Sequence[Comparison]) -> str:
    """Why tests could not be reported: no kernel, no cell, or a guest that fell over."""
    for item in every:
        if item.cell.suite == BUILD and item.test == "kernel" and Status.FAIL in item.patched:
            return f"the kernel does not build: {item.message}"
    for item in every:
        if item.test in ("cell", END) and not any(status is Status.PASS for status in item.patched):
            return f"not reached: {item.message}"
    return ""
