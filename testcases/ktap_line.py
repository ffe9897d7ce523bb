# SPDX-License-Identifier: GPL-2.0-or-later
"""One line of KTAP by itself: what its form says, without the lines around it.

Every pattern is anchored and bounded, so that no line takes longer than its length explains.
"""

import re

from configs.result import Status

LINE_LIMIT = 4096
"""Characters of a line that are looked at as TAP; the rest is cut from a name or a reason."""

STAMP = re.compile(r"(?:<\d{1,3}>)?\[ *\d{1,10}\.\d{1,9}\](?:\[ *[TC]\d{1,10}\])? ?")
VERSION = re.compile(r"K?TAP version \d{1,4}$")
PLAN = re.compile(r"1\.\.(\d{1,7})(?: *#(.*))?$")
PLAN_SKIP = re.compile(r" *(?:SKIP\b[:\s]*)?", re.IGNORECASE)
RESULT = re.compile(r"(not ok|ok)(?: +(\d{1,7})(?= |$))?(?: +\d{1,7}(?= +selftests: ))?( +-(?= |$))?(?: (.*))?$")
"""Status, number, hyphen, description. Some runners number a line of theirs twice."""
BAIL = re.compile(r"Bail out!(.*)$")
SUBTEST = re.compile(r"# Subtest:(.*)$")
_DIAGNOSTIC = re.compile(r"(?:^|(?<= ))#(?= |$|[A-Z])")
"""What begins a directive or a diagnostic; `\\#` and `a#b` do not."""
_DIRECTIVE = re.compile(r"\s*(SKIP(?:PED)?|TODO|XFAIL|XPASS|TIMEOUT|ERROR)\b[:\s]*(.*)$", re.IGNORECASE)
PLAIN = frozenset("onKTB1#")
"""First characters of a line that has neither indentation nor a time stamp."""
_HASHES = re.compile(r"(?:# *)+")
RUN = re.compile(r"#\s+(?:\[ )?RUN(?: +\])?\s+(\S+)(?: \.\.\.)?$")
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

TOTALS = re.compile(r"# Totals:((?: \w{1,16}:\d{1,9}){1,32})$")
"""The last line of kselftest.h's programs; older ones count tests for which they print no result line."""


def may_be_tap(raw: str) -> bool:
    """Whether a line holds what a line of TAP's own holds; most lines do not."""
    return "ok" in raw or "TAP version" in raw or "1.." in raw or "Bail out!" in raw or "# Subtest:" in raw


def inside_hashes(text: str, column: int) -> tuple[str, int]:
    """What stands behind the `# ` that a runner puts before an inner program's line, and its column; '' if it is
    none of TAP's own lines."""
    hashes = _HASHES.match(text)
    if hashes is None:
        return "", column
    inner = text[hashes.end() :]
    if not any(form.match(inner) for form in (VERSION, PLAN, RESULT)):
        return "", column
    return inner, column + hashes.end()


def describe(description: str, passed: bool) -> tuple[str, Status, str]:
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
