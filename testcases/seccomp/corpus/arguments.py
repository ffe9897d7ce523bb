# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules about arguments: each comparison of libseccomp against the numbers at which halves and signs change."""

from collections.abc import Iterator

from testcases.seccomp.bpf.seccomp_data import ARCH_ABIS, RET_ALLOW
from testcases.seccomp.filters.libseccomp import together
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.filters.policy import ArgComparison, Form, Op, Policy, Rule, errno_action

_VALUES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 0xFFFFFFFF00000000, 0xFFFFFFFFFFFFFFFF)
_CALLS = ("getppid", "getpgid", "getsid", "close", "dup", "fchdir", "fsync", "umask")
"""One call for each of _VALUES: harmless with any argument, or refused by the kernel."""
_DENIED = errno_action(3100)


def members(arch: str) -> Iterator[NamedStack]:
    abis = ARCH_ABIS[arch]
    for form in Form:
        for name, policy in _policies():
            program = together(policy, abis, form)
            yield NamedStack(
                f"arguments/{name}/{form}", (program,), arch=arch, abis=abis, origin="libseccomp, rules about arguments"
            )


def _policies() -> Iterator[tuple[str, Policy]]:
    for op in Op:
        word = op.name.lower().replace("_", "-")
        for kind, default, action in [("allow", _DENIED, RET_ALLOW), ("deny", RET_ALLOW, _DENIED)]:
            pairs = zip(_CALLS, _VALUES, strict=True)
            tests = tuple(Rule(call, action, (_compare(op, value),)) for call, value in pairs)
            yield f"{word}/{kind}", Policy(default, tests)
    for kind, default, action in [("allow", _DENIED, RET_ALLOW), ("deny", RET_ALLOW, _DENIED)]:
        six = tuple(ArgComparison(arg, Op.EQ, 1 << 8 * arg) for arg in range(6))
        rules = (Rule("getppid", action, six), Rule("getpgid", action, six[2:4]))
        yield f"several/{kind}", Policy(default, rules)
        either = tuple(Rule("close", action, (ArgComparison(0, Op.EQ, value),)) for value in _VALUES)
        yield f"either/{kind}", Policy(default, either)
        mixed = (*either, Rule("dup", action), Rule("dup", action, (ArgComparison(0, Op.GT, 7),)))
        yield f"with-and-without/{kind}", Policy(default, mixed)


def _compare(op: Op, value: int) -> ArgComparison:
    """MASKED_EQ asks for every other bit of `value`."""
    if op is Op.MASKED_EQ:
        return ArgComparison(0, op, value, value & 0x5555555555555555)
    return ArgComparison(0, op, value)
