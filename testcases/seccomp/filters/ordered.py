# SPDX-License-Identifier: GPL-2.0-or-later
"""Policies of the programs that do without libseccomp: for each system call clauses in order, of which the first that
holds decides. Made into instructions as those programs make them, one number after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from testcases.seccomp.bpf.assembly import assemble
from testcases.seccomp.bpf.instruction import MAXINSNS, WORD, ByteOrder, Program
from testcases.seccomp.bpf.seccomp_data import ABIS, ARCH, ARGS, NR, high_half, low_half, order_of_abi
from util.errors import UserError

_WIDE = (1 << 64) - 1


class Compare(Enum):
    """How an argument is compared, unsigned. MASKED: `argument & mask == value & mask`; ANY_BIT: `argument & value` is
    not zero."""

    EQ = "eq"
    NE = "ne"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    MASKED = "masked"
    ANY_BIT = "any bit"
    NO_BIT = "no bit"


_OPPOSITE = {Compare.NE: Compare.EQ, Compare.LT: Compare.GE, Compare.LE: Compare.GT, Compare.NO_BIT: Compare.ANY_BIT}


@dataclass(frozen=True, slots=True)
class Condition:
    """One argument, from 0, against a number; `wide`: all 64 bits of it, else the lower 32."""

    arg: int
    test: Compare
    value: int
    mask: int = _WIDE
    wide: bool = True


@dataclass(frozen=True, slots=True)
class Clause:
    """`action` when every condition holds."""

    conditions: tuple[Condition, ...]
    action: int


@dataclass(frozen=True, slots=True)
class OrderedPolicy:
    """`calls`: for each number its clauses; if none holds, the `otherwise` of it. `default` is for other numbers,
    `bad_arch` for other architectures than that of `abi`."""

    abi: str
    calls: tuple[tuple[int, tuple[Clause, ...], int], ...]
    default: int
    bad_arch: int


def compiled(policy: OrderedPolicy) -> Program:
    """The program. Raises UserError if it would be too long for the kernel."""
    program = assemble("\n".join(_lines(policy)))
    if len(program) > MAXINSNS:
        raise UserError(f"comes to {len(program)} instructions; the kernel takes {MAXINSNS}")
    return program


def _lines(policy: OrderedPolicy) -> Iterator[str]:
    yield f"ld [{ARCH}]"
    yield f"jeq #{ABIS[policy.abi].audit_arch:#x}, known, foreign"
    yield f"foreign: ret #{policy.bad_arch:#x}"
    yield f"known: ld [{NR}]"
    for index, (number, clauses, otherwise) in enumerate(policy.calls):
        yield f"jeq #{number:#x}, c{index}, other{index}"
        yield f"other{index}: jmp next{index}"
        yield f"c{index}:"
        for place, clause in enumerate(clauses):
            yield from _clause(clause, f"f{index}_{place}", order_of_abi(policy.abi))
        yield f"ret #{otherwise:#x}"
        yield f"next{index}:"
    yield f"ret #{policy.default:#x}"


def _clause(clause: Clause, failed: str, order: ByteOrder) -> Iterator[str]:
    for place, condition in enumerate(clause.conditions):
        held, missed = f"{failed}_{place}", f"{failed}_{place}_no"
        test = condition.test
        if test in _OPPOSITE:
            yield from _compare(condition, _OPPOSITE[test], held, order, yes=missed, no=held)
        else:
            yield from _compare(condition, test, held, order, yes=held, no=missed)
        yield f"{missed}: jmp {failed}"
        yield f"{held}:"
    yield f"ret #{clause.action:#x}"
    yield f"{failed}:"


def _compare(condition: Condition, test: Compare, label: str, order: ByteOrder, *, yes: str, no: str) -> Iterator[str]:
    field, value, mask = ARGS + 8 * condition.arg, condition.value, condition.mask
    low, high = low_half(field, order), high_half(field, order)
    if test is Compare.MASKED:
        value &= mask
    step = f"{label}_low"
    if condition.wide:
        yield f"ld [{high}]"
        if test is Compare.ANY_BIT:
            yield f"jset #{value >> 32:#x}, {yes}, {step}"
        else:
            if test is Compare.MASKED:
                yield f"and #{mask >> 32:#x}"
            if test in {Compare.GT, Compare.GE}:
                yield f"jgt #{value >> 32:#x}, {yes}, {label}_eq"
                yield f"{label}_eq:"
            yield f"jeq #{value >> 32:#x}, {step}, {no}"
    yield f"{step}: ld [{low}]"
    if test is Compare.MASKED:
        yield f"and #{mask & WORD:#x}"
    name = {Compare.GT: "jgt", Compare.GE: "jge", Compare.ANY_BIT: "jset"}.get(test, "jeq")
    yield f"{name} #{value & WORD:#x}, {yes}, {no}"
