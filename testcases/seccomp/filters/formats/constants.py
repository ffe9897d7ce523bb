# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbers as minijail's policies write them: `0x5401`, `O_RDONLY|O_CLOEXEC`, `~PROT_EXEC`.

The names are those that Python's standard library has of the C headers, with the values of this machine, and a few
more.
"""

import re

from testcases.seccomp.filters.formats.json_value import quoted
from util.errors import UserError

_MODULES = ("os", "socket", "mmap", "fcntl", "termios", "signal", "stat", "errno", "resource")
_MORE = {
    "PR_SET_NAME": 15,
    "PR_SET_VMA": 0x53564D41,
    "PR_SET_PDEATHSIG": 1,
    "PR_GET_DUMPABLE": 3,
    "PR_SET_DUMPABLE": 4,
    "PR_SET_NO_NEW_PRIVS": 38,
    "PROT_NONE": 0,
    "MAP_FIXED": 0x10,
    "MADV_DONTNEED": 4,
    "CLONE_VM": 0x100,
    "CLONE_THREAD": 0x10000,
    "TIOCGWINSZ": 0x5413,
}
_PART = re.compile(r"(~?)\s*(?:(-?(?:0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}))|([A-Z_][A-Z0-9_]*))", re.ASCII)


def constant(text: str) -> int:
    """The value of names and numbers joined by `|`; may be negative. Raises UserError."""
    value = 0
    for part in text.strip().strip("()").split("|"):
        match = _PART.fullmatch(part.strip())
        if not match:
            raise UserError(f"{quoted(part.strip())} is no number")
        one = int(match[2], 16 if "x" in match[2].lower() else 10) if match[2] else _named(match[3])
        value |= ~one if match[1] else one
    if not -(1 << 63) <= value < 1 << 64:
        raise UserError(f"{quoted(text)} has more than 64 bits")
    return value


def _named(name: str) -> int:
    if name in _MORE:
        return _MORE[name]
    for module in _MODULES:
        found = getattr(__import__(module), name, None)
        if isinstance(found, int):
            return int(found)
    raise UserError(f"no constant {quoted(name)}; write its number")
