# SPDX-License-Identifier: GPL-2.0-or-later
"""What a filter is to do, before libseccomp makes a program of it: rules over names of system calls.

The numbers of `Op` are those of libseccomp's `enum scmp_compare` (seccomp.h).
"""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from testcases.seccomp.bpf.seccomp_data import DATA, RET_ALLOW, RET_ERRNO, RET_KILL_THREAD


class Op(IntEnum):
    """How an argument is compared. MASKED_EQ: `argument & value == value_two`; the others ignore `value_two`."""

    NE = 1
    LT = 2
    LE = 3
    EQ = 4
    GE = 5
    GT = 6
    MASKED_EQ = 7


class Form(StrEnum):
    """How libseccomp lays out the numbers: SCMP_FLTATR_CTL_OPTIMIZE 1 and 2 (seccomp_attr_set(3))."""

    LINEAR = "linear"
    TREE = "tree"


@dataclass(frozen=True, slots=True)
class ArgComparison:
    """One argument, from 0, against numbers of 64 bits, unsigned."""

    arg: int
    op: Op
    value: int
    value_two: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """`action` for the system call of this name when every comparison holds. `place` says where it was read."""

    syscall: str
    action: int
    comparisons: tuple[ArgComparison, ...] = ()
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Policy:
    """`default` is for what no rule matches, `bad_arch` for architectures that the filter was not made for."""

    default: int
    rules: tuple[Rule, ...]
    bad_arch: int = RET_KILL_THREAD


def errno_action(number: int) -> int:
    """SECCOMP_RET_ERRNO with its data."""
    return RET_ERRNO | number & DATA


def allow_list(syscalls: tuple[str, ...], otherwise: int, bad_arch: int = RET_KILL_THREAD) -> Policy:
    """Only these are allowed."""
    return Policy(otherwise, tuple(Rule(name, RET_ALLOW) for name in syscalls), bad_arch)


def deny_list(syscalls: tuple[str, ...], action: int, bad_arch: int = RET_KILL_THREAD) -> Policy:
    """All but these are allowed."""
    return Policy(RET_ALLOW, tuple(Rule(name, action) for name in syscalls), bad_arch)
