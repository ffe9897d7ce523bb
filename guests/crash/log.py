# SPDX-License-Identifier: GPL-2.0-or-later
"""A console log as lines. Most of them are never looked at: a line is decoded when it is asked for."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import overload

_STAMP = re.compile(r"^(?:<\d{1,3}>)?(?:\[ *\d{1,10}\.\d{1,9}\])?(?:\[ *[TC]\d{1,10}\])? ?")
_STAMPED = ("<", "[")
_STAMP_WITHIN = re.compile(rb"\[ *+\d{1,10}\.\d{6}\](?:\[ *[TC]\d{1,10}\])? ")


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of the log: `text` without time stamp and line end, `raw` as printed, `offset` in bytes."""

    text: str
    raw: str
    offset: int


class Log(Sequence[LogLine]):
    """The lines of a console log, whatever bytes it holds. A time stamp within a line begins another one: what a
    program wrote to the console has no line end, and a port that is full loses some."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pieces = data.split(b"\n")
        self._offsets = list(accumulate((len(piece) + 1 for piece in self._pieces), initial=0))
        if within := list(_within(data)):
            self._offsets = sorted({*self._offsets, *within})
            ends = self._offsets[1:]
            self._pieces = [data[at:end].removesuffix(b"\n") for at, end in zip(self._offsets, ends, strict=False)]

    def __len__(self) -> int:
        return len(self._pieces)

    @overload
    def __getitem__(self, index: int) -> LogLine: ...
    @overload
    def __getitem__(self, index: slice) -> list[LogLine]: ...
    def __getitem__(self, index: int | slice) -> LogLine | list[LogLine]:
        if isinstance(index, slice):
            return [self._line(number) for number in range(*index.indices(len(self)))]
        return self._line(range(len(self._pieces))[index])

    def _line(self, number: int) -> LogLine:
        raw = self._pieces[number].decode("utf-8", "replace").strip("\r")
        text = _STAMP.sub("", raw, count=1) if raw.startswith(_STAMPED) else raw
        return LogLine(text, raw, self._offsets[number])

    def empty(self, number: int) -> bool:
        """Whether nothing at all stands in a line. A guest may print a million of them."""
        return not self._pieces[number].strip(b"\r")

    def holding(self, texts: Sequence[str]) -> list[int]:
        """The numbers, in order, of the lines that hold any of `texts` (ASCII, without line ends).

        It looks for one text after the other in the whole log: a search for a plain text runs at gigabytes a second.
        """
        found = {number for text in texts for number in self._holding(text.encode("ascii"))}
        return sorted(found)

    def _holding(self, text: bytes) -> Iterator[int]:
        place = self._data.find(text)
        while place >= 0:
            number = bisect_right(self._offsets, place) - 1
            yield number
            place = self._data.find(text, self._offsets[number + 1])


def _within(data: bytes) -> Iterator[int]:
    """Where a time stamp stands that does not begin a line; a level (`<4>`) may stand before one that does."""
    for found in _STAMP_WITHIN.finditer(data):
        if found.start() and data[found.start() - 1] not in b"\n>":
            yield found.start()
