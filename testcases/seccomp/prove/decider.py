# SPDX-License-Identifier: GPL-2.0-or-later
"""The interpreter's decisions, many at a time: what number and architecture alone decide is worked out once."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from testcases.seccomp.bpf.call import Call, Words
from testcases.seccomp.bpf.instruction import Program, Stack
from testcases.seccomp.bpf.interpret import combine, execute
from testcases.seccomp.bpf.opcodes import LOADS_A
from testcases.seccomp.bpf.seccomp_data import NR
from testcases.seccomp.prove.number_flow import Ending, Outline, outline

_outline = lru_cache(maxsize=2048)(outline)
"""One filter is asked about many times: under each stack that it is part of, and for each variant of the kernel."""


class Decider:
    """The return values of one stack, equal to `interpret.decide` for every call. It can grow as stacks do."""

    def __init__(self, stack: Stack = ()) -> None:
        self._newest_first: list[Program] = list(reversed(stack))
        self._outlines: dict[int, list[Outline]] = {}
        self._constants: dict[tuple[int, tuple[int, ...]], int | None] = {}
        self._cuts: dict[int, list[int]] = {}

    def attach(self, program: Program) -> None:
        """One filter more."""
        self._newest_first.insert(0, program)
        for arch, outlines in self._outlines.items():
            outlines.insert(0, _outline(program, arch))
        self._constants.clear()
        self._cuts.clear()

    def decide(self, call: Call) -> int:
        """The return value (u32) on which the kernel acts."""
        constant = self.constant(call.nr, call.arch)
        return self._run(call) if constant is None else constant

    def constant(self, nr: int, arch: int) -> int | None:
        """The return value for this number whatever its arguments are, or None if instructions that number and
        architecture do not decide are reached (which does not mean that the arguments matter: see the oracle)."""
        outlines = self._outlined(arch)
        alike = (arch, tuple(outlined.atom(nr) for outlined in outlines))
        if alike not in self._constants:
            values = [outlined.at(nr).value for outlined in outlines]
            known = [value for value in values if value is not None]
            self._constants[alike] = combine(known) if len(known) == len(values) else None
        return self._constants[alike]

    def decisions(
        self, numbers: Sequence[int], arch: int, call: Callable[[int], Call]
    ) -> Iterator[tuple[int, int, int | None]]:
        """`decide` of the `call` of each of these numbers, which ascend and differ in nothing else, as slices: where
        one begins and ends, and the value of all of it; None where each number must be asked for."""
        outlines = self._outlined(arch)
        cuts, start = self._cuts_of(arch), 0
        while start < len(numbers):
            number, end = numbers[start], start + 1
            if all(outlined.whole(number) for outlined in outlines):
                above = bisect_right(cuts, number)
                end = bisect_left(numbers, cuts[above], end) if above < len(cuts) else len(numbers)
            value = self.constant(number, arch)
            yield start, end, self._run_for_all(call(number)) if value is None else value
            start = end

    def _run(self, call: Call) -> int:
        """Each filter from where its outline ends."""
        words, ends = call.words(), self._ends(call)
        return combine(_finish(program, words, ending, call.nr) for program, ending in ends)

    def _run_for_all(self, call: Call) -> int | None:
        """The same for all numbers of the call's class; None where they may differ: where a filter looks at the number
        again, or goes on with what it kept of it."""
        words, values = call.words(), []
        read: set[int] = set()
        for program, ending in self._ends(call):
            if ending.value is None and ending.mask and program[ending.index].code not in LOADS_A:
                return None
            values.append(_finish(program, words, ending, call.nr, read))
        return None if NR in read else combine(values)

    def _ends(self, call: Call) -> Iterator[tuple[Program, Ending]]:
        for program, outlined in zip(self._newest_first, self._outlined(call.arch), strict=True):
            yield program, outlined.at(call.nr)

    def _cuts_of(self, arch: int) -> list[int]:
        """Where numbers may begin to be treated otherwise by one of the filters, ascending."""
        if arch not in self._cuts:
            self._cuts[arch] = sorted({cut for outlined in self._outlined(arch) for cut in outlined.borders})
        return self._cuts[arch]

    def _outlined(self, arch: int) -> list[Outline]:
        if arch not in self._outlines:
            self._outlines[arch] = [_outline(program, arch) for program in self._newest_first]
        return self._outlines[arch]


def _finish(program: Program, words: Words, ending: Ending, number: int, read: set[int] | None = None) -> int:
    """What the filter returns that has come to where its outline ends."""
    return execute(program, words, ending.index, ending.a(number), read=read) if ending.value is None else ending.value
