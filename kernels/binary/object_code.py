# SPDX-License-Identifier: GPL-2.0-or-later
"""The contents of one object file: sizes, and its functions and variables with their references.

Two versions of a function are the same where their bytes are, and where what the bytes refer to is: a relocation by
the name of its target and the distance from it, so that a move of the target is no change. A branch that the assembler
resolved by itself, because both ends are in one section, is told by the name of what it reaches (`same_code`).
"""

import hashlib
import itertools
import re
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import Relocation, RelocationSection
from elftools.elf.sections import NoteSection, Section, SymbolTableSection

from kernels.binary.elf_forms import elf_forms

_BUILD_ID = ".note.gnu.build-id"
_BODIES = ("STT_FUNC", "STT_OBJECT")
_CONSTANT = 8
"""Bytes of what has no name that are compared; a table of jumps is zeros, for its entries are relocations."""
_NUMBER = re.compile(r"\.\d+$|(?<=^__UNIQUE_ID_)(.*?)\d+$")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes: `text` is code and constants, `data` what may be written, `bss` what begins as zeros (as size(1) says)."""

    text: int = 0
    data: int = 0
    bss: int = 0

    @property
    def total(self) -> int:
        return self.text + self.data + self.bss


@dataclass(frozen=True, slots=True)
class Reference:
    """A relocation: at `offset` of the body, of the processor's type `kind`, to `target` (a name) plus `distance`."""

    offset: int
    kind: int
    target: str
    distance: int


@dataclass(frozen=True, slots=True)
class Body:
    """One function or variable. `start` is its offset in its section, of which `places` says what lies where; `content`
    is empty for what begins as zeros."""

    size: int
    start: int
    content: bytes
    references: tuple[Reference, ...]
    places: "SymbolRanges"


@dataclass(frozen=True, slots=True, eq=False)
class SymbolRanges:
    """The named ranges of one section: (start, end, name), sorted."""

    ranges: tuple[tuple[int, int, str], ...]

    def at(self, offset: int) -> tuple[str, int] | None:
        """The name of what lies at `offset`, and how far into it; None for what has no name."""
        for start, end, name in self.ranges:
            if start <= offset < end:
                return name, offset - start
        return None


_NOWHERE = SymbolRanges(())


@dataclass(frozen=True, slots=True)
class ObjectCode:
    """`digest` is over all that is loaded, with relocations as they stand; equal digests are equal code for certain."""

    machine: str
    sizes: Sizes
    digest: str
    bodies: dict[str, Body] = field(repr=False)


NOTHING = ObjectCode("", Sizes(), "", {})
"""An object that is not there."""


def loaded_digest(path: Path) -> str:
    """A digest over all that the object or kernel at `path` has loaded, but for build ids. Raises ValueError."""
    return read_object(path, bodies=False).digest


def read_object(path: Path, bodies: bool = True) -> ObjectCode:
    """The object at `path`, with an empty `bodies` where they are not asked for. Raises ValueError where it is no ELF
    file."""
    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            loaded = [(index, section) for index, section in enumerate(elf.iter_sections()) if _is_loaded(section)]
            return ObjectCode(
                machine=elf["e_machine"],
                sizes=_sizes(section for _, section in loaded),
                digest=_digest(elf, loaded),
                bodies=_Reader(elf).bodies() if bodies else {},
            )
    except (ELFError, OSError) as error:
        raise ValueError(f"{path}: {error}") from None


def _is_loaded(section: Section) -> bool:
    """The linker script of the kernel drops `.discard` sections."""
    return bool(section["sh_flags"] & SH_FLAGS.SHF_ALLOC) and not section.name.startswith(".discard")


def _sizes(sections: Iterable[Section]) -> Sizes:
    text = data = bss = 0
    for section in sections:
        if section["sh_type"] == "SHT_NOBITS":
            bss += section["sh_size"]
        elif section["sh_flags"] & SH_FLAGS.SHF_WRITE:
            data += section["sh_size"]
        else:
            text += section["sh_size"]
    return Sizes(text, data, bss)


def _digest(elf: ELFFile, loaded: list[tuple[int, Section]]) -> str:
    total = hashlib.sha256()
    names = {index: section.name for index, section in loaded}
    for _, section in loaded:
        total.update(repr((section.name, section["sh_flags"], section["sh_addr"], section["sh_size"])).encode())
        total.update(_content(section))
    for section in elf.iter_sections():
        if isinstance(section, RelocationSection) and section["sh_info"] in names:
            table = elf.get_section(section["sh_link"])
            assert isinstance(table, SymbolTableSection)
            for relocation in section.iter_relocations():
                symbol = table.get_symbol(relocation["r_info_sym"])
                target = symbol.name or (names.get(symbol["st_shndx"], ""), symbol["st_value"])
                row = (names[section["sh_info"]], relocation["r_offset"], relocation["r_info_type"], target)
                total.update(repr((*row, relocation.entry.get("r_addend", 0))).encode())
    return total.hexdigest()


def _content(section: Section) -> bytes:
    """The bytes of a section. A build id is left out: it covers debug information, which is not loaded."""
    if section["sh_type"] == "SHT_NOBITS" or section.name == _BUILD_ID:
        return b""
    data: bytes = section.data()
    if isinstance(section, NoteSection):
        for note in section.iter_notes():
            if note["n_type"] == "NT_GNU_BUILD_ID":
                data = data.replace(note["n_descdata"], b"")
    return data


class _Reader:
    """The bodies of one object, and what their relocations refer to."""

    def __init__(self, elf: ELFFile) -> None:
        self._elf = elf
        self._sections = list(elf.iter_sections())
        table = elf.get_section_by_name(".symtab")
        self._symbols = list(table.iter_symbols()) if isinstance(table, SymbolTableSection) else []
        self._places = {index: SymbolRanges(tuple(sorted(rows))) for index, rows in self._ranges().items()}

    def _ranges(self) -> dict[int, list[tuple[int, int, str]]]:
        found: dict[int, list[tuple[int, int, str]]] = {}
        for symbol in self._symbols:
            if symbol["st_info"]["type"] in _BODIES and symbol["st_size"] and isinstance(symbol["st_shndx"], int):
                start = symbol["st_value"]
                row = (start, start + symbol["st_size"], _stable(symbol.name))
                found.setdefault(symbol["st_shndx"], []).append(row)
        return found

    def bodies(self) -> dict[str, Body]:
        """By name, without the numbers that the compiler gives out; the second of one name is `name#2`."""
        found: dict[str, Body] = {}
        for index, places in self._places.items():
            section = self._sections[index]
            if not _is_loaded(section):
                continue
            content = b"" if section["sh_type"] == "SHT_NOBITS" else section.data()
            references = sorted(self._references(index), key=lambda item: item.offset)
            offsets = [item.offset for item in references]
            for start, end, name in places.ranges:
                inside = references[bisect_left(offsets, start) : bisect_left(offsets, end)]
                moved = tuple(replace(item, offset=item.offset - start) for item in inside)
                found[_unused(name, found)] = Body(end - start, start, content[start:end], moved, places)
        return found

    def _references(self, index: int) -> Iterator[Reference]:
        for section in self._sections:
            if isinstance(section, RelocationSection) and section["sh_info"] == index:
                for item in section.iter_relocations():
                    target, distance = self._target(item)
                    yield Reference(item["r_offset"], item["r_info_type"], target, distance)

    def _target(self, item: Relocation) -> tuple[str, int]:
        """(name, distance). A section's own symbol plus a distance is told by what lies there: by name, for a string by
        its text, and else by its first bytes: constants that s390 keeps in .rodata have no name. So is a label that the
        compiler counted (`.LC3`)."""
        symbol, addend = self._symbols[item["r_info_sym"]], int(item.entry.get("r_addend", 0))
        index, info = symbol["st_shndx"], symbol["st_info"]
        counted = info["type"] == "STT_NOTYPE" and symbol.name.startswith(".L")
        if not (info["type"] == "STT_SECTION" or counted) or not isinstance(index, int):
            return _stable(symbol.name), addend
        section = self._sections[index]
        bias = elf_forms(self._elf["e_machine"]).from_behind.get(item["r_info_type"], 0)
        offset = symbol["st_value"] + addend + bias
        if place := self._places.get(index, _NOWHERE).at(offset):
            return place[0], place[1] - bias
        if section["sh_flags"] & SH_FLAGS.SHF_STRINGS:
            text = section.data()[offset : section.data().find(b"\0", offset)]
            return f'"{text.decode("utf-8", "replace")}"', -bias
        if section["sh_type"] == "SHT_NOBITS":
            return section.name, 0
        width = section["sh_entsize"] if section["sh_flags"] & SH_FLAGS.SHF_MERGE else _CONSTANT
        return f"{section.name} {section.data()[offset : offset + width].hex()}", 0


def _stable(name: str) -> str:
    """`__func__.12345` or `__UNIQUE_ID_x12` without its number, which counts all that came before in the file."""
    return _NUMBER.sub(r"\1", name)


def _unused(name: str, found: Collection[str]) -> str:
    if name not in found:
        return name
    return next(f"{name}#{count}" for count in itertools.count(2) if f"{name}#{count}" not in found)
