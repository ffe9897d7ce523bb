# SPDX-License-Identifier: GPL-2.0-or-later
"""What pahole says of a struct, in our words: the second opinion on `kernels.binary.dwarf`."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kernels.binary.dwarf import StructLayout


@dataclass(frozen=True)
class Opinion:
    """The totals that both give."""

    size: int
    cache_lines: int
    holes: int
    hole_bytes: int
    hole_bits: int
    padding: int


def pahole(path: Path, name: str) -> Opinion:
    """The totals of the struct `name` in the object at `path`."""
    command = ("pahole", "-F", "dwarf", "-C", name, str(path))
    # pahole 1.30 says "Invalid argument" and ends with status 1 after it has printed all of it
    text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert f"struct {name} {{" in text
    # the totals of the struct itself are its last; members that are structs are printed by name only
    return Opinion(
        size=_last(r"size: (\d+),", text),
        cache_lines=_last(r"cachelines: (\d+),", text),
        holes=_last(r", holes: (\d+)", text),
        hole_bytes=_last(r"sum holes: (\d+)", text),
        hole_bits=_last(r"sum bit holes: (\d+)", text),
        padding=_last(r"/\* padding: (\d+)", text),
    )


def ours(layout: StructLayout) -> Opinion:
    return Opinion(layout.size, layout.cache_lines, layout.holes, layout.hole_bytes, layout.hole_bits, layout.padding)


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0
