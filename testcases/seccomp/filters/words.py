# SPDX-License-Identifier: GPL-2.0-or-later
"""How architectures and system calls are written for people."""

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import pyseccomp

from configs.names import did_you_mean
from testcases.seccomp.bpf.instruction import WORD
from testcases.seccomp.bpf.seccomp_data import ABIS, ARGS, high_half, low_half, order_of_abi
from testcases.seccomp.filters.formats.json_value import quoted
from testcases.seccomp.filters.libseccomp import ARCHS, TOKENS, number
from util.errors import UserError

_SHARING = {facts.scmp_arch for facts in ABIS.values() if facts.offset}
"""What libseccomp calls ABIs whose audit architecture is that of another one."""
_TOKENS = {value: name.lower() for name, value in ARCHS.items() if name not in _SHARING}


def arch_text(arch: int) -> str:
    """The ABIs that show themselves by an audit architecture; for those that are none of the rig's libseccomp's name,
    or the number."""
    names = [abi for abi, facts in ABIS.items() if facts.audit_arch == arch]
    return "/".join(names) or _TOKENS.get(arch) or f"{arch:#x}"


def arch_told(arch: int) -> str:
    """The same with the number, and for an unknown number the known one that differs from it in one bit."""
    text = arch_text(arch)
    if text != f"{arch:#x}":
        return f"{text} ({arch:#x})"
    near = next((facts.audit_arch for facts in ABIS.values() if (facts.audit_arch ^ arch).bit_count() == 1), None)
    return text + (f" (unknown; {near:#x} is {arch_text(near)})" if near is not None else " (unknown)")


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


@dataclass(frozen=True, slots=True)
class CallWay:
    """One way in which an ABI makes a system call: the number that the filter sees, and words of the arguments that are
    given by it (offset in seccomp_data, value). `text` says which way it is if there are several."""

    nr: int
    known: tuple[tuple[int, int], ...] = ()
    text: str = ""


_LARGEST_TABLE = 600
_SOCKETCALL = [
    "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername", "socketpair", "send", "recv",
    "sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt", "sendmsg", "recvmsg", "accept4",
    "recvmmsg", "sendmmsg",
]  # fmt: skip
"""The calls behind socketcall(2), which i386 and s390 have, from 1 (include/uapi/linux/net.h)."""
_IPC = {
    "semop": 1, "semget": 2, "semctl": 3, "semtimedop": 4, "msgsnd": 11, "msgrcv": 12, "msgget": 13, "msgctl": 14,
    "shmat": 21, "shmdt": 22, "shmget": 23, "shmctl": 24,
}  # fmt: skip
"""The calls behind their ipc(2) (include/uapi/linux/ipc.h)."""


def ways_of(word: str, abi: str) -> tuple[CallWay, ...]:
    """For a number as given (`39`, `0x27`, `-1`) that number; for a name every way in which the ABI makes the call,
    none if it has no such call. Raises UserError for what is no number of 32 bits."""
    value = integer(word)
    if value is not None:
        if not -(1 << 31) <= value <= WORD:
            raise UserError(f"{quoted(word)[1:-1]}: a system call number has 32 bits")
        return (CallWay(value & WORD),)
    found = number(word, abi)
    if number("socketcall", abi) is None:
        return () if found is None else (CallWay(found),)
    direct = found if found is not None else _numbers(abi).get(word)
    many, order = [], order_of_abi(abi)
    if word in _SOCKETCALL:
        many.append(("socketcall", _SOCKETCALL.index(word) + 1))
    if word in _IPC:
        many.append(("ipc", _IPC[word]))
    ways = [] if direct is None else [CallWay(direct)]
    for name, call in many:
        nr = number(name, abi)
        assert nr is not None
        ways.append(
            CallWay(nr, ((low_half(ARGS, order), call), (high_half(ARGS, order), 0)), f"through {name}, args[0]={call}")
        )
    return tuple(ways)


def integer(word: str) -> int | None:
    """The number that a word is, None if it is a name."""
    try:
        return int(word, 0) if re.fullmatch(r"-?[0-9a-zA-Z]{1,40}", word, re.ASCII) else None
    except ValueError:
        return None


@cache
def _numbers(abi: str) -> dict[str, int]:
    """The same as `names_of` the other way round: also those for which libseccomp gives no number by name."""
    return {name: nr for nr, name in names_of(abi, _LARGEST_TABLE).items()}


def no_call(word: str, abi: str) -> str:
    """A line that says so, with the nearest name."""
    hint = did_you_mean(word[:60], names_of(abi, _LARGEST_TABLE).values())
    return f"{abi} has no system call {quoted(word)}{hint}"
