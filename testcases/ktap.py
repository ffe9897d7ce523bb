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
from collections.abc import Iterator
from dataclasses import dataclass, field

from configs.result import Status

_LINE_LIMIT = 4096
"""Characters of a line that are looked at as TAP; the rest is cut from a name or a reason."""
DEPTH_LIMIT = 32
"""Levels of nesting. The kernel's own tests have four (runner, program, KUnit suite, parameter)."""
_PROBLEMS = 100
"""Oddities that are told of one text."""
_NUMBER_LIMIT = 1_000_000
"""More tests than this, no plan promises and no result counts."""

_STAMP = re.compile(r"(?:<\d{1,3}>)?\[ *\d{1,10}\.\d{1,9}\](?:\[ *[TC]\d{1,10}\])? ?")
_VERSION = re.compile(r"K?TAP version \d{1,4}$")
_PLAN = re.compile(r"1\.\.(\d{1,7})(?: *#(.*))?$")
_PLAN_SKIP = re.compile(r" *(?:SKIP\b[:\s]*)?", re.IGNORECASE)
_RESULT = re.compile(r"(not ok|ok)(?: +(\d{1,7})(?= |$))?(?: +\d{1,7}(?= +selftests: ))?( +-(?= |$))?(?: (.*))?$")
"""Status, number, hyphen, description. Some runners number a line of theirs twice."""
_BAIL = re.compile(r"Bail out!(.*)$")
_SUBTEST = re.compile(r"# Subtest:(.*)$")
_DIAGNOSTIC = re.compile(r"(?:^|(?<= ))#(?= |$|[A-Z])")
"""What begins a directive or a diagnostic; `\\#` and `a#b` do not."""
_DIRECTIVE = re.compile(r"\s*(SKIP(?:PED)?|TODO|XFAIL|XPASS|TIMEOUT|ERROR)\b[:\s]*(.*)$", re.IGNORECASE)
_PLAIN = frozenset("onKTB1#")
"""First characters of a line that has neither indentation nor a time stamp."""
_HASHES = re.compile(r"(?:# *)+")
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

_TOTALS = re.compile(r"# Totals:((?: \w{1,16}:\d{1,9}){1,32})$")
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

    def count(self, status: Status) -> int:
        return sum(leaf.status is status for leaf in self.leaves)


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
    except _TooDeepError:
        refused = f"its results are nested more than {DEPTH_LIMIT} levels deep"
        return ParsedTap((), None, None, None, (refused,), found=True, refused=refused)


class _TooDeepError(Exception):
    """Nothing that a kernel's test prints is nested so deep."""


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
        """One line, without its end."""
        raw = raw.strip("\r")
        if not _may_be_tap(raw):
            self._output(raw)
            return
        column, text = self._column(raw[:_LINE_LIMIT])
        inner, inner_column = _inside_hashes(text, column) if text.startswith("# ") else ("", column)
        if inner and (_VERSION.match(inner) or _PLAN.match(inner) or self._is_open(inner_column)):
            text, column = inner, inner_column
        if partial or not self._structure(text, column):
            self._output(raw)

    def _column(self, raw: str) -> tuple[int, str]:
        """Where the line's text starts, counted from the header of the outermost level."""
        if not self._origin and raw[:1] in _PLAIN:
            text = raw.rstrip()
            if self._origin is None and _VERSION.match(text):
                self._origin = 0
            return 0, text
        line = _STAMP.sub("", raw, count=1) if raw.startswith(("[", "<")) else raw
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
        if text.startswith(("ok", "not ok")):
            result = self._as_result(text, column)
            if result:
                self._result(result, column)
                self._found = True
            return result is not None
        if _VERSION.match(text):
            self._header(column)
        elif (plan := _PLAN.match(text)) and int(plan[1]) <= _NUMBER_LIMIT:
            self._plan(int(plan[1]), plan[2], column)
        elif subtest := _SUBTEST.match(text):
            self._subtest(subtest[1].strip(), column)
        elif bail := _BAIL.match(text):
            self._bail_out = bail[1].strip()
        else:
            return False
        self._found = True
        return True

    def _as_result(self, text: str, column: int) -> re.Match[str] | None:
        """The match of a result line, None for talk that only looks like one: a line without a number where no list has
        begun, and an indented one that neither goes on with an open list nor is the first of one."""
        match = _RESULT.match(text)
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
        if "RUN" in raw and (run := _RUN.match(self._column(raw[:_LINE_LIMIT])[1])):
            block.run = run[1]
        if "# Totals:" in raw and (totals := _TOTALS.match(raw.rstrip(), raw.rfind("# Totals:"))):
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
            raise _TooDeepError
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
            self._skipped = _PLAN_SKIP.sub("", reason or "", count=1).strip()

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
        if self._blocks and self._blocks[-1].column > column:
            inner_lines = [line for block in self._blocks if block.column > column for line in block.lines]
            tests, height = self._close_to(column)
        block = self._block(column)
        block.height = max(block.height, height + 1)
        if block.height > DEPTH_LIMIT:
            raise _TooDeepError
        number = int(match[2]) if match[2] else block.expected
        name, status, message = _describe(match[4] or "", match[1] == "ok")
        if block.replayed and self._is_replay(block, number, name, status):
            block.expected = number + 1
            return
        if len(self._problems) < _PROBLEMS:
            if not match[2] and not match[3]:
                self._problems.append(f"a result without a number: {match[0][:80]}")
            if number != block.expected:
                self._problems.append(f"test {number} came where {block.expected} was expected")
        block.expected = number + 1
        name = name or block.run
        block.lines.extend(inner_lines)
        block.tests.append(Test(number, name, status, message, tests, block.take_lines()))

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


def _may_be_tap(raw: str) -> bool:
    """Whether a line holds what a line of TAP's own holds; most lines do not."""
    return "ok" in raw or "TAP version" in raw or "1.." in raw or "Bail out!" in raw or "# Subtest:" in raw


def _inside_hashes(text: str, column: int) -> tuple[str, int]:
    """What stands behind the `# ` that a runner puts before an inner program's line, and its column; '' if it is
    none of TAP's own lines."""
    hashes = _HASHES.match(text)
    if hashes is None:
        return "", column
    inner = text[hashes.end() :]
    if not any(form.match(inner) for form in (_VERSION, _PLAN, _RESULT)):
        return "", column
    return inner, column + hashes.end()


def _describe(description: str, passed: bool) -> tuple[str, Status, str]:
    """Name, status and message of a result line's description: the name ends where a diagnostic begins."""
    status = Status.PASS if passed else Status.FAIL
    description = description.strip()
    if "#" not in description and "\\" not in description:
        return description, status, ""
    sign = _DIAGNOSTIC.search(description)
    if sign is None:
        return _unescape(description), status, ""
    name, rest = _unescape(description[: sign.start()]), description[sign.end() :]
    directive = _DIRECTIVE.match(rest)
    if directive is None:
        return name, status, rest.strip()
    word, reason = directive[1].upper(), directive[2].strip()
    status, prefix = _DIRECTIVES.get((word.removesuffix("PED"), passed), (status, ""))
    return name, status, ": ".join(part for part in (prefix, reason) if part)


def _unescape(text: str) -> str:
    return text.replace("\\#", "#").replace("\\\\", "\\").strip()
