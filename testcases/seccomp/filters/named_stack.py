# SPDX-License-Identifier: GPL-2.0-or-later
"""A stack of filters with a name: of the corpus, made by hand, generated, the user's own, or smaller than one of
these."""

from dataclasses import dataclass

from testcases.seccomp.agent.batch import Single, Way
from testcases.seccomp.bpf.instruction import Stack


@dataclass(frozen=True, slots=True)
class NamedStack:
    """`name` is stable from run to run. `way` says who makes the calls; `asked` is the one call that matters, None for
    those that a trial makes anyway; with `between` it is also made after each filter but the last.

    `origin` says in one line where the filters come from. `arch` is the kernel's architecture, and `abis` are those
    that the filters were made for (others may be tried: they meet the filters' action for a foreign architecture); both
    are empty where the stack is for whoever asks.
    """

    name: str
    stack: Stack
    way: Way = Way.PLAIN
    asked: Single | None = None
    between: bool = False
    origin: str = ""
    arch: str = ""
    abis: tuple[str, ...] = ()
