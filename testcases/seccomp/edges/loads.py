# SPDX-License-Identifier: GPL-2.0-or-later
"""Every word of `struct seccomp_data`: deciding by it, looking at it for nothing, and looking at it for some calls."""

from collections.abc import Iterator

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.seccomp_data import SIZE
from testcases.seccomp.edges.code import ALLOW, LD_NR, alu, errno, jeq, jump, ld, native_number, numbers, unless
from testcases.seccomp.edges.edge import Edge

_WORDS = ("nr", "arch", "ip-lo", "ip-hi", *(f"arg{i}-{half}" for i in range(6) for half in ("lo", "hi")))
FIELDS = dict(zip(range(0, SIZE, 4), _WORDS, strict=True))
"""The words by their offset."""


def edges(arch: str) -> Iterator[Edge]:
    calls = numbers(arch, "getppid", "getpgid")
    for offset, name in FIELDS.items():
        load = ld(offset)
        yield Edge(f"load/{name}/zero", ((load, jeq(0, 1, 0), errno(3060), ALLOW),), f"{name} must be 0")
        yield Edge(
            f"load/{name}/sign", ((load, jump(bpf.JGE, 1 << 31, 0, 1), errno(3061), ALLOW),), f"bit 31 of {name}"
        )
        yield Edge(f"load/{name}/unused", ((load, LD_NR, *unless(calls, errno(3062))),), f"{name} loaded, and dropped")
        void = (load, alu(bpf.AND, 0), jeq(0, 1, 0), errno(3063), ALLOW)
        yield Edge(f"load/{name}/void", (void,), f"{name} loaded, and masked away")
        either = (load, jeq(7, 0, 0), ALLOW)
        yield Edge(f"load/{name}/either", (either,), f"{name} tested, and allowed either way")
        some = (LD_NR, jeq(native_number(arch, "getppid"), 0, 3), load, jeq(1, 0, 1), errno(3064), ALLOW)
        yield Edge(f"load/{name}/some", (some,), f"{name} matters for one call only")
        last = (LD_NR, *unless(calls, errno(3065))[:-1], load, ALLOW)
        yield Edge(f"load/{name}/before-allow", (last,), f"{name} loaded just before ALLOW")
    halves = (ld(16), jeq(0x55, 0, 2), ld(20), jeq(0xAA, 1, 0), ALLOW, errno(3066))
    yield Edge("load/both-halves", (halves,), "one argument of 64 bits against a constant")
    yield Edge(
        "load/all", ((*(ld(offset) for offset in FIELDS), ALLOW),), "every word loaded, and nothing done with it"
    )
