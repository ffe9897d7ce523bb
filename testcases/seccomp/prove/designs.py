# SPDX-License-Identifier: GPL-2.0-or-later
"""The designs of seccomp's action cache that were proposed or merged, each as a model with the same face.

What a design caches for a stack is what it calls always allowed in every filter, for a number that has a bit.
"""

import errno
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from testcases.seccomp.bpf.actions import action_text
from testcases.seccomp.bpf.call import Call, field_name
from testcases.seccomp.bpf.instruction import Instruction, Program, Stack
from testcases.seccomp.bpf.interpret import run
from testcases.seccomp.bpf.opcodes import AND_K, JSET_K, LD_ABS, RET_A, TESTS_K
from testcases.seccomp.bpf.seccomp_data import ABIS, ACTION_FULL, ARCH, NR, RET_ALLOW, X32_BIT, native_arch, order_of
from testcases.seccomp.prove.facts import KernelFacts
from testcases.seccomp.prove.number_flow import EMULATED, Ending, Outline, outline
from testcases.seccomp.prove.u32set import NumberSet, numbers, ranges

_X86_64 = ABIS["x86_64"].audit_arch
NO_FILTER = -1
"""`Spoiler.filter` of a number that has no bit: no filter is to blame."""


@dataclass(frozen=True, slots=True)
class Spoiler:
    """Why numbers are not cached: the instruction `index` of the filter `filter` of the stack (0 is the oldest), the
    first one in the order of attaching that does it."""

    filter: int
    index: int
    reason: str


class Design(Protocol):
    """One proposal. `origin` says whose it is and where it can be read."""

    @property
    def name(self) -> str: ...

    @property
    def origin(self) -> str: ...

    def cached(self, stack: Stack, arch: int) -> NumberSet:
        """The numbers that are allowed without running a filter. `stack` holds valid filters."""

    def spoilers(self, stack: Stack, arch: int, among: NumberSet) -> tuple[tuple[NumberSet, Spoiler], ...]:
        """For all numbers of `among` that are not cached, what spoils them; the sets are disjoint and not empty."""

    def attach_errno(self, program: Program) -> int:
        """The errno that the design itself adds to attaching a valid filter; 0 for a design that never does."""


@dataclass(frozen=True, slots=True)
class _Emulator:
    """A design that follows number and architecture through a subset of the instructions, and gives up at any other.

    The pass over all numbers at once ends each at one instruction, so the models below differ in little: the codes
    that they follow, the numbers that have a bit, and what they do where the pass gives up.
    """

    facts: KernelFacts
    name = "emulator"
    origin = ""
    codes = EMULATED

    def window(self, arch: int) -> NumberSet:
        return self.facts.window(arch)

    def exempt(self, arch: int) -> NumberSet:  # noqa: ARG002 - only what was merged has exemptions
        return NumberSet()

    def cached(self, stack: Stack, arch: int) -> NumberSet:
        *_, result = self.cached_so_far(stack, arch)
        return result

    def cached_so_far(self, stack: Stack, arch: int) -> Iterator[NumberSet]:
        """What is cached before the first filter, and after each."""
        result, exempt = self.window(arch), self.exempt(arch)
        yield result | exempt if exempt else result
        for program in stack:
            result &= self._allowed(program, outline(program, arch, self.codes), arch)
            yield result | exempt if exempt else result

    def spoilers(self, stack: Stack, arch: int, among: NumberSet) -> tuple[tuple[NumberSet, Spoiler], ...]:
        found: list[tuple[NumberSet, Spoiler]] = []
        outside = among - self.window(arch)
        if outside:
            found.append((outside, Spoiler(NO_FILTER, 0, "the number has no bit in the cache")))
        left = (among & self.window(arch)) - self.exempt(arch)
        for position, program in enumerate(stack):
            outlined = outline(program, arch, self.codes)
            allowed = self._allowed(program, outlined, arch)
            for ending in outlined.endings:
                spoilt = (outlined.numbers(ending) & left) - allowed
                if spoilt:
                    found.append((spoilt, Spoiler(position, ending.index, self._reason(program, ending, arch))))
            left &= allowed
        return tuple(found)

    def attach_errno(self, program: Program) -> int:  # noqa: ARG002 - see V2Emulator
        return 0

    def _allowed(self, program: Program, outlined: Outline, arch: int) -> NumberSet:  # noqa: ARG002
        """The numbers that one filter always allows, as far as the design can tell."""
        return outlined.returning(RET_ALLOW)

    def _reason(self, program: Program, ending: Ending, arch: int) -> str:
        if ending.value is not None:
            return f"returns {action_text(ending.value)}"
        return unfollowed(program[ending.index], arch)


def unfollowed(insn: Instruction, arch: int) -> str:
    """Why an emulator stops at an instruction, for calls of an audit architecture."""
    if insn.code == LD_ABS and insn.k not in {NR, ARCH}:
        return f"reads {field_name(insn.k, order_of(arch))}"
    if insn.code == RET_A:
        return "returns what A holds"
    return "is no instruction that the design emulates"


@dataclass(frozen=True, slots=True)
class JannSubset(_Emulator):
    """Loads of nr and arch, `ja`, `jeq`, `jge`, `jgt` with constants, and `ret` of a constant; A unknown is 0."""

    name = "subset"
    origin = "Jann Horn, 2020-06-16, on the first RFC"
    codes = EMULATED - {JSET_K, AND_K}


@dataclass(frozen=True, slots=True)
class V2Emulator(_Emulator):
    """The subset with `jset` and `and`. There is one table size, the native one, for every architecture.

    `jumps` are the tests that the inner switch knows. As posted these are all four; a jump that only the outer one
    knows ends in -EINVAL, and then attaching the filter fails: the review's objection to it.
    """

    jumps: frozenset[int] = TESTS_K
    name = "v2"
    origin = "YiFei Zhu, 2020-09-24, v2 3/6"

    def window(self, arch: int) -> NumberSet:
        return ranges((0, self.facts.sizes.get(native_arch(arch), 0) - 1))

    def attach_errno(self, program: Program) -> int:
        """EINVAL if some number of any bitmap reaches a jump that the inner switch does not know."""
        codes = self.codes - (TESTS_K - self.jumps)
        for arch in self.facts.sizes:
            outlined = outline(program, arch, codes)
            for ending in outlined.endings:
                reached = program[ending.index].code in TESTS_K - self.jumps
                if reached and outlined.numbers(ending) & self.window(arch):
                    return errno.EINVAL
        return 0


@dataclass(frozen=True, slots=True)
class Merged(_Emulator):
    """What Linux has since 5.11, with the sizes and exemptions of one kernel."""

    name = "merged"
    origin = "YiFei Zhu and Kees Cook, in Linux since 5.11"

    def exempt(self, arch: int) -> NumberSet:
        return self.facts.exemptions(arch)


@dataclass(frozen=True, slots=True)
class AccessTracking(_Emulator):
    """Runs the filter once for each number, on real data whose arguments and IP are 0, and sees by the page table
    whether anything but nr and arch was read: X, scratch memory and every ALU operation are no obstacle."""

    name = "access"
    origin = "Kees Cook, 2020-06-16, first RFC"

    def _allowed(self, program: Program, outlined: Outline, arch: int) -> NumberSet:
        found = NumberSet()
        for ending in outlined.endings:
            if ending.value is not None:
                if ending.value & ACTION_FULL == RET_ALLOW:
                    found |= outlined.numbers(ending)
            elif program[ending.index].code != LD_ABS:
                found |= numbers(
                    nr for nr in outlined.numbers(ending) & self.window(arch) if _constant_allow(program, nr, arch)
                )
        return found

    def _reason(self, program: Program, ending: Ending, arch: int) -> str:
        if ending.value is None and program[ending.index].code != LD_ABS:
            return "reads arguments or IP, or does not allow, from here on"
        return _Emulator._reason(self, program, ending, arch)


def _constant_allow(program: Program, nr: int, arch: int) -> bool:
    seen = run(program, Call(nr, arch))
    return seen.value & ACTION_FULL == RET_ALLOW and seen.read <= {NR, ARCH}


class CacheState(StrEnum):
    """What the lazy design knows of a number."""

    UNKNOWN = "unknown"
    ALWAYS_ALLOW = "always allow"
    FILTER = "need to run filter"


@dataclass(frozen=True, slots=True)
class LazyPerArch(_Emulator):
    """Each number has one of three states, and is emulated when it is first called; x32 has a table of its own."""

    name = "lazy"
    origin = "Andy Lutomirski, 2020-09-25, on v2 3/6"

    def window(self, arch: int) -> NumberSet:
        own = self.facts.sizes.get(arch, 0)
        return ranges((0, own - 1), (X32_BIT, X32_BIT + own - 1)) if arch == _X86_64 else ranges((0, own - 1))

    def states(self, stack: Stack, arch: int, called: Collection[int]) -> dict[int, CacheState]:
        """The states of all numbers in the table that are not unknown, once these were called under the stack."""
        cached = self.cached(stack, arch)
        window = self.window(arch)
        return {nr: CacheState.ALWAYS_ALLOW if nr in cached else CacheState.FILTER for nr in called if nr in window}

    def state(self, stack: Stack, arch: int, number: int, called: Collection[int]) -> CacheState:
        """UNKNOWN for every number that is not in `called`; in the end the same as `cached` says."""
        return self.states(stack, arch, called).get(number, CacheState.UNKNOWN)


def designs(facts: KernelFacts) -> Iterator[Design]:
    """All designs for one kernel, in the order in which they were proposed."""
    yield AccessTracking(facts)
    yield JannSubset(facts)
    yield V2Emulator(facts)
    yield LazyPerArch(facts)
    yield Merged(facts)
