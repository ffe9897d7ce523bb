# SPDX-License-Identifier: GPL-2.0-or-later
"""What a text of KTAP says: its tests, as a tree."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from configs.result import Status


class Test(NamedTuple):
    """One result line. `message` is the directive's reason; `tests` are those nested in it; `lines` is what was printed
    between the result before and this one. A tuple, which is made in a third of a dataclass's time: a text may hold
    very many."""

    number: int
    name: str
    status: Status
    message: str = ""
    tests: tuple["Test", ...] = ()
    lines: tuple[str, ...] = ()

    @property
    def leaves(self) -> Iterator["Test"]:
        """The tests below that hold no others; the test itself where there is none."""
        if not self.tests:
            yield self
        for test in self.tests:
            yield from test.leaves


@dataclass(frozen=True, slots=True)
class ParsedTap:
    """A whole text. `plan` is the number of tests promised at the outermost level, None where none was; `bail_out` the
    reason of a `Bail out!`, None without one; `skipped` the reason of `1..0 # SKIP`, None without one."""

    tests: tuple[Test, ...]
    plan: int | None
    bail_out: str | None
    skipped: str | None
    problems: tuple[str, ...]
    found: bool
    """Whether the text holds any TAP at all."""
    totals: tuple[tuple[str, int], ...] = ()
    """The numbers of a `# Totals:` line by word (pass, fail, xfail, xpass, skip, error); the last line counts."""
    refused: str = ""
    """Why the text was not read as TAP, although it is; there are no tests then."""

    @property
    def leaves(self) -> tuple[Test, ...]:
        found: list[Test] = []
        for test in self.tests:
            if test.tests:
                found.extend(test.leaves)
            else:
                found.append(test)
        return tuple(found)

    @property
    def missing(self) -> int:
        """Tests that the plan promised and the text does not hold."""
        return max(0, (self.plan or 0) - len(self.tests))

    def count(self, *statuses: Status) -> int:
        """Leaves whose status is one of these."""
        return sum(leaf.status in statuses for leaf in self.leaves)
