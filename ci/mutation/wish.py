# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a series `rig.py mutate` is to look at, and for how long."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from kernels.patches.added import Added
from util.errors import UserError

_ONLY = re.compile(r"(?P<path>[^:]+)(?::(?P<first>\d{1,9})(?:-(?P<last>\d{1,9}))?)?$")
_DURATION = re.compile(r"(\d{1,6})(s|m|min|h)?$")
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, None: 60}


@dataclass(frozen=True, slots=True)
class LineRange:
    """Lines `first` to `last` of a file, by their numbers in the patched tree."""

    path: str
    first: int
    last: int


def parse_part(text: str) -> LineRange:
    """`FILE`, `FILE:LINE` or `FILE:LINE-LINE`. Raises UserError."""
    match = _ONLY.match(text)
    if match is None:
        raise UserError(f"--only {text}: is neither FILE, FILE:LINE nor FILE:LINE-LINE")
    first = int(match["first"] or 1)
    last = int(match["last"] or match["first"] or 10**9)
    if first < 1 or last < first:
        raise UserError(f"--only {text}: the lines run from 1 upwards, the smaller number first")
    return LineRange(str(PurePosixPath(match["path"])), first, last)


def parse_budget(text: str) -> float:
    """Seconds of `90s`, `20m`, `2h` or a bare number of minutes. Raises UserError."""
    match = _DURATION.match(text.strip())
    if match is None or int(match[1]) == 0:
        raise UserError(f"--budget {text}: is no time such as 90s, 20m or 2h")
    return float(int(match[1]) * _UNITS[match[2]])


def chosen(added: Added, parts: Sequence[LineRange]) -> Added:
    """Of the added lines those that the parts name; all where there is no part. Raises UserError for a part that names
    none."""
    if not parts:
        return added
    found: Added = {}
    for part in parts:
        lines = {line: patch for line, patch in added.get(part.path, {}).items() if part.first <= line <= part.last}
        if not lines:
            raise UserError(f"--only {_said(part)}: {_hint(added, part)}")
        found.setdefault(part.path, {}).update(lines)
    return found


def _said(part: LineRange) -> str:
    if part.last == 10**9:
        return part.path
    return f"{part.path}:{part.first}" + (f"-{part.last}" if part.last != part.first else "")


def _hint(added: Added, part: LineRange) -> str:
    if part.path not in added:
        return f"the series adds no C there (it does in {', '.join(sorted(added)) or 'no file'})"
    lines = sorted(added[part.path])
    return f"the series adds no such line (the lines that it adds lie between {lines[0]} and {lines[-1]})"
