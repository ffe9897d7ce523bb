# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks of 1 to 32 filters, as nested sandboxes and services with many settings have them."""

from collections.abc import Iterator

from testcases.seccomp.bpf.instruction import Program, Stack
from testcases.seccomp.bpf.seccomp_data import ARCH_ABIS
from testcases.seccomp.corpus import container
from testcases.seccomp.corpus.services import per_abi, policies
from testcases.seccomp.corpus.systemd import settings, syscall_sets
from testcases.seccomp.filters.libseccomp import apart, merged, together
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.filters.policy import Form, deny_list, errno_action

SIZES = (1, 2, 4, 8, 16, 32)
_UNIT = (
    "system-service", "restrict-namespaces", "restrict-address-families", "memory-deny-write-execute",
    "restrict-realtime", "lock-personality", "restrict-suid-sgid", "protect-clock", "protect-kernel-modules",
    "protect-kernel-logs", "protect-kernel-tunables", "protect-hostname", "private-devices",
)  # fmt: skip
"""The settings of a thoroughly hardened unit, in systemd's order of attaching, allow-list last."""


def members(arch: str) -> Iterator[NamedStack]:
    """Filters of one origin on top of each other: those of a unit, ever stricter deny-lists and containers nested."""
    for form in Form:
        for kind, filters in [
            ("unit", _unit(arch, form)),
            ("unit-merged", _unit_merged(arch, form)),
            ("deny", _deny(arch, form)),
            ("nested", _nested(arch, form)),
        ]:
            for size in SIZES:
                if size <= len(filters):
                    name = f"stack/{kind}/{size}/{form}"
                    yield NamedStack(name, filters[:size], arch=arch, abis=ARCH_ABIS[arch], origin=_ORIGINS[kind])


_ORIGINS = {
    "unit": "systemd, a unit with many settings, a filter for each ABI",
    "unit-merged": "systemd, a unit with many settings, merged over the ABIs",
    "deny": "systemd, deny-lists of several sets",
    "nested": "golang-github-containers-common, containers inside each other",
}


def _unit(arch: str, form: Form) -> Stack:
    known = settings(ARCH_ABIS[arch][0])
    return tuple(program for name in reversed(_UNIT) for program in per_abi(known[name], arch, form))


def _unit_merged(arch: str, form: Form) -> Stack:
    known = settings(ARCH_ABIS[arch][0])
    made = (policies(known[name], arch) for name in reversed(_UNIT))
    return tuple(merged(by_abi, form) for by_abi in made if by_abi)


def _deny(arch: str, form: Form) -> Stack:
    """A deny-list of one small set after the other, each with an errno of its own."""
    small = [calls for calls in syscall_sets().values() if len(calls) <= 40]
    return tuple(
        together(deny_list(small[i % len(small)], errno_action(3200 + i)), ARCH_ABIS[arch], form)
        for i in range(max(SIZES))
    )


def _nested(arch: str, form: Form) -> Stack:
    """The native ABI's filter only, or 32 of them would not fit into the limit for one task."""
    program: Program = apart(container.profile(arch).policy, ARCH_ABIS[arch][0], form)
    return (program,) * max(SIZES)
