# SPDX-License-Identifier: GPL-2.0-or-later
"""Takes instructions out of a filter and puts others in, and mends the jumps over them."""

from collections.abc import Collection

from testcases.seccomp.bpf.instruction import Instruction, Program
from testcases.seccomp.bpf.opcodes import JA, TESTS

_REACH = 0xFF


def without(program: Program, gone: Collection[int]) -> Program | None:
    """The filter without these instructions; a jump to one of them leads to the next that is left. None if nothing or
    no target is left."""
    kept = [index for index in range(len(program)) if index not in gone]
    place: dict[int, int] = {}
    following = len(kept)
    for index in range(len(program) - 1, -1, -1):
        if following and kept[following - 1] == index:
            following -= 1
        place[index] = following
    return _rebuilt(program, kept, place, len(kept))


def with_inserted(program: Program, index: int, insn: Instruction) -> Program | None:
    """The filter with one more instruction in front of the one at `index`; jumps to that one lead to it as before.
    None if a jump would become too long."""
    place = {old: old + (old >= index) for old in range(len(program))}
    rebuilt = _rebuilt(program, list(range(len(program))), place, len(program) + 1)
    return (*rebuilt[:index], insn, *rebuilt[index:]) if rebuilt is not None else None


def _rebuilt(program: Program, kept: list[int], place: dict[int, int], length: int) -> Program | None:
    """The kept instructions, in order, with jumps as the new `place` of each old instruction wants them."""
    result: list[Instruction] = []
    for old in kept:
        insn, new = program[old], place[old]
        if insn.code in TESTS:
            jt = place.get(old + 1 + insn.jt, length) - new - 1
            jf = place.get(old + 1 + insn.jf, length) - new - 1
            low, high, limit = min(jt, jf), max(jt, jf), _REACH
            moved = insn if (jt, jf) == (insn.jt, insn.jf) else Instruction(insn.code, jt, jf, insn.k)
        elif insn.code == JA:
            low = high = place.get(old + 1 + insn.k, length) - new - 1
            limit = length
            moved = insn if high == insn.k else Instruction(JA, k=high)
        else:
            result.append(insn)
            continue
        if low < 0 or high > limit or new + 1 + high >= length:
            return None
        result.append(moved)
    return tuple(result) or None
