# SPDX-License-Identifier: GPL-2.0-only
"""The interpreter's decisions, many at a time: what number and architecture alone decide is worked out once."""

from testcases.seccomp.call import Call
from testcases.seccomp.instruction import Program, Stack
from testcases.seccomp.interpret import combine, execute
from testcases.seccomp.outline import Outline, outline


class Decider:
    """The return values of one stack, equal to `interpret.decide` for every call."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._outlines: dict[int, list[tuple[Program, Outline]]] = {}
        self._known: dict[tuple[int, int], int | tuple[tuple[Program, int, int] | int, ...]] = {}

    def decide(self, call: Call) -> int:
        """The return value (u32) on which the kernel acts."""
        known = self._known.get((call.nr, call.arch))
        if known is None:
            known = self._known[call.nr, call.arch] = self._begin(call.nr, call.arch)
        if isinstance(known, int):
            return known
        words = call.words()
        return combine(rest if isinstance(rest, int) else execute(rest[0], words, rest[1], rest[2]) for rest in known)

    def constant(self, nr: int, arch: int) -> int | None:
        """The return value for this number whatever its arguments are, or None if instructions that number and
        architecture do not decide are reached (which does not mean that the arguments matter: see the oracle)."""
        known = self._begin(nr, arch)
        return known if isinstance(known, int) else None

    def _begin(self, nr: int, arch: int) -> int | tuple[tuple[Program, int, int] | int, ...]:
        """For each filter, the newest first: its value, or where and with which A to go on; one value if all are."""
        if arch not in self._outlines:
            self._outlines[arch] = [(program, outline(program, arch)) for program in reversed(self._stack)]
        rests: list[tuple[Program, int, int] | int] = []
        for program, outlined in self._outlines[arch]:
            ending = outlined.at(nr)
            rests.append((program, ending.index, ending.a(nr)) if ending.value is None else ending.value)
        values = [rest for rest in rests if isinstance(rest, int)]
        return combine(values) if len(values) == len(rests) else tuple(rests)
