# SPDX-License-Identifier: GPL-2.0-or-later
"""From the end of one test program and what it printed to results.

A program gives one result of its own name and one for each test that it reports. The program's own says whether its
end agrees with its output: a failed test is that test's FAIL and not the program's as well, so that a program that
fails on both variants for one reason cannot hide that it crashes on one variant for another.
"""

import errno
import os
import re
import signal
from collections.abc import Iterator

from configs.result import Status, TestResult
from guests.crash.outcome import KERNEL_ENDS, Outcome, StepOutcome
from testcases.complaints import complaints
from testcases.ktap import parse
from testcases.ktap_tests import ParsedTap, Test

SKIP_STATUS = 4
"""KSFT_SKIP of tools/testing/selftests/kselftest.h."""
NOT_FOUND = 127
"""What a shell exits with when a command is not there."""
OUTPUT_LIMIT = 64 * 1024
"""Characters of output that a result keeps, the last ones: a chatty failure says most at its end."""


_IDENTIFIER = re.compile(r"(?!\d+$)[^\s/]\S*$")
_HARNESS_LINE = re.compile(r"#? *([^\s:]{1,500}\.[ch]):(\d{1,7}):([\w.]{1,500}):(.*)$")
"""TH_LOG of kselftest_harness.h: file, line, test (without its fixture), text."""
_HARNESS_END = re.compile(r"# *(\w[\w.]{0,500}): (Test .*)$")
"""The message of a test that did not end by itself."""
_ABSENT_COMMAND = re.compile(r"(?:^|[ :])(?P<name>[\w./+-]{1,255}): (?:command )?not found$")
"""A shell's complaint: `sh: line 3: ip: not found`, `ip: command not found`."""
_LACKED_OPTION = re.compile(
    r"^(?P<words>(?P<name>[\w.+-]{1,60}): (?:invalid|unrecognized) option.{0,80})\nBusyBox v", re.MULTILINE
)
"""Busybox's complaint: `grep: unrecognized option '--max-count'`, and behind it how the command is used."""
_SAYS_FAIL = re.compile(r"[^\w\n]{0,40}FAIL")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{5,}\b")
_Said = dict[str, list[str]]
_SAID = 100
"""Lines of the harness that one test keeps."""
_CANNOT_START = {errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.ELOOP}
_MACHINE_ERRNO = {errno.ENOMEM, errno.EAGAIN}


def read_step(step: StepOutcome, outcome: Outcome, origin: str = "") -> tuple[TestResult, ...]:
    """The results of one step; `origin` is the source file of its test. Names start with the step's own."""
    stdout = step.stdout.decode("utf-8", "replace")
    stderr = step.stderr.decode("utf-8", "replace")
    name = step.step.name
    report = parse(stdout, truncated=step.how != "exited")
    status, message = _program(step, outcome, report, stdout, stderr, origin)
    if status is Status.PASS and (lacked := _lacked(stderr) or _lacked(stdout)):
        message = _join(message, f"it called {lacked}")
    output = _cut(stdout + (f"\n[standard error]\n{stderr}" if stderr else ""))
    said = complaints(stdout, stderr) if step.how == "exited" and not report.found else ()
    own = TestResult(name, status, step.seconds, message, output, origin, complaints=said)
    return own, *_tests(name, report.tests, _by_test(stderr), origin)


def _program(
    step: StepOutcome, outcome: Outcome, report: ParsedTap, stdout: str, stderr: str, origin: str
) -> tuple[Status, str]:
    """Status and message of the program as such."""
    if report.refused:
        return Status.ERROR, f"its output cannot be read: {report.refused}"
    if step.how == "exited":
        return _exit(step, report, stdout, stderr, origin)
    if step.how == "not-started":
        return _not_started(step.value)
    if step.how == "signalled":
        return Status.FAIL, f"killed by {_signal_name(step.value)}{_progress(report)}"
    if step.how == "timeout":
        left = f", and {step.value} of its processes could not be killed" if step.value else ""
        return Status.FAIL, f"had not ended after {step.step.timeout:g} s{_progress(report)}{left}"
    return _cut_off(step, outcome, report)


def _cut_off(step: StepOutcome, outcome: Outcome, report: ParsedTap) -> tuple[Status, str]:
    """Of a program whose guest ended before it did, or before it was started."""
    if step.how == "unfinished":
        blame = Status.FAIL if outcome.end in KERNEL_ENDS else Status.MISS
        return blame, f"the guest ended while it ran{_progress(report)}: {outcome.message or outcome.end}"
    return Status.MISS, f"did not run: {outcome.message or outcome.end}"


def _exit(step: StepOutcome, report: ParsedTap, stdout: str, stderr: str, origin: str) -> tuple[Status, str]:
    """Of a program that left by itself. The source of a compiled one is not always found; its name has no suffix."""
    if report.found:
        return _tap_exit(step.value, report, stderr)
    script = "." in step.step.name and not origin.endswith(".c")
    return _plain_exit(step.value, stdout, stderr, script=script)


def _tap_exit(value: int, report: ParsedTap, stderr: str) -> tuple[Status, str]:
    """An exit status beside TAP output: do they say the same?"""
    failed = report.count(Status.FAIL, Status.ERROR)
    total = len(report.leaves)
    if report.skipped is not None and not report.tests:
        return _skipped_whole(value, report.skipped)
    if broken := _broken_off(value, report, stderr):
        return Status.FAIL, broken
    if value == 0:
        lie = f"although {failed} of its {total} tests failed" if failed else ""
        lie = lie or ("" if total or report.missing else "without a single test")
        return (Status.ERROR, f"exit status 0 {lie}") if lie else (Status.PASS, "; ".join(report.problems[:3]))
    if failed:
        return Status.PASS, f"exit status {value}, as {failed} of its {total} tests failed"
    if value == SKIP_STATUS and report.count(Status.SKIP):
        return Status.SKIP, next((leaf.message for leaf in report.leaves if leaf.status is Status.SKIP), "")
    return Status.FAIL, f"exit status {value} although none of its {total} tests failed{_last_words(stderr)}"


def _broken_off(value: int, report: ParsedTap, stderr: str) -> str:
    """How a program that left by itself left too early; empty if it did not."""
    if report.bail_out is not None:
        return f"bailed out{_progress(report)}: {report.bail_out or 'without a reason'}"
    if report.missing and not _counted(value, report):
        text = f"planned {report.plan} tests and reported {len(report.tests)}, then left with exit status {value}"
        return text + _last_words(stderr)
    return ""


def _counted(value: int, report: ParsedTap) -> bool:
    """Whether a program that prints no result lines says by its totals that all its planned tests went well."""
    totals = dict(report.totals)
    bad = totals.get("fail", 0) + totals.get("error", 0) + totals.get("xpass", 0)
    return value == 0 and not report.tests and not bad and sum(totals.values()) == report.plan


def _skipped_whole(value: int, reason: str) -> tuple[Status, str]:
    if value in (0, SKIP_STATUS):
        return Status.SKIP, reason or "no reason given"
    return Status.FAIL, f"exit status {value} although it says that it skips: {reason}"


def _plain_exit(value: int, stdout: str, stderr: str, *, script: bool) -> tuple[Status, str]:
    """A program without TAP: its exit status is the result. A script fails for want of a command; a compiled program
    that tells of its failure by one (addr2line) fails for another reason, unless that is the last that it says."""
    if value == 0:
        return Status.PASS, ""
    last = _last_line(stderr) or _last_line(stdout)
    if value == SKIP_STATUS:
        return _plain_skip(last, f"{stdout}\n{stderr}")
    lacked = _lacked(stderr) or _lacked(stdout)
    if lacked and (script or _lacked(last)):
        return Status.ERROR, f"exit status {value}: it needs {lacked}"
    if value == NOT_FOUND:
        return Status.ERROR, f"exit status {value}: it calls a command that the image does not hold{_last_words(last)}"
    called = f"; it called {lacked}" if lacked else ""
    return Status.FAIL, f"exit status {value}{_last_words(last)}{called}"


def _plain_skip(last: str, text: str) -> tuple[Status, str]:
    """Exit status 4 means skipped, unless the program counts its failures with it."""
    if any(map(_SAYS_FAIL.match, text.split("\n"))) and "skip" not in text.lower():
        return Status.FAIL, f"exit status {SKIP_STATUS} would mean skipped, but it says: {last}"
    return Status.SKIP, _lacked_option(text) or last or "no reason given"


def _lacked(text: str) -> str:
    """The first command that a shell did not find, or that lacks an option, in words; empty if there is none."""
    if "not found" in text:
        lines = (line[-400:] for line in text.split("\n") if line.endswith("not found"))
        if absent := next((match["name"] for line in lines if (match := _ABSENT_COMMAND.search(line))), ""):
            return f"`{absent}`, which the image does not hold"
    return _lacked_option(text)


def _lacked_option(text: str) -> str:
    found = _LACKED_OPTION.search(text) if " option" in text else None
    return f"busybox's `{found['name']}`, which lacks something ({found['words']})" if found else ""


def _not_started(number: int) -> tuple[Status, str]:
    text = f"could not be started: {os.strerror(number)}"
    if number in _CANNOT_START:
        return Status.ERROR, text
    return (Status.MISS if number in _MACHINE_ERRNO else Status.FAIL), text


def _tests(prefix: str, tests: tuple[Test, ...], said: _Said, origin: str) -> Iterator[TestResult]:
    """Every result line, outer ones too, under names that do not depend on how the test ends."""
    taken: dict[str, int] = {}
    for position, test in enumerate(tests, start=1):
        name = _stable_name(test, position) if test.name or test.status is Status.SKIP else str(position)
        if name in taken:
            taken[name] += 1
            name = f"{name}#{taken[name]}"
        else:
            taken[name] = 1
        full = f"{prefix}.{name}"
        status, message, keep = test.status, test.message, ""
        if test.tests:
            status, message = _agreed(test)
        if status is Status.FAIL or status is Status.ERROR:
            keep = _cut("\n".join(_own_lines(test, said)))
            message = message or (_complaint(test, said) if status is Status.FAIL else "")
        if test.name and name != test.name:
            message = _join(test.name, message)
        yield TestResult(full, status, 0.0, message, keep, origin)
        if test.tests:
            yield from _tests(full, test.tests, said, origin)


def _stable_name(test: Test, position: int) -> str:
    """A name that is an identifier is taken; a sentence is not, since programs that write sentences tell in them how
    the test went: those tests are known by their place. A skipped test's name may stand behind its directive."""
    if test.name:
        return _ADDRESS.sub("0x", test.name) if _IDENTIFIER.match(test.name) else str(position)
    if test.status is Status.SKIP and re.match(r"[A-Za-z_]\w*[._]\w[\w.]*$", test.message[:201]):
        return test.message
    return str(position)


def _agreed(test: Test) -> tuple[Status, str]:
    """An outer result line is judged by whether it agrees with those inside, as a program is."""
    leaves = tuple(leaf for inner in test.tests for leaf in inner.leaves)
    failed = sum(leaf.status in (Status.FAIL, Status.ERROR) for leaf in leaves)
    if test.status is Status.FAIL and failed:
        return Status.PASS, f"{failed} of its {len(leaves)} tests failed"
    if test.status is Status.PASS and failed:
        return Status.ERROR, f"says that it passed although {failed} of its {len(leaves)} tests failed"
    if test.status is Status.FAIL and not test.message:
        return Status.FAIL, f"failed although none of its {len(leaves)} tests did"
    return test.status, test.message


def _complaint(test: Test, said: _Said) -> str:
    """The first line in which the harness says what was expected of this test."""
    for line in _own_lines(test, said):
        if match := _HARNESS_LINE.match(line):
            return f"{match[1]}:{match[2]}: {match[4].strip()}"
        if match := _HARNESS_END.match(line):
            return match[2]
    return ""


def _own_lines(test: Test, said: _Said) -> tuple[str, ...]:
    """What was printed before a test's result, and what the harness said of it on standard error."""
    return (*test.lines, *said.get(test.name.rpartition(".")[2], ())[:_SAID])


def _by_test(stderr: str) -> _Said:
    """The lines of the harness on standard error, by the name of the test that they speak of."""
    said: _Said = {}
    for line in map(str.strip, stderr.splitlines()):
        match = _HARNESS_LINE.match(line) or _HARNESS_END.match(line)
        if match:
            for name in dict.fromkeys(match.groups()):
                said.setdefault(name, []).append(line)
    return said


def _progress(report: ParsedTap) -> str:
    if not report.found:
        return ""
    return f" after {len(report.tests)}{f' of {report.plan}' if report.plan else ''} tests"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(text: str) -> str:
    return text.rstrip()[-4000:].rpartition("\n")[2].strip()[:200]


def _last_words(text: str) -> str:
    last = _last_line(text)
    return f": {last}" if last else ""


def _join(*parts: str) -> str:
    return ": ".join(part for part in parts if part)


def _cut(text: str) -> str:
    if len(text) <= OUTPUT_LIMIT:
        return text
    return f"[the first {len(text) - OUTPUT_LIMIT} characters are left out]\n{text[-OUTPUT_LIMIT:]}"
