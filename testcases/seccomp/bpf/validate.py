# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the kernel takes a filter, and with which errno it refuses one.

The rules are those of `bpf_check_classic`, `check_load_and_stores` and `bpf_convert_filter` (net/core/filter.c) and of
`seccomp_check_filter` and `seccomp_attach_filter` (kernel/seccomp.c); they are the same in 5.10, 6.1, 6.12 and 7.2.
"""

import errno
from dataclasses import dataclass

from testcases.seccomp.bpf.instruction import MAXINSNS, MEMWORDS, Instruction, Program, Stack
from testcases.seccomp.bpf.opcodes import (
    ALLOWED,
    DIV_K,
    DIV_X,
    JA,
    JSET_K,
    LD_ABS,
    LD_MEM,
    LDX_MEM,
    LSH_K,
    RET_K,
    RETURNS,
    RSH_K,
    SCRATCH,
    ST,
    STX,
    TESTS,
    TESTS_K,
    with_constant,
)
from testcases.seccomp.bpf.seccomp_data import SIZE

MAX_INSNS_PER_PATH = (1 << 18) // 8
"""Instructions of one path through all filters of a task (kernel/seccomp.c)."""
PENALTY = 4
"""What each filter already attached costs in addition."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """`errno` that the attaching call gives; `index` of the instruction at fault, or None for the filter as a whole."""

    errno: int
    reason: str
    index: int | None = None

    def __str__(self) -> str:
        where = f" at l{self.index}" if self.index is not None else ""
        return f"{errno.errorcode[self.errno]}{where}: {self.reason}"


def refusal(program: Program) -> Refusal | None:
    """Why the kernel refuses to load `program`, or None if it takes it (given memory and no_new_privs)."""
    if not 0 < len(program) <= MAXINSNS:
        return Refusal(errno.EINVAL, f"{len(program)} instructions; a filter has 1 to {MAXINSNS}")
    for index, insn in enumerate(program):
        reason = _fault(insn, len(program) - index - 1)
        if reason:
            return Refusal(errno.EINVAL, reason, index)
    if program[-1].code not in RETURNS:
        return Refusal(errno.EINVAL, "the last instruction is no return", len(program) - 1)
    return _unwritten(program)


def _fault(insn: Instruction, following: int) -> str:
    """What is wrong with one instruction that `following` others stand behind; empty if nothing is."""
    code, k = insn.code, insn.k
    reason = ""
    if code not in ALLOWED:
        reason = f"code {code:#04x} is not allowed in a seccomp filter"
    elif code == DIV_K and k == 0:
        reason = "division by the constant 0"
    elif code in {LSH_K, RSH_K} and k >= 32:
        reason = f"shift by {k}; at most 31"
    elif code in SCRATCH and k >= MEMWORDS:
        reason = f"scratch word {k}; there are {MEMWORDS}"
    elif code == JA and k >= following:
        reason = f"jump over {k} instructions; only {following} follow"
    elif code in TESTS and max(insn.jt, insn.jf) >= following:
        reason = f"jump over {max(insn.jt, insn.jf)} instructions; only {following} follow"
    elif code == LD_ABS and (k >= SIZE or k % 4):
        reason = f"load at offset {k}; only multiples of 4 below {SIZE}"
    return reason


def _unwritten(program: Program) -> Refusal | None:
    """A read of a scratch word that is not written on every way to it, by the kernel's own reckoning: what a
    return leaves written counts for the instruction behind it as well, although no way leads from one to the other."""
    everything = (1 << MEMWORDS) - 1
    arriving = [everything] * len(program)
    written = 0
    for index, insn in enumerate(program):
        written &= arriving[index]
        code, k = insn.code, insn.k
        if code in {ST, STX}:
            written |= 1 << k
        elif code in {LD_MEM, LDX_MEM}:
            if not written >> k & 1:
                return Refusal(errno.EINVAL, f"scratch word {k} may be read before it is written", index)
        elif code == JA:
            arriving[index + 1 + k] &= written
            written = everything
        elif code in TESTS:
            arriving[index + 1 + insn.jt] &= written
            arriving[index + 1 + insn.jf] &= written
            written = everything
    return None


def converted_length(program: Program) -> int:
    """Instructions after the kernel's conversion to its internal BPF. The limit of a path counts these, not the
    classic ones: `prog->len` is overwritten by `bpf_migrate_filter` (without constant blinding by the JIT)."""
    return 3 + sum(_converted(insn) for insn in program)


def _converted(insn: Instruction) -> int:
    code = insn.code
    if code == RET_K:
        return 2
    if code == DIV_X:
        return 5
    if code not in TESTS:
        return 1
    loaded = code in TESTS_K and insn.k >= 1 << 31
    one = insn.jf == 0 or (insn.jt == 0 and with_constant(code) != JSET_K)
    return loaded + (1 if one else 2)


def admit(program: Program, before: int) -> tuple[Refusal | None, int]:
    """What attaching `program` gives where the filters that are there count as `before` instructions of a path, and
    what they all count then; a refused filter leaves no trace."""
    found = refusal(program)
    if found:
        return found, before
    after = before + converted_length(program)
    if after > MAX_INSNS_PER_PATH:
        return Refusal(errno.ENOMEM, f"{after} converted instructions in all; at most {MAX_INSNS_PER_PATH}"), before
    return None, after + PENALTY


def attach(stack: Stack) -> tuple[Refusal | None, ...]:
    """What attaching each filter of `stack` in turn gives, None for success."""
    results: list[Refusal | None] = []
    count = 0
    for program in stack:
        found, count = admit(program, count)
        results.append(found)
    return tuple(results)


def attached(stack: Stack) -> Stack:
    """The filters of `stack` that the kernel takes, in order."""
    return tuple(program for program, found in zip(stack, attach(stack), strict=True) if found is None)
