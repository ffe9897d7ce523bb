# SPDX-License-Identifier: GPL-2.0-only
"""The interpreter's decisions, many at a time: what number and architecture alone decide is worked out once."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from testcases.seccomp.call import Call
from testcases.seccomp.instruction import Program, Stack
from testcases.seccomp.interpret import combine, execute
from testcases.seccomp.outline import Outline, outline


class Decider:
    """The return values of one stack, equal to `interpret.decide` for every call. It can grow as stacks do."""

    def __init__(self, stack: Stack = ()) -> None:
        self._newest_first: list[Program] = list(reversed(stack))
        self._outlines: dict[int, list[Outline]] = {}
        self._constants: dict[tuple[int, tuple[int, ...]], int | None] = {}

    def attach(self, program: Program) -> None:
        """One filter more."""
        self._newest_first.insert(0, program)
        for arch, outlines in self._outlines.items():
            outlines.insert(0, outline(program, arch))
        self._constants.clear()

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

    def constants(self, numbers: Sequence[int], arch: int) -> Iterator[tuple[int, int, int | None]]:
        """`constant` of each of these numbers, which ascend, as slices: where one begins and ends, and its value."""
        outlines = self._outlined(arch)
        cuts = sorted({cut for outlined in outlines for cut in outlined.atoms.cuts})
        start = 0
        while start < len(numbers):
            number, end = numbers[start], start + 1
            if all(outlined.whole(number) for outlined in outlines):
                above = bisect_right(cuts, number)
                end = bisect_left(numbers, cuts[above], end) if above < len(cuts) else len(numbers)
            yield start, end, self.constant(number, arch)
            start = end

    def _run(self, call: Call) -> int:
        """Each filter from where its outline ends."""
        words, values = call.words(), []
        for program, outlined in zip(self._newest_first, self._outlined(call.arch), strict=True):
            ending = outlined.at(call.nr)
            value = ending.value
            values.append(execute(program, words, ending.index, ending.a(call.nr)) if value is None else value)
        return combine(values)

    def _outlined(self, arch: int) -> list[Outline]:
        if arch not in self._outlines:
            self._outlines[arch] = [outline(program, arch) for program in self._newest_first]
        return self._outlines[arch]
