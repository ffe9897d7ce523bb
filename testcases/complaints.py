# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines in which a program without TAP speaks of a failure, whatever its exit status is afterwards.

Some selftests print FAIL and exit with 0. Nobody can say of one run whether such a line is serious; but a line that the
base kernel never shows and the judged one always does is a change that the series made.
"""

import re

LINES = 200
"""Different lines that are kept of one program."""
_LOOKED_AT = 400
_SAYS_SO = re.compile(
    r"\b(?:fail(?:s|ed|ure|ures|ing)?|not ok|errors?|err|bad|broken|corrupt(?:ed|ion)?|mismatch(?:es|ed)?"
    r"|unexpected(?:ly)?|wrong|invalid|assert(?:ion)?|abort(?:ed)?|segmentation fault|timed out|timeout"
    r"|bug|oops|incorrect)\b",
    re.IGNORECASE,
)
_COUNTS_NONE = re.compile(
    r"\b(?:0+|no|none|zero|without(?: any)?) +(?:\w{1,20} +)?(?:fail\w{0,5}|errors?|mismatch(?:es)?|bugs?)\b"
    r"|\b(?:fail\w{0,5}|errors?|xfail|mismatch(?:es)?) ?[:=] ?0+\b"
    r"|\bxfail\b|\bexpected(?:ly)? (?:to )?(?:fail\w{0,5}|errors?)\b",
    re.IGNORECASE,
)
_ESCAPE = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")
_HEXADECIMAL = re.compile(r"\b0x[0-9a-fA-F]+\b|\b[0-9a-f]{8,16}\b")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def complaints(*texts: str) -> tuple[str, ...]:
    """The different lines of the texts that speak of a failure, in order. Numbers other than 0 are `N`: times,
    addresses and process ids differ from run to run, and a count of failures differs from none."""
    found: dict[str, None] = {}
    for text in texts:
        for line in text.split("\n"):
            clean = _ESCAPE.sub("", line[:_LOOKED_AT]).strip()
            if _SAYS_SO.search(_COUNTS_NONE.sub("", clean)):
                found.setdefault(_alike(clean))
            if len(found) == LINES:
                return tuple(found)
    return tuple(found)


def _alike(line: str) -> str:
    return " ".join(_NUMBER.sub(_digit, _HEXADECIMAL.sub("N", line)).split())


def _digit(match: re.Match[str]) -> str:
    return "0" if not match[0].strip("0.") else "N"
