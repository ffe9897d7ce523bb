# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs from kernel to kernel in the action cache: the sizes of its bitmaps, and what is exempt from filtering.

The numbers of `KERNELS` are those of the sources of Debian's 5.10, 6.1, 6.12 and 7.2 (`NR_syscalls`,
`IA32_NR_syscalls`, `__NR_compat_syscalls`); a suite reads those of the kernel under test instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from testcases.seccomp.bpf.seccomp_data import ABIS
from testcases.seccomp.prove.u32set import EMPTY, NumberSet, numbers, ranges
from util.errors import UserError

_X86_64 = ABIS["x86_64"].audit_arch


@dataclass(frozen=True, slots=True)
class KernelFacts:
    """`sizes`: bits of the bitmap by audit arch, an arch without one is absent. `exempt`: numbers by audit arch that
    the kernel calls always allowed whatever a filter says (`seccomp_uprobe_exception`, kernel/seccomp.c)."""

    sizes: Mapping[int, int]
    exempt: Mapping[int, frozenset[int]] = field(default_factory=dict)

    def window(self, arch: int) -> NumberSet:
        """The numbers that have a bit."""
        return ranges((0, self.sizes.get(arch, 0) - 1))

    def exemptions(self, arch: int) -> NumberSet:
        """The exempt numbers that have a bit: these are cached, and so no filter is asked for them."""
        return numbers(self.exempt.get(arch, ())) & self.window(arch) if arch in self.exempt else EMPTY


def _kernel(size: int, exempt: frozenset[int] = frozenset()) -> KernelFacts:
    sizes = {facts.audit_arch: size for facts in ABIS.values()}
    return KernelFacts(sizes, {_X86_64: exempt} if exempt else {})


KERNELS = {
    "5.10": _kernel(441),
    "6.1": _kernel(451),
    "6.12": _kernel(463, frozenset({335})),
    "7.2": _kernel(472, frozenset({335, 336})),
}
"""5.10 has the cache by a series only. 335 is `uretprobe` and 336 `uprobe`, both of x86_64 alone."""


def kernel_facts(version: str) -> KernelFacts:
    """Raises UserError for a version that is not of `KERNELS`."""
    if version not in KERNELS:
        raise UserError(f"no facts on the cache of kernel {version} (known: {', '.join(KERNELS)})")
    return KERNELS[version]


def abi_numbers(abi: str, size: int) -> NumberSet:
    """The numbers below `size` of an ABI's own table, as a filter sees them: those of x32 carry its bit."""
    offset = ABIS[abi].offset
    return ranges((offset, offset + size - 1))
