# SPDX-License-Identifier: GPL-2.0-or-later
"""From the lines of a guest program (`guest/samples.h`) to results: one for each test, its figures with it.

A figure counts only if both passes of the program came to the same: a mean would hide that something differed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from configs.result import Figure, Status, TestResult

_NONE = "-"


@dataclass(frozen=True, slots=True)
class FigureLine:
    """One line: a figure, or the reason why there is none. `test` and `name` are what stood before and behind the last
    slash; `missing` is SKIP or ERROR."""

    test: str
    name: str
    figure: Figure | None = None
    missing: Status | None = None
    message: str = ""


class ReadingError(Exception):
    """A line that is none of ours, as one line of text."""


def parse(text: str) -> list[FigureLine]:
    """Raises ReadingError for a line that is not of the format, or cut off."""
    return [_reading(line) for line in text.splitlines() if line]


def _reading(line: str) -> FigureLine:
    word, *rest = line.split("\t")
    test, _, name = (rest or [""])[0].rpartition("/")
    if word in ("skip", "wrong") and len(rest) == 2:
        return FigureLine(test, name, missing=Status.SKIP if word == "skip" else Status.ERROR, message=rest[1])
    if word == "figure" and len(rest) >= 3 and test:
        return _figure(test, name, rest[1], rest[2:])
    raise ReadingError(f"not a line of a benchmark: {line[:80]!r}")


def _figure(test: str, name: str, unit: str, passes: list[str]) -> FigureLine:
    if not all(value.isdecimal() or value == _NONE for value in passes):
        raise ReadingError(f"not a figure: {passes} of {test}/{name}")
    taken = [value for value in passes if value != _NONE]
    if len(taken) < len(passes) or len(set(taken)) != 1:
        text = f"{name}: not the same in {len(passes)} passes: {', '.join(passes)} {unit}"
        return FigureLine(test, name, missing=Status.ERROR, message=text)
    return FigureLine(test, name, Figure(name, int(taken[0]), unit))


def results(readings: Iterable[FigureLine], owed: Iterable[str], lost: str) -> tuple[TestResult, ...]:
    """One result for each test that is owed, in that order, and for each that came unasked. `lost` says why a test
    that left no reading is missing; it is a MISS then."""
    found: dict[str, list[FigureLine]] = {test: [] for test in owed}
    for reading in readings:
        found.setdefault(reading.test or reading.name, []).append(reading)
    return tuple(_result(test, lines, lost) for test, lines in found.items())


def _result(test: str, lines: list[FigureLine], lost: str) -> TestResult:
    figures = tuple(line.figure for line in lines if line.figure)
    reasons = [line.message for line in lines if line.message]
    missing = {line.missing for line in lines if line.missing}
    if Status.ERROR in missing:
        return TestResult(test, Status.ERROR, message="; ".join(reasons), figures=figures)
    if not figures:
        status = Status.SKIP if missing else Status.MISS
        return TestResult(test, status, message="; ".join(reasons) or lost)
    return TestResult(test, Status.PASS, message="; ".join(reasons), figures=figures)
