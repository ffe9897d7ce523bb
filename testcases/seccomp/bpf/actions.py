# SPDX-License-Identifier: GPL-2.0-or-later
"""How return values are written for people."""

import errno
from enum import Enum, auto

from testcases.seccomp.bpf.seccomp_data import (
    ACTION_FULL,
    DATA,
    RET_ALLOW,
    RET_ERRNO,
    RET_KILL_PROCESS,
    RET_KILL_THREAD,
    RET_LOG,
    RET_TRACE,
    RET_TRAP,
    RET_USER_NOTIF,
)

ACTIONS = {
    RET_KILL_PROCESS: "KILL_PROCESS",
    RET_KILL_THREAD: "KILL_THREAD",
    RET_TRAP: "TRAP",
    RET_ERRNO: "ERRNO",
    RET_USER_NOTIF: "USER_NOTIF",
    RET_TRACE: "TRACE",
    RET_LOG: "LOG",
    RET_ALLOW: "ALLOW",
}


MAX_ERRNO = 4095
"""A larger number is cut to this one when the call returns (`__seccomp_filter`, kernel/seccomp.c: MAX_ERRNO)."""


class CallFate(Enum):
    """What becomes of the call: made, made with a line in the audit log, or not made by the filter's own decision (a
    tracer or a supervisor may still have it made)."""

    ALLOWED = auto()
    LOGGED = auto()
    DENIED = auto()


def fate_of(value: int) -> CallFate:
    """The kind of a return value."""
    return {RET_ALLOW: CallFate.ALLOWED, RET_LOG: CallFate.LOGGED}.get(value & ACTION_FULL, CallFate.DENIED)


def action_text(value: int) -> str:
    """`ALLOW`, `ERRNO(EPERM)`, `TRACE(7)`; of an errno above 4095 what the kernel makes of it; an
    action that the kernel does not know kills the process."""
    name, data = ACTIONS.get(value & ACTION_FULL), value & DATA
    if name is None:
        return f"unknown {value:#x} (kills)"
    if name == "ERRNO" and data > MAX_ERRNO:
        return f"ERRNO({MAX_ERRNO}), asked for {data}"
    if name == "ERRNO":
        return f"ERRNO({errno.errorcode.get(data, data)})"
    return f"{name}({data})" if data else name
