# SPDX-License-Identifier: GPL-2.0-or-later
"""The run as KTAP (Documentation/dev-tools/ktap.rst), for pipes: a subtest for each cell, a line for each test.

`ok` is what does not count against the series, so that the plain counts of a reader are those of the exit status. What
has no answer is `not ok` too; what is known or was skipped has the directive SKIP.
"""

from collections.abc import Iterator

from ci.model.results import Run
from ci.model.verdicts import Comparison, Effect
from configs.result import Cell, Status
from util.text import one_line


def render(run: Run) -> str:
    """KTAP version 1, with what is said of a failure as diagnostic lines."""
    return "\n".join(_lines(run)) + "\n"


def _lines(run: Run) -> Iterator[str]:
    cells: dict[Cell, list[Comparison]] = {}
    for item in run.comparisons:
        cells.setdefault(item.cell, []).append(item)
    yield "KTAP version 1"
    yield f"# {_words(run.verdict.value)}: {_words(run.summary)}"
    yield f"1..{len(cells)}"
    for number, (cell, items) in enumerate(cells.items(), 1):
        yield "  KTAP version 1"
        yield f"  1..{len(items)}"
        for place, item in enumerate(items, 1):
            yield from (f"  {line}" for line in _test(place, item))
        bad = any(item.effect is not Effect.NONE for item in items)
        yield f"{'not ok' if bad else 'ok'} {number} {_words(str(cell))}"


def _test(place: int, item: Comparison) -> Iterator[str]:
    counts = item.effect is not Effect.NONE
    if counts:
        yield f"# {_words(item.verdict.value if item.verdict else 'failed')}: {_words(item.message or item.test)}"
    skipped = not counts and (item.known is not None or bool(item.patched and item.patched[-1] is Status.SKIP))
    why = item.known.reason if item.known else item.message
    directive = f" # SKIP {_words(why)}".rstrip() if skipped else ""
    yield f"{'not ok' if counts else 'ok'} {place} {_words(item.test)}{directive}"


def _words(text: str) -> str:
    """One line in which `#` begins no directive and no surrogate half stands."""
    return one_line(text).replace("#", "%23").encode("utf-8", "replace").decode("utf-8")
