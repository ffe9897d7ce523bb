# SPDX-License-Identifier: GPL-2.0-or-later
"""How architectures and system calls are written for people."""

from contextlib import suppress
from functools import cache

import pyseccomp

from configs.names import did_you_mean
from testcases.seccomp.bpf.instruction import WORD
from testcases.seccomp.bpf.seccomp_data import ABIS
from testcases.seccomp.filters.libseccomp import TOKENS, number
from util.errors import UserError


def arch_text(arch: int) -> str:
    """The ABIs that show themselves by an audit architecture, or its number."""
    names = [abi for abi, facts in ABIS.items() if facts.audit_arch == arch]
    return "/".join(names) or f"{arch:#x}"


@cache
def names_of(abi: str, limit: int) -> dict[int, str]:
    """The system calls of an ABI that libseccomp knows, by the number that a filter sees; those below `limit` in the
    ABI's own table."""
    first = ABIS[abi].offset
    found: dict[int, str] = {}
    for nr in range(first, first + limit):
        with suppress(ValueError):  # libseccomp has no name for it
            found[nr] = pyseccomp.resolve_syscall(TOKENS[abi], nr).decode()
    return found


def number_of(word: str, abi: str) -> int:
    """The u32 that a filter sees for a number as given (`39`, `0x27`, `-1`) or a name. Raises UserError."""
    try:
        value = int(word, 0)
    except ValueError:
        found = number(word, abi)
        if found is None:
            hint = did_you_mean(word, names_of(abi, 600).values())
            raise UserError(f"{abi} has no system call `{word}`{hint}") from None
        return found
    if not -(1 << 31) <= value <= WORD:
        raise UserError(f"{word}: a system call number has 32 bits")
    return value & WORD
