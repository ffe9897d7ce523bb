# SPDX-License-Identifier: GPL-2.0-or-later
"""Turns `function+0x12/0x34` into `file:line`, with the functions that were inlined there.

Symbol and offset are used rather than addresses, so that a kernel that moved itself (KASLR) is read as well. The tools
are those of the architecture's binutils: `nm -S` for symbols with sizes, `addr2line -i` for lines.
"""

import posixpath
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from configs.model import Arch
from guests.crash.symbols import Symbol, binutils, read_symbols

_PLACE = re.compile(r"^(?P<name>[A-Za-z_][\w.]*)\+0x(?P<offset>[0-9a-f]+)/0x(?P<size>[0-9a-f]+)$")
_ANCHOR = ("start_kernel", "init/main.c")
"""A function that every kernel has, and the file that it stands in: what comes before that is the tree's folder."""


class Symboliser:
    """Reads one vmlinux. `problem` is one line if lines cannot be found (no vmlinux, no debug information, no tool);
    places then stay as they are."""

    def __init__(self, vmlinux: Path | None, arch: Arch) -> None:
        self._vmlinux = vmlinux
        self._arch = arch
        self._symbols: dict[str, list[Symbol]] = {}
        self._sorted: tuple[Symbol, ...] = ()
        self._root = ""
        self.problem = self._load()

    def _load(self) -> str:
        if self._vmlinux is None or not self._vmlinux.is_file():
            return "no vmlinux at hand: traces stay without file and line"
        symbols = read_symbols(self._vmlinux, self._arch)
        if symbols is None:
            return f"{self._arch.cross_compile}nm cannot read {self._vmlinux.name}: traces stay without file and line"
        self._sorted = symbols
        for symbol in self._sorted:
            self._symbols.setdefault(symbol.name, []).append(symbol)
        anchor = self._symbols.get(_ANCHOR[0])
        found = self._lines([anchor[0].address]) if anchor else []
        path = found[0][0][1] if found and found[0] else ""
        if _ANCHOR[1] not in path:
            return "vmlinux has no line table: traces stay without file and line"
        self._root = path[: path.index(_ANCHOR[1])]
        return ""

    def places(self, places: Sequence[tuple[str, bool]]) -> tuple[str, ...]:
        """One line for each place and each function inlined there: `function at kernel/file.c:12`.

        A place is (`function+0x12/0x34`, whether it is a return address: then the call stands one byte before, perhaps
        in the function before, if it never returns). The first frame of arm64's traces is the unwinder's own start.
        """
        addresses = [
            self._address(place, is_return and not (index == 0 and place.partition("+")[2].startswith("0x0/")))
            for index, (place, is_return) in enumerate(places)
        ]
        if self.problem:
            return tuple(place for place, _is_return in places)
        known = [address for address in addresses if address is not None]
        lines = iter(self._lines(known))
        out: list[str] = []
        for (place, _is_return), address in zip(places, addresses, strict=True):
            out += [place] if address is None else self._words(place, next(lines, []))
        return tuple(out)

    def counter(self, address: int) -> str:
        """A program counter as QEMU gives it: function and line, or the bare number outside of the kernel."""
        for symbol in self._sorted:
            if symbol.address <= address < symbol.address + symbol.size:
                return self.places([(f"{symbol.name}+{address - symbol.address:#x}/{symbol.size:#x}", False)])[-1]
        return f"{address:#x}"

    def _words(self, place: str, found: Sequence[tuple[str, str]]) -> list[str]:
        if not found or found[0][1].startswith("?"):
            return [place]
        words = [f"{name} at {self._relative(path)}" for name, path in found]
        return [*(f"{word} (inlined)" for word in words[:-1]), words[-1]]

    def _relative(self, path: str) -> str:
        """The path inside the kernel tree, without addr2line's remark on discriminators."""
        file, _, line = path.partition(" (")[0].rpartition(":")
        return f"{posixpath.normpath(file.removeprefix(self._root))}:{line}"

    def _address(self, place: str, is_return: bool) -> int | None:
        match = _PLACE.match(place)
        if not match:
            return None
        candidates = self._symbols.get(match["name"], [])
        size = int(match["size"], 16)
        # Two static functions may share a name. The size in the trace runs to the next symbol, padding included.
        fitting = sorted(candidates, key=lambda symbol: abs(symbol.size - size))
        if not fitting:
            return None
        return fitting[0].address + int(match["offset"], 16) - (1 if is_return else 0)

    def _lines(self, addresses: Iterable[int]) -> list[list[tuple[str, str]]]:
        """For each address the (function, path:line) from the innermost inlined function outwards."""
        wanted = [f"{address:#x}" for address in addresses]
        if not wanted:
            return []
        text = binutils(self._arch, "addr2line", "-f", "-i", "-a", "-e", str(self._vmlinux), *wanted)
        groups: list[list[tuple[str, str]]] = []
        lines = iter((text or "").splitlines())
        for line in lines:
            if line.startswith("0x"):
                groups.append([])
            elif groups:
                groups[-1].append((line, next(lines, "??:0")))
        return groups
