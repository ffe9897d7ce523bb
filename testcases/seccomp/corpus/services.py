# SPDX-License-Identifier: GPL-2.0-or-later
"""What systemd makes filters of: the settings of hardened services (a filter for each ABI, the stack of these as
systemd loads it, and one merged), and every set of system calls as an allow-list and as a deny-list."""

from collections.abc import Iterator, Mapping

from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.seccomp_data import ARCH_ABIS
from testcases.seccomp.corpus.systemd import EPERM, Setting, allowed, denied, settings, syscall_sets
from testcases.seccomp.filters.libseccomp import apart, merged
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.filters.policy import Form, Policy


def policies(setting: Setting, arch: str) -> dict[str, Policy]:
    """By ABI, without those for which the setting has no filter."""
    made = {abi: setting(abi) for abi in ARCH_ABIS[arch]}
    return {abi: policy for abi, policy in made.items() if policy is not None}


def per_abi(setting: Setting, arch: str, form: Form) -> Stack:
    """One filter after the other, as systemd attaches them."""
    return tuple(apart(policy, abi, form) for abi, policy in policies(setting, arch).items())


def members(arch: str) -> Iterator[NamedStack]:
    for name in settings(ARCH_ABIS[arch][0]):
        yield from of_setting(name, arch)
    yield from _of_sets(arch)


def of_setting(name: str, arch: str) -> Iterator[NamedStack]:
    """The filters that one setting of a service stands for."""
    by_abi = policies(settings(ARCH_ABIS[arch][0])[name], arch)
    for form in Form:
        start = f"systemd/{name}/{form}"
        origin = f"systemd, service setting {name}"
        single = {abi: apart(policy, abi, form) for abi, policy in by_abi.items()}
        for abi, program in single.items():
            yield NamedStack(f"{start}/{abi}", (program,), arch=arch, abis=(abi,), origin=origin)
        if len(by_abi) > 1:
            yield NamedStack(f"{start}/per-abi", tuple(single.values()), arch=arch, abis=tuple(by_abi), origin=origin)
            program = merged(by_abi, form)
            yield NamedStack(
                f"{start}/merged", (program,), arch=arch, abis=tuple(by_abi), origin=f"{origin}, seccomp_merge"
            )


def _of_sets(arch: str) -> Iterator[NamedStack]:
    """Those of each set, merged from a filter for each ABI."""
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
