# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether two versions of a function or variable are the same, wherever it and what it refers to have moved to.

A direct branch inside of one section has no relocation: the assembler wrote the distance. Where two bodies of one size
differ in nothing but such distances, and each reaches the same place of the same name, they are the same. What such a
branch looks like is in the files of the architectures (`configs.model.Branch`).
"""

from collections.abc import Iterator

from kernels.binary.elf_forms import BranchForm, branch_forms
from kernels.binary.object_code import Body, Places


def same_code(machine: str, one: Body, other: Body) -> bool:
    """`machine` is the ELF header's (`EM_X86_64`); of one that no file describes, every difference is one."""
    if one.size != other.size or one.references != other.references:
        return False
    if one.content == other.content:
        return True
    forms = branch_forms(machine)
    return bool(forms) and _same_branches(forms, one, other)


def _same_branches(forms: tuple[BranchForm, ...], one: Body, other: Body) -> bool:
    offset, size = 0, len(one.content)
    while offset < size:
        if one.content[offset] == other.content[offset]:
            offset += 1
            continue
        end = next((end for end in _ends(forms, one, other, offset)), None)
        if end is None:
            return False
        offset = end
    return True


def _ends(forms: tuple[BranchForm, ...], one: Body, other: Body, offset: int) -> Iterator[int]:
    """Where the branches end whose distance covers the byte at `offset`, and that reach the same name in both bodies."""
    for start, form in sorted(
        ((start, form) for form in forms for start in form.starts(offset, one.start)), key=lambda item: item[0]
    ):
        end = start + form.size
        if end > len(one.content):
            continue
        pair = form.read(one.content[start:end]), form.read(other.content[start:end])
        if pair[0] is None or pair[1] is None or pair[0].rest != pair[1].rest:
            continue
        origin = end if form.from_end else start
        here = _named(one, one.start + origin + pair[0].distance)
        if here is not None and here == _named(other, other.start + origin + pair[1].distance):
            yield end


def _named(body: Body, offset: int) -> tuple[str, int] | None:
    places: Places = body.places
    return places.at(offset)
