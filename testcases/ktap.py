# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads KTAP, and the older TAP that it grew from, as a test program prints it.

What is understood beside the plain form (source: Documentation/dev-tools/ktap.rst, and what real selftests print):

* nesting by indentation, with or without a header of its own, and by the `# ` that the kselftest runner puts before
  the lines of an inner program;
* SKIP, TODO, XFAIL, TIMEOUT, ERROR directives, other text behind ` # `, `1..0 # SKIP`, `Bail out!`;
* a plan before, after or missing; results without a number; numbers out of order; names that come twice;
* a header and results that a forked child prints once more, because it inherited them in a buffer;
* other output and the kernel's log between the lines, the log's time stamps before them;
* a text that ends in the middle of a line.

Time grows with the length of the text and not faster: every pattern is anchored and bounded.

Nothing in the text is an error of the parser: what does not fit is named in `ParsedTap.problems`.
"""

import re
from dataclasses import dataclass, field

from configs.result import Status
from testcases.ktap_line import (
    BAIL,
    LINE_LIMIT,
    PLAIN,
    PLAN,
    PLAN_SKIP,
    RESULT,
    RUN,
    STAMP,
    SUBTEST,
    TOTALS,
    VERSION,
    describe,
    inside_hashes,
    may_be_tap,
)
from testcases.ktap_tests import ParsedTap, Test

DEPTH_LIMIT = 32
"""Levels of nesting. The kernel's own tests have four (runner, program, KUnit suite, parameter)."""
RESULT_LIMIT = 50_000
"""Results of one text. The kernel's largest test programs print some thousands."""
_PROBLEMS = 100
"""Oddities that are told of one text."""
_NUMBER_LIMIT = 1_000_000
"""More tests than this, no plan promises and no result counts."""
_NO_RESULT = "the output ends before its result"


def parse(text: str, truncated: bool = False) -> ParsedTap:
    """`truncated` says that the writer was cut off: a last line without its end is then no result."""
    parser = _Parser()
    lines = text.split("\n")
    tail = lines.pop()
    try:
        for line in lines:
            parser.feed(line)
        if tail:
            parser.feed(tail, partial=truncated)
        return parser.finish()
    except _RefusedError as error:
        refused = str(error)
        return ParsedTap((), None, None, None, (refused,), found=True, refused=refused)


class _RefusedError(Exception):
    """The text is of a form that nothing has that a kernel's test prints; the words say which."""


_TOO_DEEP = f"its results are nested more than {DEPTH_LIMIT} levels deep"
_TOO_MANY = f"it holds more than {RESULT_LIMIT} results"


@dataclass(slots=True)
class _Level:
    """The results of one level: all lines that start in the same column."""

    column: int
    name: str = ""
    plan: int | None = None
    tests: list[Test] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    run: str = ""
    expected: int = 1
    restarted: bool = False
    replayed: bool = False
    """A header came once more before all of the plan was done: what the list holds already may follow it."""
    announced: bool = False
    """A header, a plan or a name opened it, and not merely a result line."""
    height: int = 0
    """Levels of tests in it, those of its tests included."""

    def take_lines(self) -> tuple[str, ...]:
        lines, self.lines = tuple(self.lines), []
        return lines


class _Parser:
    def __init__(self) -> None:
        self._blocks: list[_Level] = []
        self._problems: list[str] = []
        self._bail_out: str | None = None
        self._skipped: str | None = None
        self._found = False
        self._results = 0
        self._totals: tuple[tuple[str, int], ...] = ()
        self._origin: int | None = None

    def feed(self, raw: str, partial: bool = False) -> None:
        """One line, without its end."""
        raw = raw.strip("\r")
        if raw.startswith(("ok ", "not ok ")) and not self._origin and not partial:
            # the form of most lines: no indentation, no time stamp, no hash before it
            result = self._as_result(raw[:LINE_LIMIT].rstrip(), 0)
            if result is not None:
                self._found = True
                self._result(result, 0)
            else:
                self._output(raw)
            return
        if not may_be_tap(raw):
            self._output(raw)
            return
        column, text = self._column(raw[:LINE_LIMIT])
        inner, inner_column = inside_hashes(text, column) if text.startswith("# ") else ("", column)
        if inner and (VERSION.match(inner) or PLAN.match(inner) or self._is_open(inner_column)):
            text, column = inner, inner_column
        if partial or not self._structure(text, column):
            self._output(raw)

    def _column(self, raw: str) -> tuple[int, str]:
        """Where the line's text starts, counted from the header of the outermost level."""
        if not self._origin and raw[:1] in PLAIN:
            text = raw.rstrip()
            if self._origin is None and VERSION.match(text):
                self._origin = 0
            return 0, text
        line = STAMP.sub("", raw, count=1) if raw.startswith(("[", "<")) else raw
        line = line.expandtabs(8)
        text = line.strip()
        column = len(line) - len(line.lstrip())
        if self._origin is None:
            if not VERSION.match(text):
                return column, text
            self._origin = column
        return max(0, column - self._origin), text

    def _is_open(self, column: int) -> bool:
        return any(block.column == column for block in self._blocks)

    def _structure(self, text: str, column: int) -> bool:
        """True where the line was one of TAP's own."""
        if text.startswith(("ok", "not ok")):
            result = self._as_result(text, column)
            if result:
                self._result(result, column)
                self._found = True
            return result is not None
        if VERSION.match(text):
            self._header(column)
        elif (plan := PLAN.match(text)) and int(plan[1]) <= _NUMBER_LIMIT:
            self._plan(int(plan[1]), plan[2], column)
        elif subtest := SUBTEST.match(text):
            self._subtest(subtest[1].strip(), column)
        elif bail := BAIL.match(text):
            self._bail_out = bail[1].strip()
        else:
            return False
        self._found = True
        return True

    def _as_result(self, text: str, column: int) -> re.Match[str] | None:
        """The match of a result line, None for talk that only looks like one: a line without a number where no list has
        begun, and an indented one that neither goes on with an open list nor is the first of one."""
        match = RESULT.match(text)
        if match is None:
            return None
        if not match[2] and not match[3] and not self._found:
            return None
        if column > 0 and self._blocks and not self._is_open(column) and match[2] != "1":
            return None if column > self._blocks[-1].column else match
        return match

    def _output(self, raw: str) -> None:
        if not self._blocks:
            self._blocks.append(_Level(0))
        block = self._blocks[-1]
        block.lines.append(raw)
        if "RUN" in raw and (run := RUN.match(self._column(raw[:LINE_LIMIT])[1])):
            block.run = run[1]
        if "# Totals:" in raw and (totals := TOTALS.match(raw.rstrip(), raw.rfind("# Totals:"))):
            pairs = (pair.partition(":") for pair in totals[1].split())
            self._totals = tuple((word, int(number)) for word, _, number in pairs)

    def _block(self, column: int) -> _Level:
        """The block of this column, opened if it is not. Deeper ones stay open, for the result line that ends them."""
        for block in self._blocks:
            if block.column == column:
                return block
        height = 0
        if self._blocks and self._blocks[-1].column > column:
            _tests, height = self._close_to(column)
        block = _Level(column, height=height)
        if self._blocks:
            block.lines, self._blocks[-1].lines = self._blocks[-1].lines, []
        self._blocks.append(block)
        if len(self._blocks) > DEPTH_LIMIT:
            raise _RefusedError(_TOO_DEEP)
        return block

    def _header(self, column: int) -> None:
        self._abandon_deeper(column)
        block = self._block(column)
        block.announced = True
        if block.tests or block.plan is not None:
            # A program that starts another one, which prints a header again: the same list goes on. Where the list was
            # not yet at its end, it may be the same header, left in a buffer when the program forked.
            block.replayed = block.plan is not None and len(block.tests) < block.plan
            block.restarted, block.expected = True, 1

    def _plan(self, count: int, reason: str | None, column: int) -> None:
        block = self._block(column)
        block.announced = True
        if block.replayed and block.plan == count:
            block.restarted = False
            return
        block.replayed = False
        if block.plan is not None and not block.restarted:
            self._problems.append(f"a second plan, 1..{count}")
        block.plan = count + (block.plan or 0 if block.restarted else 0)
        if count == 0 and column == self._blocks[0].column and not block.tests:
            self._skipped = PLAN_SKIP.sub("", reason or "", count=1).strip()

    def _subtest(self, name: str, column: int) -> None:
        if column == 0 and self._blocks and self._blocks[0].tests:
            return
        if any(block.column == column and block.tests for block in self._blocks):
            self._abandon_deeper(column - 1)
        block = self._block(column)
        block.name, block.announced = name, True

    def _abandon_deeper(self, column: int) -> None:
        """Closes the blocks right of `column` that no result line ended."""
        while len(self._blocks) > 1 and self._blocks[-1].column > column:
            block = self._blocks.pop()
            outer = self._blocks[-1]
            if block.announced:
                outer.tests.append(self._unended(block, len(outer.tests) + 1))
                outer.height = max(outer.height, block.height + 1)
            else:  # no more than talk that looked like a result
                outer.lines += [line for test in block.tests for line in test.lines] + block.lines

    def _close_to(self, column: int) -> tuple[tuple[Test, ...], int]:
        """Closes the blocks right of `column`; returns the tests of the outermost of them, and their levels."""
        tests: tuple[Test, ...] = ()
        height = 0
        while self._blocks and self._blocks[-1].column > column:
            block = self._blocks.pop()
            outer = self._blocks[-1] if self._blocks else None
            if outer is not None and outer.column > column:
                outer.tests.append(self._unended(block, len(outer.tests) + 1))
                outer.height = max(outer.height, block.height + 1)
            else:
                self._check_plan(block)
                tests, height = tuple(block.tests), block.height
        return tests, height

    def _unended(self, block: _Level, number: int) -> Test:
        name = block.name or f"{number}"
        self._problems.append(f"`{name}`: {_NO_RESULT}")
        self._check_plan(block)
        return Test(number, name, Status.FAIL, _NO_RESULT, tuple(block.tests), tuple(block.lines))

    def _check_plan(self, block: _Level) -> None:
        if block.plan is not None and block.plan != len(block.tests):
            self._problems.append(f"`{block.name}`: planned {block.plan} tests, reported {len(block.tests)}")
        elif block.name and not block.tests:
            self._problems.append(f"`{block.name}`: announced, and holds no tests")

    def _result(self, match: re.Match[str], column: int) -> None:
        inner_lines: list[str] = []
        tests: tuple[Test, ...] = ()
        height = 0
        block = self._blocks[-1] if self._blocks else None
        if block is not None and block.column > column:
            inner_lines = [line for block in self._blocks if block.column > column for line in block.lines]
            tests, height = self._close_to(column)
            block = None
        if block is None or block.column != column:
            block = self._block(column)
        if block.height <= height:
            block.height = height + 1
            if block.height > DEPTH_LIMIT:
                raise _RefusedError(_TOO_DEEP)
        word, digits, hyphen, description = match.groups()
        number = int(digits) if digits else block.expected
        name, status, message = describe(description or "", word == "ok")
        if block.replayed and self._is_replay(block, number, name, status):
            block.expected = number + 1
            return
        if len(self._problems) < _PROBLEMS:
            if not digits and not hyphen:
                self._problems.append(f"a result without a number: {match[0][:80]}")
            if number != block.expected:
                self._problems.append(f"test {number} came where {block.expected} was expected")
        block.expected = number + 1
        self._results += 1
        if self._results > RESULT_LIMIT:
            raise _RefusedError(_TOO_MANY)
        name = name or block.run
        if inner_lines:
            block.lines.extend(inner_lines)
        lines = block.take_lines() if block.lines else ()
        block.run = ""
        block.tests.append(Test(number, name, status, message, tests, lines))

    def _is_replay(self, block: _Level, number: int, name: str, status: Status) -> bool:
        """Whether a forked child prints a result that it inherited from its parent in a buffer."""
        if not 0 < number <= len(block.tests):
            return False
        before = block.tests[number - 1]
        return (before.number, before.name, before.status) == (number, name, status)

    def finish(self) -> ParsedTap:
        self._abandon_deeper(self._blocks[0].column if self._blocks else 0)
        top = self._blocks[0] if self._blocks else _Level(0)
        if top.plan is not None and top.plan != len(top.tests):
            self._problems.append(f"planned {top.plan} tests, reported {len(top.tests)}")
        problems = tuple(self._problems)
        return ParsedTap(tuple(top.tests), top.plan, self._bail_out, self._skipped, problems, self._found, self._totals)
