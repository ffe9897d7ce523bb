# SPDX-License-Identifier: GPL-2.0-or-later
"""Structs as the compiler laid them out, from the debug information of one object (DWARF 5, sections 5.7 and 7.5.5)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal

from elftools.common.exceptions import DWARFError, ELFError
from elftools.dwarf.die import DIE
from elftools.dwarf.dwarfinfo import DWARFInfo
from elftools.elf.elffile import ELFFile
from elftools.elf.relocation import RelocationSection
from elftools.elf.sections import SymbolTableSection

from kernels.binary.elf_forms import elf_forms

_TRANSPARENT = {
    "DW_TAG_typedef",
    "DW_TAG_const_type",
    "DW_TAG_volatile_type",
    "DW_TAG_restrict_type",
    "DW_TAG_atomic_type",
}
_RECORDS = {"DW_TAG_structure_type", "DW_TAG_union_type"}


@dataclass(frozen=True, slots=True)
class Member:
    """One named member; those of anonymous structs and unions count as the struct's own. Offset and size in bits."""

    name: str
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class StructLayout:
    """`size` and `padding` (behind the last member) in bytes; `holes` is how many gaps of whole bytes there are between
    members and `hole_bytes` their sum; `hole_bits` is what bitfields leave of their storage units. Holes inside of
    members are the members' own."""

    name: str
    size: int
    holes: int
    hole_bytes: int
    hole_bits: int
    padding: int
    members: tuple[Member, ...]
    line: int = 64
    """Bytes of a cache line."""

    @property
    def cache_lines(self) -> int:
        """How many cache lines it touches where it begins at the start of one."""
        return -(-self.size // self.line)

    @property
    def straddlers(self) -> tuple[str, ...]:
        """The members that would fit into a cache line and lie in two."""
        line = self.line * 8
        return tuple(
            member.name
            for member in self.members
            if 0 < member.size <= line and member.offset // line != (member.offset + member.size - 1) // line
        )


@dataclass(frozen=True, slots=True)
class _Slot:
    """A direct member: offset and size in bits; `unit` is the size of the storage unit of a bitfield, else 0."""

    offset: int
    size: int
    unit: int = 0

    @property
    def end(self) -> int:
        return self.offset + self.size


def read_structs(path: Path, names: Collection[str], line: int = 64) -> dict[str, StructLayout]:
    """The layout of each of the structs that the object at `path` knows whole, for cache lines of `line` bytes. Raises
    ValueError where it is no object with debug information."""
    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            if not elf.has_dwarf_info():
                raise ValueError(f"{path}: holds no debug information")
            found: dict[str, StructLayout] = {}
            for unit in _debug_information(elf, file).iter_CUs():
                for die in unit.get_top_DIE().iter_children():
                    name = _name(die)
                    if name in names and name not in found and _is_whole_struct(die):
                        found[name] = replace(_layout(name, die), line=line)
            return found
    except (ELFError, DWARFError) as error:
        raise ValueError(f"{path}: {error}") from None


def _debug_information(elf: ELFFile, file: BinaryIO) -> DWARFInfo:
    """The debug information with its relocations applied: until then a reference to a name leads nowhere."""
    widths = elf_forms(elf["e_machine"]).plain
    if not widths:
        return elf.get_dwarf_info()
    file.seek(0)
    content = bytearray(file.read())
    order: Literal["little", "big"] = "little" if elf.little_endian else "big"
    for section in elf.iter_sections():
        if isinstance(section, RelocationSection) and section.name.startswith(".rela.debug_"):
            target, symbols = elf.get_section(section["sh_info"]), elf.get_section(section["sh_link"])
            assert isinstance(symbols, SymbolTableSection)
            for entry in section.iter_relocations():
                if size := widths.get(entry["r_info_type"]):
                    value = symbols.get_symbol(entry["r_info_sym"])["st_value"] + entry["r_addend"]
                    start = target["sh_offset"] + entry["r_offset"]
                    content[start : start + size] = (value & (1 << 8 * size) - 1).to_bytes(size, order)
    return ELFFile(BytesIO(content)).get_dwarf_info(relocate_dwarf_sections=False)


def _name(die: DIE) -> str:
    attribute = die.attributes.get("DW_AT_name")
    return attribute.value.decode("utf-8", "replace") if attribute else ""


def _is_whole_struct(die: DIE) -> bool:
    return die.tag == "DW_TAG_structure_type" and "DW_AT_byte_size" in die.attributes


def _layout(name: str, die: DIE) -> StructLayout:
    slots = sorted((_slot(member) for member in _members(die)), key=lambda slot: slot.offset)
    size = int(die.attributes["DW_AT_byte_size"].value)
    holes = hole_bytes = hole_bits = 0
    end, unit_end = 0, 0
    for slot in slots:
        bits, rest = _gap(end, unit_end, slot.offset)
        hole_bits += bits
        holes += rest >= 8
        hole_bytes += rest // 8
        if slot.end >= end:
            end = slot.end
            unit_end = -(-end // slot.unit) * slot.unit if slot.unit else end
    _bits, rest = _gap(end, unit_end, size * 8)
    return StructLayout(name, size, holes, hole_bytes, hole_bits, rest // 8, tuple(_flat(die, 0)))


def _gap(end: int, unit_end: int, start: int) -> tuple[int, int]:
    """The bits from `end` to `start`, split into what is left of a bitfield's storage unit, and the rest."""
    gap = max(0, start - end)
    bits = min(gap, unit_end - end)
    return bits, gap - bits


def _members(die: DIE) -> Iterator[DIE]:
    return (child for child in die.iter_children() if child.tag == "DW_TAG_member")


def _slot(member: DIE) -> _Slot:
    attributes = member.attributes
    if "DW_AT_data_bit_offset" in attributes:
        unit = _size(member)
        return _Slot(int(attributes["DW_AT_data_bit_offset"].value), int(attributes["DW_AT_bit_size"].value), unit * 8)
    offset = attributes["DW_AT_data_member_location"].value if "DW_AT_data_member_location" in attributes else 0
    return _Slot(int(offset) * 8, _size(member) * 8)


def _flat(die: DIE, start: int) -> Iterator[Member]:
    """The named members below `die`, which begins at bit `start`."""
    for member in _members(die):
        slot = _slot(member)
        name = _name(member)
        if name:
            yield Member(name, start + slot.offset, slot.size)
        elif record := _record(member):
            yield from _flat(record, start + slot.offset)


def _record(member: DIE) -> DIE | None:
    target = _bare(member.get_DIE_from_attribute("DW_AT_type"))
    return target if target is not None and target.tag in _RECORDS else None


def _bare(die: DIE | None) -> DIE | None:
    """The type without typedefs and qualifiers; None for void."""
    while die is not None and die.tag in _TRANSPARENT:
        die = die.get_DIE_from_attribute("DW_AT_type") if "DW_AT_type" in die.attributes else None
    return die


def _size(die: DIE) -> int:
    """Bytes of the type of a member; 0 for an array without bound."""
    target = _bare(die.get_DIE_from_attribute("DW_AT_type"))
    if target is None:
        return 0
    if "DW_AT_byte_size" in target.attributes:
        return int(target.attributes["DW_AT_byte_size"].value)
    if target.tag == "DW_TAG_array_type":
        count = 1
        for dimension in target.iter_children():
            if dimension.tag == "DW_TAG_subrange_type":
                count *= _length(dimension)
        return count * _size(target)
    return 0


def _length(dimension: DIE) -> int:
    attributes = dimension.attributes
    if "DW_AT_count" in attributes:
        return int(attributes["DW_AT_count"].value)
    bound = attributes.get("DW_AT_upper_bound")
    return int(bound.value) + 1 if bound and isinstance(bound.value, int) else 0
