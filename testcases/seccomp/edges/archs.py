# SPDX-License-Identifier: GPL-2.0-or-later
"""The architecture tested first, late, twice, in odd ways and never."""

from collections.abc import Iterator

from testcases.seccomp.bpf import instruction as bpf
from testcases.seccomp.bpf.seccomp_data import RET_KILL_PROCESS
from testcases.seccomp.edges.code import (
    ALLOW,
    LD_ARCH,
    LD_NR,
    Edge,
    alu,
    compat_number,
    errno,
    jeq,
    jump,
    native_and_compat,
    native_number,
    numbers,
    ret,
    unless,
)

_LE, _64BIT = 0x40000000, 0x80000000
"""__AUDIT_ARCH_LE and __AUDIT_ARCH_64BIT of include/uapi/linux/audit.h."""


def edges(arch: str) -> Iterator[Edge]:
    native, compat = native_and_compat(arch)
    call = native_number(arch, "getppid")
    tail = unless(numbers(arch, "getppid", "getpgid"), errno(3010))
    for name, value in [("native", native), ("compat", compat), ("foreign", 0x12345678)]:
        yield Edge(
            f"arch/first/{name}",
            ((LD_ARCH, jeq(value, 1, 0), errno(3011), LD_NR, *tail),),
            "tested before the number",
        )
        late = (LD_NR, jeq(call, 0, 3), LD_ARCH, jeq(value, 0, 1), errno(3012), ALLOW)
        yield Edge(f"arch/late/{name}", (late,), "tested after the number, for one call only")
        yield Edge(f"arch/only/{name}", ((LD_ARCH, jeq(value, 0, 1), ALLOW, errno(3013)),), "the number never tested")
        yield Edge(f"arch/not/{name}", ((LD_ARCH, jeq(value, 0, 1), errno(3014), ALLOW),), "one architecture refused")
        twice = (LD_ARCH, jeq(value, 0, 3), LD_NR, LD_ARCH, jeq(value, 1, 0), errno(3015), LD_NR, *tail)
        yield Edge(f"arch/twice/{name}", (twice,), "tested, and again where it is known")
        contrary = (LD_ARCH, jeq(value, 0, 3), LD_NR, LD_ARCH, jeq(value, 0, 1), ALLOW, errno(3016))
        yield Edge(f"arch/contrary/{name}", (contrary,), "the second test can only have one outcome")
        yield Edge(
            f"arch/as-number/{name}", ((LD_NR, jeq(value, 0, 1), errno(3017), ALLOW),), "compared with the number"
        )
    yield Edge("arch/never", ((LD_NR, *tail),), "numbers of all ABIs refused, whichever asks")
    yield Edge(
        "arch/kill-compat", ((LD_ARCH, jeq(native, 1, 0), ret(RET_KILL_PROCESS), LD_NR, *tail),), "as libseccomp does"
    )
    for bit, word in [(_LE, "le"), (_64BIT, "64bit")]:
        yield Edge(f"arch/jset-{word}", ((LD_ARCH, jump(bpf.JSET, bit, 0, 1), errno(3018), ALLOW),), "by one bit of it")
        masked = (LD_ARCH, alu(bpf.AND, bit), jeq(bit, 0, 1), errno(3019), ALLOW)
        yield Edge(f"arch/and-{word}", (masked,), "by one bit of it, with a mask")
    yield Edge(
        "arch/above", ((LD_ARCH, jump(bpf.JGT, compat, 0, 1), errno(3020), ALLOW),), "in order, not for equality"
    )
    yield Edge(
        "arch/at-least", ((LD_ARCH, jump(bpf.JGE, native, 0, 1), errno(3021), ALLOW),), "in order, not for equality"
    )
    other = compat_number(arch, "getpgid")
    different = (LD_ARCH, jeq(native, 0, 3), LD_NR, jeq(call, 0, 4), errno(3022), LD_NR, jeq(other, 0, 1))
    yield Edge("arch/different", ((*different, errno(3023), ALLOW),), "another number refused for each architecture")
