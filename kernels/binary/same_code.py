# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether two versions of a function or variable are the same, wherever it and what it refers to have moved to.

A direct branch inside of one section has no relocation: the assembler wrote the distance. Where two bodies of one size
differ in nothing but such distances, and each reaches the same place of the same name, they are the same.
"""

from collections.abc import Callable

from kernels.binary.object_code import Body, Places

_Reached = Callable[[Body, int], tuple[int, int] | None]
"""(body, offset of a byte that differs) -> (offset behind the branch that this byte belongs to, offset in the section
that the branch reaches); None where it belongs to none."""


def same_code(machine: str, one: Body, other: Body) -> bool:
    """`machine` is the ELF header's (`EM_X86_64`); of one that is not known here, every difference is one."""
    if one.size != other.size or one.references != other.references:
        return False
    if one.content == other.content:
        return True
    reached = _REACHED.get(machine)
    return reached is not None and _same_branches(reached, one, other)


def _same_branches(reached: _Reached, one: Body, other: Body) -> bool:
    offset, size = 0, len(one.content)
    while offset < size:
        if one.content[offset] == other.content[offset]:
            offset += 1
            continue
        first, second = reached(one, offset), reached(other, offset)
        if first is None or second is None or first[0] != second[0]:
            return False
        here, there = _named(one, first[1]), _named(other, second[1])
        if here is None or here != there:
            return False
        offset = first[0]
    return True


def _named(body: Body, offset: int) -> tuple[str, int] | None:
    places: Places = body.places
    return places.at(offset)


def _x86_64(body: Body, offset: int) -> tuple[int, int] | None:
    """call and jmp (e8, e9), jcc (0f 80 to 0f 8f), four bytes of distance from their end (Intel SDM, volume 2). A jump
    that became long because its target is farther now has another size, and counts as changed."""
    code = body.content
    for start in range(max(1, offset - 3), offset + 1):
        opcode = code[start - 1]
        long_jcc = opcode & 0xF0 == 0x80 and start >= 2 and code[start - 2] == 0x0F
        if opcode in (0xE8, 0xE9) or long_jcc:
            end = start + 4
            target = body.start + end + int.from_bytes(code[start:end], "little", signed=True)
            if end <= len(code) and body.places.at(target):
                return end, target
    return None


def _aarch64(body: Body, offset: int) -> tuple[int, int] | None:
    """b and bl: 26 bits of distance in words from the instruction itself (Arm ARM, C6.2)."""
    start = offset & ~3
    word = int.from_bytes(body.content[start : start + 4], "little")
    if word & 0x7C000000 != 0x14000000:
        return None
    distance = (word & 0x03FFFFFF) - (0x04000000 if word & 0x02000000 else 0)
    return start + 4, body.start + start + 4 * distance


_REACHED: dict[str, _Reached] = {"EM_X86_64": _x86_64, "EM_AARCH64": _aarch64}
