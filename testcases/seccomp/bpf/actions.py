# SPDX-License-Identifier: GPL-2.0-or-later
"""How return values are written for people."""

import errno

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


def action_text(value: int) -> str:
    """`ALLOW`, `ERRNO(EPERM)`, `TRACE(7)`; an action that the kernel does not know kills the process."""
    name, data = ACTIONS.get(value & ACTION_FULL), value & DATA
    if name is None:
        return f"unknown {value:#x} (kills)"
    if name == "ERRNO":
        return f"ERRNO({errno.errorcode.get(data, data)})"
    return f"{name}({data})" if data else name
