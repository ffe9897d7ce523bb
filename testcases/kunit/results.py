# SPDX-License-Identifier: GPL-2.0-or-later
"""From what a guest says about its KUnit suites to results, and to what is left to run when it died in one of them."""

import re
from collections.abc import Iterator

from configs.result import Status, TestResult
from testcases.ktap import parse
from testcases.ktap_tests import Test

MARK = "rig-kunit-suite "
"""Stands before each suite's name in the output of the step that reads them."""
_SUBTEST = re.compile(r"^(?:\[[^\]]*\] ?)?    # Subtest: (\S+)", re.MULTILINE)
_DONE = re.compile(r"^(?:\[[^\]]*\] ?)?(?:not )?ok \d+ (\S+)", re.MULTILINE)
_LISTED = re.compile(r"^(?:\[[^\]]*\] ?)?([A-Za-z0-9_.+-]+)\.([A-Za-z0-9_]+)\s*$", re.MULTILINE)
_EXPECTATION = re.compile(r"#\s*+[^\s:]{1,200}+: ((?:EXPECTATION|ASSERTION) FAILED at \S+)")
_SPEED = re.compile(r"#\s*+(\S{1,200})\.speed: (\w+)")
_SHOWN = 40
"""Lines of a test's own output that its result keeps."""


def read_results(text: str) -> Iterator[TestResult]:
    """One result for each test of each suite, named `suite.test` or `suite.test.parameter`. A suite that says that it
    failed although no test of it did, as one whose setup fails, has a result of its own name."""
    for part in text.split(MARK)[1:]:
        name, _, body = part.partition("\n")
        parsed = parse(body)
        tests = parsed.tests[0].tests if parsed.tests and parsed.tests[0].tests else parsed.tests
        if not tests or parsed.refused:
            yield TestResult(
                name.strip(), Status.ERROR, message=parsed.refused or "its results hold no test", output=body
            )
        for test in tests:
            yield from _results(name.strip(), test)
        outer = parsed.tests[0] if parsed.tests and parsed.tests[0].tests else None
        if outer and outer.status is Status.FAIL and all(test.status is not Status.FAIL for test in tests):
            yield TestResult(name.strip(), Status.FAIL, message="failed although none of its tests did", output=body)


def _results(above: str, test: Test) -> Iterator[TestResult]:
    """The test, or its parameters where it has some."""
    name = f"{above}.{_word(test.name)}"
    if not test.tests:
        lines = "\n".join(line.strip() for line in test.lines[-_SHOWN:])
        found = _EXPECTATION.search(lines)
        speed = _SPEED.search(lines)
        said = test.message or (found[1] if found and test.status is Status.FAIL else "")
        yield TestResult(name, test.status, message=said or (f"speed: {speed[2]}" if speed else ""), output=lines)
        return
    for inner in test.tests:
        yield from _results(name, inner)


def _word(name: str) -> str:
    return re.sub(r"\s+", "_", name.strip())


def died_in(console: str) -> str:
    """The suite that a kernel was in when it died while it booted; empty if in none."""
    begun, done = _SUBTEST.findall(console), set(_DONE.findall(console))
    return next((name for name in reversed(begun) if name not in done), "")


def listed(console: str) -> tuple[str, ...]:
    """The suites that `kunit.action=list` names, in the order in which they run."""
    return tuple(dict.fromkeys(suite for suite, _test in _LISTED.findall(console)))
