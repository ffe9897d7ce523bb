# SPDX-License-Identifier: GPL-2.0-or-later
"""What every module of this room yields."""

from dataclasses import dataclass

from testcases.seccomp.bpf.instruction import Stack


@dataclass(frozen=True, slots=True)
class Edge:
    """A stack made by hand: its name behind `edge/`, the filters, and what can be got wrong of them."""

    name: str
    stack: Stack
    why: str
