# SPDX-License-Identifier: GPL-2.0-or-later
"""The filters that a user gives: raw arrays, assembly text, profiles in JSON, folders of failing cases."""

from collections.abc import Callable
from pathlib import Path

from testcases.seccomp.bpf.assembly import assemble
from testcases.seccomp.bpf.field_in_a import archs_compared
from testcases.seccomp.bpf.instruction import Program, Stack
from testcases.seccomp.bpf.raw import from_raw
from testcases.seccomp.bpf.seccomp_data import ABIS
from testcases.seccomp.bpf.validate import attach
from testcases.seccomp.filters.libseccomp import together
from testcases.seccomp.filters.member import ARCH_ABIS
from testcases.seccomp.filters.oci import read_oci
from testcases.seccomp.filters.policy import Form
from testcases.seccomp.filters.reproducer import CASE, Case, load
from util.errors import UserError

_CONTROL = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))


Warn = Callable[[str], None]
"""Gets a line for the user about what was left out of a profile."""


def read_stack(paths: tuple[Path, ...], arch: str, form: Form, warn: Warn | None = None) -> Stack:
    """One filter for each file, in the order in which they are attached; a folder of a failing case gives all of its
    own. Profiles in JSON are made for a kernel of `arch`. Raises UserError naming the file."""
    stack: list[Program] = []
    for path in paths:
        if (path / CASE).exists():
            stack += load(path)[1]
        else:
            stack.append(read_filter(path, arch, form, warn))
    return tuple(stack)


def case_of(paths: tuple[Path, ...]) -> Case | None:
    """The failing case that these paths are, if they are one. Raises UserError."""
    return load(paths[0])[0] if len(paths) == 1 and (paths[0] / CASE).exists() else None


def read_filter(path: Path, arch: str, form: Form, warn: Warn | None = None) -> Program:
    """The filter in one file, which is a profile if it begins like JSON, text if it has no control characters."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    if path.suffix == ".json" or data.lstrip()[:1] == b"{":
        profile = read_oci(path, arch)
        if warn is not None:
            for note in profile.notes:
                warn(f"{path}: {note}")
        return together(profile.policy, profile.abis, form)
    try:
        if data and not any(byte in data for byte in _CONTROL):
            return assemble(data.decode())
        return from_raw(data)
    except UnicodeDecodeError:
        raise UserError(f"{path}: neither a raw filter nor text in UTF-8") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def require_valid(paths: tuple[Path, ...], stack: Stack) -> None:
    """Raises UserError with the kernel's errno for the first filter that cannot be attached."""
    for position, found in enumerate(attach(stack)):
        if found is not None:
            name = paths[position] if len(paths) == len(stack) else f"filter {position}"
            raise UserError(f"{name}: the kernel refuses it: {found}")


def abis_of(stack: Stack) -> tuple[str, ...]:
    """The ABIs of the kernel for which the filters look made: those of the first architecture that has one whose
    audit value is compared with; x86_64's if none is."""
    compared = {arch for program in stack for arch in archs_compared(program)}
    for abis in ARCH_ABIS.values():
        if any(ABIS[abi].audit_arch in compared for abi in abis):
            return tuple(abi for abi in abis if ABIS[abi].audit_arch in compared)
    return ARCH_ABIS["x86_64"]


def kernel_arch(abi: str) -> str:
    """The architecture of the kernels that serve an ABI."""
    return next(arch for arch, abis in ARCH_ABIS.items() if abi in abis)
