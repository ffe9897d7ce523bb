# SPDX-License-Identifier: GPL-2.0-or-later
"""The functions of a kernel by address, as `nm -nS` lists them; and calls of the architecture's binutils."""

import shutil
import subprocess
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from configs.model import Arch

USER_SPACE = "(user space)"
ELSEWHERE = "(not in vmlinux)"
"""Kernel addresses of no function that was linked: modules, compiled BPF."""
TOOL_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Symbol:
    name: str
    address: int
    size: int


def binutils(arch: Arch, name: str, *arguments: str) -> str | None:
    """What a binutils program printed, the architecture's own by preference; None if there is none or it failed."""
    program = shutil.which(arch.cross_compile + name) or shutil.which(name)
    if not program:
        return None
    try:
        done = subprocess.run([program, *arguments], capture_output=True, check=True, timeout=TOOL_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")


def read_symbols(vmlinux: Path, arch: Arch) -> tuple[Symbol, ...] | None:
    """The text symbols of a kernel by address; None where they cannot be read."""
    listing = binutils(arch, "nm", "-nS", str(vmlinux))
    return None if listing is None else tuple(parse_symbols(listing))


def parse_symbols(listing: str) -> Iterator[Symbol]:
    """The text symbols in what `nm -nS` printed. Where there is no size (assembly), it reaches to the next symbol."""
    rows = []
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) == 4:
            rows.append((int(fields[0], 16), int(fields[1], 16), fields[2], fields[3]))
        elif len(fields) == 3:
            rows.append((int(fields[0], 16), 0, fields[1], fields[2]))
    for index, (address, size, kind, name) in enumerate(rows):
        following = rows[index + 1][0] if index + 1 < len(rows) else address
        if kind in "tTwW":
            yield Symbol(name, address, size or following - address)


class Functions:
    """Says in which function an address lies. The kernel must run where it was linked (`nokaslr`)."""

    def __init__(self, symbols: Iterable[Symbol], kernel_from: int = 1 << 63) -> None:
        """Below `kernel_from` programs run. Of several names of one address the same is taken in each kernel: the first
        in the order of the alphabet."""
        by_address: dict[int, Symbol] = {}
        for symbol in sorted((item for item in symbols if item.size), key=lambda item: item.name):
            by_address.setdefault(symbol.address, symbol)
        self._sorted = [by_address[address] for address in sorted(by_address)]
        self._kernel_from = kernel_from
        self._starts = [symbol.address for symbol in self._sorted]

    def at(self, address: int) -> str:
        """The name of the function, USER_SPACE or ELSEWHERE. What lies between two functions is padding of the first,
        if it is not behind the last one."""
        if address < self._kernel_from:
            return USER_SPACE
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return ELSEWHERE
        symbol = self._sorted[index]
        is_last = index + 1 == len(self._sorted)
        return ELSEWHERE if is_last and address >= symbol.address + symbol.size else symbol.name
