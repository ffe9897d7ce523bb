# SPDX-License-Identifier: GPL-2.0-or-later
"""Every word of `struct seccomp_data`: deciding by it, looking at it for nothing, and looking at it for some calls."""

from collections.abc import Iterator

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.instruction import ByteOrder
from testcases.seccomp.bpf.seccomp_data import ARCH, ARCH_ABIS, ARGS, IP, NR, high_half, low_half, order_of_abi
from testcases.seccomp.edges.code import ALLOW, LD_NR, Edge, alu, errno, jeq, jump, ld, native_number, numbers, unless

_WIDE = {"ip": IP, **{f"arg{i}": ARGS + 8 * i for i in range(6)}}


def fields(order: ByteOrder) -> dict[int, str]:
    """The words by their offset, in the order of the names: the low half of a field is told first."""
    found = {NR: "nr", ARCH: "arch"}
    for name, field in _WIDE.items():
        found |= {low_half(field, order): f"{name}-lo", high_half(field, order): f"{name}-hi"}
    return found


def edges(arch: str) -> Iterator[Edge]:
    calls = numbers(arch, "getppid", "getpgid")
    words = fields(order_of_abi(ARCH_ABIS[arch][0]))
    for offset, name in words.items():
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
    low, high = (next(at for at, name in words.items() if name == f"arg0-{half}") for half in ("lo", "hi"))
    halves = (ld(low), jeq(0x55, 0, 2), ld(high), jeq(0xAA, 1, 0), ALLOW, errno(3066))
    yield Edge("load/both-halves", (halves,), "one argument of 64 bits against a constant")
    yield Edge("load/all", ((*(ld(offset) for offset in words), ALLOW),), "every word loaded, and nothing done with it")
