# SPDX-License-Identifier: GPL-2.0-or-later
"""Bit 30 of the number, in every way in which filters are seen to test it, and numbers beyond every table."""

from collections.abc import Iterator

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.instruction import WORD
from testcases.seccomp.bpf.seccomp_data import X32_BIT
from testcases.seccomp.edges.code import (
    ALLOW,
    LD_ARCH,
    LD_NR,
    Edge,
    alu,
    audit_archs,
    errno,
    jeq,
    jump,
    numbers,
    unless,
)


def edges(arch: str) -> Iterator[Edge]:
    calls = numbers(arch, "getppid", "getpgid")
    plain = [nr for nr in calls if nr < X32_BIT]
    native = audit_archs(arch)[0]
    tail = unless(plain, errno(3120))
    for word, test in [
        ("jge", jump(bpf.JGE, X32_BIT, 0, 1)),
        ("jgt", jump(bpf.JGT, X32_BIT - 1, 0, 1)),
        ("jset", jump(bpf.JSET, X32_BIT, 0, 1)),
    ]:
        yield Edge(f"x32/{word}", ((LD_NR, test, errno(3121), *tail),), "every number with the bit refused")
        behind = (LD_ARCH, jeq(native, 0, 3), LD_NR, test, errno(3122), LD_NR, *tail)
        yield Edge(f"x32/{word}-native", (behind,), "the same for the native architecture only")
        only = (LD_NR, jump(bpf.JSET, X32_BIT, 1, 0), errno(3123), alu(bpf.AND, ~X32_BIT & WORD), *tail)
        yield Edge(
            f"x32/{word}-only", (only if word == "jset" else (LD_NR, test, ALLOW, errno(3124)),), "only with the bit"
        )
    but = (LD_NR, jump(bpf.JGE, X32_BIT, 0, 2), jeq(WORD, 1, 0), errno(3125), *tail)
    yield Edge("x32/jge-but-minus-one", (but,), "as libseccomp writes it: -1 is what a tracer leaves of a skipped call")
    masked = (LD_NR, alu(bpf.AND, X32_BIT), jeq(X32_BIT, 0, 1), errno(3126), ALLOW)
    yield Edge("x32/and-bit", (masked,), "the bit taken out and compared")
    without = (LD_NR, alu(bpf.AND, ~X32_BIT & WORD), *unless(plain, errno(3127)))
    yield Edge("x32/and-not", (without,), "the bit taken away: both ABIs share the rules")
    yield Edge("x32/bit-31", ((LD_NR, jump(bpf.JSET, 1 << 31, 0, 1), errno(3128), ALLOW),), "negative numbers refused")
    yield Edge(
        "x32/both-bits", ((LD_NR, jump(bpf.JSET, 3 << 30, 0, 1), errno(3129), ALLOW),), "either of the two upper bits"
    )
    yield Edge("x32/minus-one", ((LD_NR, jeq(WORD, 0, 1), errno(3130), ALLOW),), "number -1 refused")
    yield Edge(
        "x32/exact", ((LD_NR, *unless([nr | X32_BIT for nr in plain], errno(3131))),), "only the call with the bit"
    )
    yield Edge(
        "x32/range",
        ((LD_NR, jump(bpf.JGE, X32_BIT | 512, 0, 2), jump(bpf.JGT, X32_BIT | 547, 1, 0), errno(3132), ALLOW),),
        "the numbers that only x32 has",
    )
    yield Edge("x32/bit-alone", ((LD_NR, jeq(X32_BIT, 0, 1), errno(3133), ALLOW),), "x32's number 0")
