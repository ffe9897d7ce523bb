# SPDX-License-Identifier: GPL-2.0-or-later
"""What a question is about: each ABI with the stack that its own kernel would have."""

from collections.abc import Iterator
from dataclasses import dataclass

from testcases.seccomp.bpf.instruction import Stack
from testcases.seccomp.bpf.seccomp_data import ABIS, ARCH_ABIS
from testcases.seccomp.cli.options import FilterWishes
from testcases.seccomp.filters.filter_file import (
    FilterFile,
    Warn,
    abis_of,
    archs_named,
    kernel_arch,
    require_valid,
)
from testcases.seccomp.filters.target import MadeFilter
from testcases.seccomp.filters.words import arch_told
from util.errors import UserError


@dataclass(frozen=True, slots=True)
class AbiQuestion:
    """One ABI. `named`: the user asked for it by name."""

    abi: str
    stack: Stack
    named: bool


@dataclass(frozen=True, slots=True)
class Questions:
    """All ABIs. `remarks` are lines for the end of the answer: how profiles were loaded, which architectures the
    filters do not name."""

    asked: tuple[AbiQuestion, ...]
    remarks: tuple[str, ...]


def questions(files: tuple[FilterFile, ...], wishes: FilterWishes, warn: Warn) -> Questions:
    """Profiles are compiled anew for each kernel. Raises UserError, also if the filters name no architecture that was
    asked about: whatever they would do there is nobody's intention."""
    asked: list[AbiQuestion] = []
    remarks: list[str] = []
    foreign: list[str] = []
    said: set[str] = set()
    for arch in _kernels(files, wishes):
        made = [(file, one) for file in files for one in file.made(wishes.target.on(arch))]
        stack = tuple(one.program for _, one in made)
        require_valid(files, stack)
        for file, one in made:
            for note in one.notes:
                if (line := f"{file.name}: {note}") not in said:
                    said.add(line)
                    warn(line)
        wanted = tuple(abi for abi in wishes.abis if kernel_arch(abi) == arch)
        compared = archs_named(stack)
        if compared and not any(ABIS[abi].audit_arch in compared for abi in ARCH_ABIS[arch]):
            foreign.append(
                f"{', '.join(wanted) or arch}: the filter compares with {', '.join(map(arch_told, compared))}"
            )
            continue
        remarks += [f"{file.path.name}: {one.how}" for file, one in made if one.how]
        abis = wanted or tuple(abi for abi in ARCH_ABIS[arch] if not compared or ABIS[abi].audit_arch in compared)
        asked += [AbiQuestion(abi, stack, bool(wanted)) for abi in abis]
    if not asked:
        name = files[0].name
        raise UserError(f"{name}: names no architecture that was asked about; {'; '.join(foreign)}")
    return Questions(tuple(asked), (*remarks, *(f"not answered for {line}" for line in foreign)))


def programs(
    files: tuple[FilterFile, ...], wishes: FilterWishes
) -> Iterator[tuple[FilterFile, int | None, MadeFilter]]:
    """Every filter for the one kernel that is meant, valid or not; with its position, from 0, if its file has several.
    Raises UserError if several kernels are asked for."""
    kernels = _asked_kernels(wishes)
    if len(kernels) > 1:
        raise UserError(f"--arch: a filter is shown for one kernel, not for {', '.join(kernels)}")
    target = wishes.target.on(kernels[0]) if kernels else wishes.target
    for file in files:
        made = file.made(target)
        if not kernels and made[0].prefers:
            made = file.made(target.on(made[0].prefers))
        for position, one in enumerate(made):
            yield file, position if len(made) > 1 else None, one


def _asked_kernels(wishes: FilterWishes) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(kernel_arch, wishes.abis))) or wishes.archs


def _kernels(files: tuple[FilterFile, ...], wishes: FilterWishes) -> tuple[str, ...]:
    """The architectures of the kernels that are meant."""
    return _asked_kernels(wishes) or (_likely(files, wishes),)


def _likely(files: tuple[FilterFile, ...], wishes: FilterWishes) -> str:
    """The architecture for which the filters look made. Raises UserError if that is none of the rig's."""
    made = [one for file in files for one in file.made(wishes.target)]
    preferred = next((one.prefers for one in made if one.prefers), "")
    if preferred or any(one.abis for one in made):
        return preferred or wishes.target.arch
    stack = tuple(one.program for one in made)
    require_valid(files, stack)
    abis = abis_of(stack)
    if not abis:
        names = ", ".join(map(arch_told, archs_named(stack)))
        raise UserError(
            f"{files[0].name}: names no architecture that the rig knows ({', '.join(ARCH_ABIS)}); "
            f"it compares with {names}"
        )
    return kernel_arch(abis[0])
