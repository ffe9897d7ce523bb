# SPDX-License-Identifier: GPL-2.0-or-later
"""Jumps at their limits, and each comparison at the numbers where its outcome changes."""

from collections.abc import Iterator

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.instruction import MAXINSNS, Program
from testcases.seccomp.edges.code import ALLOW, LD_ARCH, LD_NR, Edge, errno, ja, jeq, jump, native_number

BOUNDS = (
    0, 1, 31, 32, 63, 64, 65, 437, 438, 439, 440, 441, 442, 450, 451, 452, 462, 463, 464, 511, 512, 1023,
    0x3FFFFFFF, 0x40000000, 0x400001B8, 0x400001B9, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF,
)  # fmt: skip
"""Around words of a bitmap, the ends of the tables of 5.10 to 7.2, x32's bit and the sign."""

_TESTS = {"jeq": bpf.JEQ, "jgt": bpf.JGT, "jge": bpf.JGE, "jset": bpf.JSET}
_FAR = 255


def edges(arch: str) -> Iterator[Edge]:
    nr = native_number(arch, "getppid")
    padding = (errno(3030),) * (_FAR - 1)
    yield Edge("jump/jt-255", ((LD_NR, jeq(nr, _FAR, 0), ALLOW, *padding, errno(3031)),), "the longest jump when equal")
    yield Edge("jump/jf-255", ((LD_NR, jeq(nr, 0, _FAR), errno(3032), *padding, ALLOW),), "the longest jump when not")
    both = (LD_NR, jeq(nr, 254, _FAR), *padding, errno(3033), ALLOW)
    yield Edge("jump/both-255", (both,), "both jumps long, to neighbours")
    yield Edge("jump/ja-0", ((LD_NR, ja(0), jeq(nr, 0, 1), errno(3034), ALLOW),), "a jump over nothing")
    far = MAXINSNS - 3
    yield Edge("jump/ja-far", ((LD_NR, ja(far), *(errno(3035),) * far, ALLOW),), "over all but the last")
    yield Edge("jump/nowhere", ((LD_NR, jeq(nr, 0, 0), jeq(nr, 0, 1), errno(3036), ALLOW),), "both ways to the next")
    yield Edge(
        "jump/same-target", ((LD_NR, jeq(nr, 2, 2), errno(3037), errno(3038), ALLOW),), "both ways to one target"
    )
    yield Edge("jump/ja-chain", ((LD_NR, *_chain(100), jeq(nr, 0, 1), errno(3039), ALLOW),), "from jump to jump")
    yield Edge("jump/ladder", (_ladder(nr, 4000),), "4000 tests with both ways to the next")
    yield Edge("jump/diamonds", (_diamonds(500),), "500 places where two ways meet again")
    yield Edge("jump/binary", (_binary(0, 512),), "a whole tree over 512 numbers, every third refused")
    for name, test in _TESTS.items():
        for value in BOUNDS:
            refuses = (LD_NR, jump(test, value, 0, 1), errno(3040), ALLOW)
            allows = (LD_NR, jump(test, value, 1, 0), errno(3041), ALLOW)
            yield Edge(f"jump/{name}/{value:#x}/refuses", (refuses,), f"number {name} {value:#x}")
            yield Edge(f"jump/{name}/{value:#x}/allows", (allows,), f"number {name} {value:#x}, the other way round")


def _chain(length: int) -> Program:
    """Jumps that meet one return each time that they leap over."""
    return tuple(insn for _ in range(length) for insn in (ja(1), errno(3042)))


def _ladder(nr: int, length: int) -> Program:
    return (LD_NR, *(jeq(nr, 0, 0),) * length, jeq(nr, 0, 1), errno(3043), ALLOW)


def _diamonds(length: int) -> Program:
    """Numbers part by a bit and meet again with the architecture or the number in A: 2^500 ways, one outcome."""
    rungs = tuple(
        insn for i in range(length) for insn in (LD_NR, jump(bpf.JSET, 1 << i % 4, 0, 2), LD_ARCH, ja(1), LD_NR)
    )
    return (*rungs, LD_NR, jeq(5, 0, 1), errno(3044), ALLOW)


def _binary(low: int, high: int) -> Program:
    """Tests of half the range at a time, the number loaded anew at each; the far half is reached over a JA."""
    if high - low == 1:
        return (errno(3045),) if low % 3 == 0 else (ALLOW,)
    middle = (low + high) // 2
    left, right = _binary(low, middle), _binary(middle, high)
    return (LD_NR, jump(bpf.JGE, middle, 0, 1), ja(len(left)), *left, *right)
