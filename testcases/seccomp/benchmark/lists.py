# SPDX-License-Identifier: GPL-2.0-or-later
"""Allow-lists of a known length with the measured call at a known place, in the two forms in which libseccomp lays out
numbers: one comparison after the other, and a binary tree whose leaves hold up to four.

What is not allowed returns EPERM. A list starts with the architecture, as every filter should.
"""

import errno
from collections.abc import Iterable, Sequence

from testcases.seccomp.bpf.instruction import ABS, JA, JEQ, JGE, JMP, LD, RET, Instruction, K, Program, W
from testcases.seccomp.bpf.seccomp_data import ABIS, ARCH, ARGS, NR, RET_ALLOW, RET_ERRNO, low_half, order_of_abi
from testcases.seccomp.filters.libseccomp import number
from util.errors import MachineError

LENGTH = 330
"""Numbers of a list: about as many as a system call table has, and as container profiles allow."""
NEEDED = ("exit_group", "seccomp")
"""What the guest program itself needs below a list."""
REFUSE = RET_ERRNO | errno.EPERM
_LEAF = 4
_FURTHEST = 255
"""Instructions that a conditional jump can pass over; JA passes over any number."""
_NEVER = 0x7E57
"""A first argument that no measurement passes."""


def numbers(abi: str, call: int, position: int = LENGTH, length: int = LENGTH) -> tuple[int, ...]:
    """`length` numbers of the ABI's table as a filter sees them: what the guest program itself needs, and then the
    lowest. `call` (without the ABI's offset) is at `position`, counted from 1; 0 leaves it out."""
    offset = ABIS[abi].offset
    needed = (own_number(name, abi) for name in NEEDED)
    others = [number for number in dict.fromkeys((*needed, *range(length + 1))) if number != call]
    others = others[: length - bool(position)]
    if position:
        others.insert(position - 1, call)
    return tuple(number | offset for number in others)


def own_number(name: str, abi: str) -> int:
    """The number of a call in the ABI's own table, without its offset. Raises MachineError where there is none."""
    found = number(name, abi)
    if found is None:
        raise MachineError(f"libseccomp knows no {name} for {abi}")
    return found & ~ABIS[abi].offset


def linear(abi: str, allowed: Iterable[int]) -> Program:
    """The numbers in the order given."""
    return (*_prologue(abi), *_comparisons(allowed), _ret(REFUSE))


def linear_for_any(allowed: Iterable[int]) -> Program:
    """The same for whatever architecture, so that a kernel has to look at all its tables."""
    return (_load(NR), *_comparisons(allowed), _ret(REFUSE))


def tree(abi: str, allowed: Iterable[int]) -> Program:
    """The numbers sorted, halved until few are left."""
    return (*_prologue(abi), *_halves(sorted(allowed)))


def by_argument(abi: str, call: int, allowed: Iterable[int]) -> Program:
    """As `linear`, and before all others one call whose first argument has to be looked at: no kernel can know the
    answer beforehand."""
    rule = (
        Instruction(JMP | JEQ | K, 0, 4, call | ABIS[abi].offset),
        _load(low_half(ARGS, order_of_abi(abi))),
        Instruction(JMP | JEQ | K, 0, 1, _NEVER),
        _ret(REFUSE),
        _ret(RET_ALLOW),
    )
    return (*_prologue(abi), *rule, *_comparisons(allowed), _ret(REFUSE))


def of_length(abi: str, length: int) -> Program:
    """A linear list of exactly `length` instructions, at least 9."""
    made = linear(abi, numbers(abi, 0, 0, (length - 5) // 2))
    return (*made, *(_ret(REFUSE),) * (length - len(made)))


def shortest_filter() -> Program:
    """The shortest that looks at anything: it refuses one number that no table has."""
    return (_load(NR), Instruction(JMP | JEQ | K, 0, 1, _NEVER), _ret(REFUSE), _ret(RET_ALLOW))


def _prologue(abi: str) -> Program:
    return (
        _load(ARCH),
        Instruction(JMP | JEQ | K, 1, 0, ABIS[abi].audit_arch),
        _ret(REFUSE),
        _load(NR),
    )


def _comparisons(allowed: Iterable[int]) -> Program:
    """A return of its own behind each comparison: a shared one would soon be out of a jump's reach."""
    pairs = ((Instruction(JMP | JEQ | K, 0, 1, number), _ret(RET_ALLOW)) for number in allowed)
    return tuple(instruction for pair in pairs for instruction in pair)


def _halves(allowed: Sequence[int]) -> Program:
    if len(allowed) <= _LEAF:
        return (*_comparisons(allowed), _ret(REFUSE))
    middle = len(allowed) // 2
    below, above = _halves(allowed[:middle]), _halves(allowed[middle:])
    if len(below) <= _FURTHEST:
        return (Instruction(JMP | JGE | K, len(below), 0, allowed[middle]), *below, *above)
    far = (Instruction(JMP | JGE | K, 0, 1, allowed[middle]), Instruction(JMP | JA, k=len(below)))
    return (*far, *below, *above)


def _load(offset: int) -> Instruction:
    return Instruction(LD | W | ABS, k=offset)


def _ret(action: int) -> Instruction:
    return Instruction(RET | K, k=action)
