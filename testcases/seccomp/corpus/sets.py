# SPDX-License-Identifier: GPL-2.0-or-later
"""Every set of system calls of the installed systemd as an allow-list and as a deny-list."""

from collections.abc import Iterator, Mapping

from testcases.seccomp.bpf.seccomp_data import ARCH_ABIS
from testcases.seccomp.corpus.systemd import EPERM, allowed, denied, syscall_sets
from testcases.seccomp.filters.libseccomp import merged
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.filters.policy import Form, Policy


def members(arch: str) -> Iterator[NamedStack]:
    """Merged from a filter for each ABI."""
    for name in syscall_sets():
        for kind, setting in [("allow", allowed(EPERM, name)), ("deny", denied(EPERM, name))]:
            policy = setting(ARCH_ABIS[arch][0])
            assert policy is not None
            by_abi: Mapping[str, Policy] = dict.fromkeys(ARCH_ABIS[arch], policy)
            for form in Form:
                member = f"set/{name.removeprefix('@')}/{kind}/{form}"
                yield NamedStack(
                    member,
                    (merged(by_abi, form),),
                    arch=arch,
                    abis=ARCH_ABIS[arch],
                    origin=f"systemd, {name}, {kind}-list",
                )
