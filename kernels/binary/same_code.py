# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether two versions of a function or variable are the same, wherever it and what it refers to have moved to.

A direct branch inside of one section has no relocation: the assembler wrote the distance. Where two bodies of one size
differ in nothing but such distances, and each reaches the same place of the same name, they are the same. What such a
branch looks like is in the files of the architectures (`configs.model.Branch`).
"""

from collections.abc import Iterator

from kernels.binary.elf_forms import BranchForm, branch_forms
from kernels.binary.object_code import Body


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
    """Where branches end whose distance covers the byte at `offset`, and that reach the same name in both bodies."""
    for form in forms:
        for start in form.starts(offset, one.start):
            end = start + form.size
            here, there = _reached(form, one, start), _reached(form, other, start)
            if end <= len(one.content) and here is not None and here == there:
                yield end


def _reached(form: BranchForm, body: Body, start: int) -> tuple[str, int, int] | None:
    """The name of what the branch at `start` reaches, how far into it, and the other bits of the branch."""
    end = start + form.size
    found = form.read(body.content[start:end])
    if found is None:
        return None
    place = body.places.at(body.start + (end if form.from_end else start) + found.distance)
    return (*place, found.rest) if place else None
