# SPDX-License-Identifier: GPL-2.0-or-later
"""The profile that containers run with, from Debian's golang-github-containers-common."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from testcases.seccomp.bpf.seccomp_data import ARCH_ABIS
from testcases.seccomp.filters.formats.oci import OciProfile, read_oci
from testcases.seccomp.filters.libseccomp import apart, merged, together
from testcases.seccomp.filters.named_stack import NamedStack
from testcases.seccomp.filters.policy import Form
from testcases.seccomp.filters.target import DEFAULT_CAPABILITIES
from util.errors import MachineError

PROFILE = Path("/usr/share/containers/seccomp.json")
PACKAGE = "golang-github-containers-common"

CAPABILITIES = {
    "default": DEFAULT_CAPABILITIES,
    "none": frozenset[str](),
    "admin": DEFAULT_CAPABILITIES | {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_AUDIT_WRITE", "CAP_SYS_MODULE"},
}
"""The same profile has other rules for a container with other capabilities."""


def profile_bytes() -> bytes:
    """The installed file. Raises MachineError if there is none."""
    try:
        return PROFILE.read_bytes()
    except OSError as error:
        raise MachineError(f"{PROFILE}: {error.strerror}: install {PACKAGE}") from None


@cache
def profile(arch: str, capabilities: str = "default") -> OciProfile:
    """The installed profile for a container with one of CAPABILITIES."""
    profile_bytes()
    return read_oci(PROFILE, arch, capabilities=CAPABILITIES[capabilities])


def members(arch: str) -> Iterator[NamedStack]:
    """As a runtime loads it (one filter for all ABIs), for each ABI alone, and those merged."""
    origin = f"{PACKAGE}, capabilities: "
    for form in Form:
        for name in CAPABILITIES:
            made = profile(arch, name)
            program = together(made.policy, made.abis, form)
            yield NamedStack(f"container/{name}/{form}", (program,), arch=arch, abis=made.abis, origin=origin + name)
        policy = profile(arch).policy
        for abi in ARCH_ABIS[arch]:
            program = apart(policy, abi, form)
            yield NamedStack(
                f"container/default/{form}/{abi}", (program,), arch=arch, abis=(abi,), origin=origin + "default"
            )
        program = merged(dict.fromkeys(ARCH_ABIS[arch], policy), form)
        yield NamedStack(
            f"container/default/{form}/merged",
            (program,),
            arch=arch,
            abis=ARCH_ABIS[arch],
            origin=origin + "default, seccomp_merge",
        )
