# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads KTAP, and the older TAP that it grew from, as a test program prints it.

What is understood beside the plain form (source: Documentation/dev-tools/ktap.rst, and what real selftests print):

* nesting by indentation, with or without a header of its own, and by the `# ` that the kselftest runner puts before
  the lines of an inner program;
* SKIP, TODO, XFAIL, TIMEOUT, ERROR directives, `1..0 # SKIP`, `Bail out!`;
* a plan before, after or missing; results without a number; numbers out of order; names that come twice;
* other output and the kernel's log between the lines, the log's time stamps before them;
* a text that ends in the middle of a line.

Nothing in the text is an error of the parser: what does not fit is named in `Report.problems`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from configs.result import Status

_STAMP = re.compile(r"(?:<\d+>)?\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])? ?")
_VERSION = re.compile(r"K?TAP version \d+\s*$")
_PLAN = re.compile(r"1\.\.(\d+)(?:\s*#\s*(?:SKIP\b[:\s]*)?(.*))?\s*$", re.IGNORECASE)
_RESULT = re.compile(r"(not ok|ok)(?:\s+(\d+))(?:\s+-(?=\s|$))?(?:\s+(.*))?$|(not ok|ok)\s+-\s+(.*)$")
_BAIL = re.compile(r"Bail out!\s*(.*)$")
_SUBTEST = re.compile(r"# Subtest:\s*(.*?)\s*$")
_DIRECTIVE = re.compile(
    r"(?:^|(?<=[^\\]))#\s*(SKIP(?:PED)?|TODO|XFAIL|XPASS|TIMEOUT|ERROR)\b[:\s]*(.*)$", re.IGNORECASE
)
_RUN = re.compile(r"#\s+(?:\[ )?RUN(?: +\])?\s+(\S+)(?: \.\.\.)?$")
"""The line by which kselftest_harness.h names a test before it runs: the result line of a skipped one has no name."""

_DIRECTIVES = {
    ("SKIP", True): (Status.SKIP, ""),
    ("SKIP", False): (Status.SKIP, ""),
    ("TODO", True): (Status.PASS, "marked as to do, and passes"),
    ("TODO", False): (Status.SKIP, "expected failure"),
    ("XFAIL", True): (Status.SKIP, "expected failure"),
    ("XFAIL", False): (Status.SKIP, "expected failure"),
    ("XPASS", True): (Status.FAIL, "passes against expectation"),
    ("XPASS", False): (Status.FAIL, "passes against expectation"),
    ("TIMEOUT", False): (Status.FAIL, "timeout"),
    ("ERROR", False): (Status.ERROR, ""),
}
"""What a directive makes of a result line, by word and by whether the line says `ok`, and how its reason begins.
kselftest.h prints an expected failure as `ok # XFAIL`, TAP as `not ok # TODO`."""

_TOTALS = re.compile(r"# Totals:((?: \w+:\d+)+)$")
"""The last line of kselftest.h's programs; older ones count tests for which they print no result line."""

_NO_RESULT = "the output ends before its result"


@dataclass(frozen=True, slots=True)
class Test:
    """One result line. `message` is the directive's reason; `tests` are those nested in it; `lines` is what was printed
    between the result before and this one."""

    __test__ = False

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

    @property
    def leaves(self) -> tuple[Test, ...]:
        return tuple(leaf for test in self.tests for leaf in test.leaves)

    @property
    def missing(self) -> int:
        """Tests that the plan promised and the text does not hold."""
        return max(0, (self.plan or 0) - len(self.tests))

    def count(self, status: Status) -> int:
        return sum(leaf.status is status for leaf in self.leaves)


def parse(text: str, truncated: bool = False) -> ParsedTap:
    """`truncated` says that the writer was cut off: a last line without its end is then no result."""
    parser = _Parser()
    lines = text.split("\n")
    tail = lines.pop()
    for line in lines:
        parser.feed(line)
    if tail:
        parser.feed(tail, partial=truncated)
    return parser.finish()


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

    def take_lines(self) -> tuple[str, ...]:
        lines, self.lines, self.run = tuple(self.lines), [], ""
        return lines


class _Parser:
    def __init__(self) -> None:
        self._blocks: list[_Level] = []
        self._problems: list[str] = []
        self._bail_out: str | None = None
        self._skipped: str | None = None
        self._found = False
        self._totals: tuple[tuple[str, int], ...] = ()
        self._origin: int | None = None

    def feed(self, raw: str, partial: bool = False) -> None:
        column, text = self._column(raw.rstrip("\r"))
        inner, inner_column = _inside_hashes(text, column)
        if inner and (_VERSION.match(inner) or _PLAN.match(inner) or self._is_open(inner_column)):
            text, column = inner, inner_column
        if partial or not self._structure(text, column):
            self._output(text, raw.rstrip("\r"))

    def _column(self, raw: str) -> tuple[int, str]:
        """Where the line's text starts, counted from the header of the outermost level."""
        line = _STAMP.sub("", raw, count=1) if _STAMP.match(raw) else raw
        line = line.expandtabs(8)
        text = line.strip()
        column = len(line) - len(line.lstrip())
        if self._origin is None:
            if not _VERSION.match(text):
                return column, text
            self._origin = column
        return max(0, column - self._origin), text

    def _is_open(self, column: int) -> bool:
        return any(block.column == column for block in self._blocks)

    def _structure(self, text: str, column: int) -> bool:
        """True where the line was one of TAP's own."""
        if _VERSION.match(text):
            self._header(column)
        elif plan := _PLAN.match(text):
            self._plan(int(plan[1]), plan[2], column)
        elif subtest := _SUBTEST.match(text):
            self._subtest(subtest[1], column)
        elif bail := _BAIL.match(text):
            self._bail_out = bail[1]
        elif result := _RESULT.match(text):
            self._result(result, column)
        else:
            return False
        self._found = True
        return True

    def _output(self, text: str, raw: str) -> None:
        if not self._blocks:
            self._blocks.append(_Level(0))
        block = self._blocks[-1]
        block.lines.append(raw)
        if run := _RUN.match(text):
            block.run = run[1]
        if totals := _TOTALS.search(text):
            pairs = (pair.partition(":") for pair in totals[1].split())
            self._totals = tuple((word, int(number)) for word, _, number in pairs)

    def _block(self, column: int) -> _Level:
        """The block of this column, opened if it is not. Deeper ones stay open, for the result line that ends them."""
        for block in self._blocks:
            if block.column == column:
                return block
        if self._blocks and self._blocks[-1].column > column:
            self._close_to(column)
        block = _Level(column)
        if self._blocks:
            block.lines, self._blocks[-1].lines = self._blocks[-1].lines, []
        self._blocks.append(block)
        return block

    def _header(self, column: int) -> None:
        self._abandon_deeper(column)
        block = self._block(column)
        if block.tests or block.plan is not None:
            # A program that starts another one, which prints a header again: the same list goes on.
            block.restarted, block.expected = True, 1

    def _plan(self, count: int, reason: str | None, column: int) -> None:
        block = self._block(column)
        if block.plan is not None and not block.restarted:
            self._problems.append(f"a second plan, 1..{count}")
        block.plan = count + (block.plan or 0 if block.restarted else 0)
        if count == 0 and column == self._blocks[0].column and not block.tests:
            self._skipped = reason or ""

    def _subtest(self, name: str, column: int) -> None:
        if column == 0 and self._blocks and self._blocks[0].tests:
            return
        if any(block.column == column and block.tests for block in self._blocks):
            self._abandon_deeper(column - 1)
        self._block(column).name = name

    def _abandon_deeper(self, column: int) -> None:
        """Closes the blocks right of `column` that no result line ended."""
        while len(self._blocks) > 1 and self._blocks[-1].column > column:
            block = self._blocks.pop()
            self._blocks[-1].tests.append(self._unended(block, len(self._blocks[-1].tests) + 1))

    def _close_to(self, column: int) -> tuple[Test, ...]:
        """Closes the blocks right of `column`; returns the tests of the outermost of them."""
        tests: tuple[Test, ...] = ()
        while self._blocks and self._blocks[-1].column > column:
            block = self._blocks.pop()
            outer = self._blocks[-1] if self._blocks else None
            if outer is not None and outer.column > column:
                outer.tests.append(self._unended(block, len(outer.tests) + 1))
            else:
                self._check_plan(block)
                tests = tuple(block.tests)
        return tests

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
        inner_lines = [line for block in self._blocks if block.column > column for line in block.lines]
        tests = self._close_to(column)
        block = self._block(column)
        passed = (match[1] or match[4]) == "ok"
        number = int(match[2]) if match[2] else block.expected
        if number != block.expected:
            self._problems.append(f"test {number} came where {block.expected} was expected")
        block.expected = number + 1
        name, status, message = _describe(match[3] or match[5] or "", passed)
        name = name or block.run
        block.lines.extend(inner_lines)
        block.tests.append(Test(number, name, status, message, tests, block.take_lines()))

    def finish(self) -> ParsedTap:
        self._abandon_deeper(self._blocks[0].column if self._blocks else 0)
        top = self._blocks[0] if self._blocks else _Level(0)
        if top.plan is not None and top.plan != len(top.tests):
            self._problems.append(f"planned {top.plan} tests, reported {len(top.tests)}")
        problems = tuple(self._problems)
        return ParsedTap(tuple(top.tests), top.plan, self._bail_out, self._skipped, problems, self._found, self._totals)


def _inside_hashes(text: str, column: int) -> tuple[str, int]:
    """What stands behind the `# ` that a runner puts before an inner program's line, and its column; '' if it is
    none of TAP's own lines."""
    inner = text
    while inner.startswith("# "):
        column += 2 + len(inner[2:]) - len(inner[2:].lstrip())
        inner = inner[2:].lstrip()
    if inner == text or not any(form.match(inner) for form in (_VERSION, _PLAN, _RESULT)):
        return "", column
    return inner, column


def _describe(description: str, passed: bool) -> tuple[str, Status, str]:
    """Name, status and message of a result line's description."""
    status = Status.PASS if passed else Status.FAIL
    directive = _DIRECTIVE.search(description)
    if directive is None:
        return _unescape(description), status, ""
    name, word, reason = _unescape(description[: directive.start()]), directive[1].upper(), directive[2].strip()
    status, prefix = _DIRECTIVES.get((word.removesuffix("PED"), passed), (status, ""))
    return name, status, ": ".join(part for part in (prefix, reason) if part)


def _unescape(text: str) -> str:
    return text.replace("\\#", "#").replace("\\\\", "\\").strip()
