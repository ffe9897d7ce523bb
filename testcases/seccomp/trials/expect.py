# SPDX-License-Identifier: GPL-2.0-or-later
"""What a call must come to when its filters return a certain value (`__seccomp_filter`, kernel/seccomp.c)."""

import errno
import signal

from testcases.seccomp.agent.observation import AnswerKind, CallAnswer
from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.opcodes import DIV_X, RET_A, RET_K
from testcases.seccomp.bpf.seccomp_data import (
    ACTION_FULL,
    DATA,
    RET_ALLOW,
    RET_ERRNO,
    RET_LOG,
    RET_TRACE,
    RET_TRAP,
    RET_USER_NOTIF,
)

MAX_ERRNO = 4095
"""`include/linux/err.h`; a greater errno in the data of RET_ERRNO is cut down to it."""
RUNS = (RET_ALLOW, RET_LOG)
DELEGATED = (RET_TRACE, RET_USER_NOTIF)
"""Without a tracer or a listener these give ENOSYS."""
ABSENT = CallAnswer(AnswerKind.RETURNED, -errno.ENOSYS)
"""What a call comes to that this kernel does not have."""
KILLED = CallAnswer(AnswerKind.KILLED, signal.SIGSYS)


def denial(value: int) -> CallAnswer | None:
    """What a call comes to that filters returning `value` do not let run; None if it runs."""
    action, data = value & ACTION_FULL, value & DATA
    if action in RUNS:
        return None
    if action == RET_ERRNO:
        return CallAnswer(AnswerKind.RETURNED, -min(data, MAX_ERRNO))
    if action == RET_TRAP:
        return CallAnswer(AnswerKind.TRAPPED, data)
    if action in DELEGATED:
        return CallAnswer(AnswerKind.RETURNED, -errno.ENOSYS)
    return KILLED


def denials(stack: Stack) -> frozenset[CallAnswer] | None:
    """Every answer by which a filter of `stack` may deny a call; None if it may be anything (`ret a`)."""
    found = set()
    for program in stack:
        for insn in program:
            if insn.code == RET_A:
                return None
            if insn.code == RET_K:
                found.add(denial(insn.k))
            elif insn.code == DIV_X:
                found.add(denial(0))  # what a division by zero returns
    return frozenset(answer for answer in found if answer)


def agrees(value: int, seen: CallAnswer, natural: CallAnswer | None, possible: frozenset[CallAnswer] | None) -> bool:
    """Whether `seen` can be what a call came to whose filters return `value`.

    `natural` is what the same call comes to without a filter, None if that is not known; `possible` are the stack's
    denials. A call that runs may return something else than it did before (a process id, what an earlier call left
    behind), but nothing by which the stack denies.
    """
    wanted = denial(value)
    if wanted:
        return seen == wanted or (seen.kind is AnswerKind.SAME and natural == wanted)
    if seen.kind is AnswerKind.SAME or seen == (natural or ABSENT):
        return True
    if seen.kind in (AnswerKind.NOTHING, AnswerKind.TRAPPED, AnswerKind.TRAPPED_ODDLY) or seen == KILLED:
        return False
    if natural is not None and seen.kind is not AnswerKind.RETURNED:
        return False
    if possible is None:
        return natural is None or seen.value >= 0
    return seen not in possible


def agrees_anyway(value: int, seen: CallAnswer) -> bool:
    """Whether `agrees` holds whatever the call comes to without a filter and whatever else the stack denies."""
    wanted = denial(value)
    return seen == wanted if wanted else seen.kind is AnswerKind.SAME


def decided(value: int, natural: CallAnswer | None) -> bool:
    """Whether an answer tells a call that runs from one that `value` denies."""
    wanted = denial(value)
    return wanted is None or wanted != natural


def canonical(seen: CallAnswer, possible: frozenset[CallAnswer] | None) -> CallAnswer | None:
    """The denial that an answer shows, or None for a call that ran: what both variants of a comparison must agree
    on."""
    if seen.kind in (AnswerKind.TRAPPED, AnswerKind.TRAPPED_ODDLY) or seen == KILLED:
        return seen
    if seen.kind is AnswerKind.RETURNED and (seen.value < 0 if possible is None else seen in possible):
        return seen
    return None
