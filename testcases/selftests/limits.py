# SPDX-License-Identifier: GPL-2.0-or-later
"""The time limits of a selftest: of a program, in the file `settings` beside it, and of a test, in kselftest_harness.h.

The second is 30 seconds as a rule, also on a slow machine. Nothing outside the header stretches it, so the private copy
that a selftest is compiled from is changed, for base and patched alike. By how much is only known in the guest, from
its environment: programs are compiled before the kernel is built with which the accelerator's speed is measured.
"""

import re
from pathlib import Path

from testcases.selftests import SELFTESTS

DEFAULT_TIMEOUT = 45
"""Seconds for one program; kselftest_default_timeout of tools/testing/selftests/kselftest/runner.sh."""
NO_TIMEOUT = 3600
"""Seconds where the settings say 0, for none: a guest that cannot be told from a hung one is no use."""

SCALE = "RIG_TIME_SCALE"
SLOW = (("KSFT_MACHINE_SLOW", "yes"), (SCALE, "{scale}"))
"""The environment of a selftest on a slow machine; the first one relaxes the timings of the kernel's own scripts
(tools/testing/selftests/net/lib.sh, forwarding/lib.sh)."""

FUNCTION = f"""
#include <stdlib.h>
/* Added by the rig: a limit counts for a machine of full speed. */
static inline unsigned int rig_stretched(unsigned int seconds)
{{
\tconst char *scale = getenv("{SCALE}");
\tint factor = scale ? atoi(scale) : 1;

\treturn factor > 1 ? seconds * factor : seconds;
}}
"""
_TIMEOUT = re.compile(r"^[ \t]*timeout[ \t]*=[ \t]*(\d{1,9})[ \t]*\r?$", re.MULTILINE)
_HEADER = f"{SELFTESTS}/kselftest_harness.h"
_DEFAULT = re.compile(r"^#define TEST_TIMEOUT_DEFAULT\b.*\n", re.MULTILINE)
_USE = re.compile(r"\bt->timeout\b(?!\s*=[^=])")
"""Where the limit is set: alarm(t->timeout) in 5.10 to 6.12, poll(..., t->timeout * 1000) in later ones."""


def stretch(tree: Path) -> bool:
    """Changes the header in the copy of a tree. False where it has one that sets its limit in an unknown way."""
    header = tree / _HEADER
    if not header.is_file():
        return True
    text = header.read_text(encoding="utf-8", errors="surrogateescape")
    changed, uses = _USE.subn("rig_stretched(t->timeout)", text)
    changed, places = _DEFAULT.subn(lambda match: match[0] + FUNCTION, changed, count=1)
    if uses and places:
        header.write_text(changed, encoding="utf-8", errors="surrogateescape")
    return bool(uses and places) or "timeout" not in text


def read_timeout(settings: Path) -> int:
    """The timeout in seconds that a target's `settings` asks for."""
    if not settings.is_file():
        return DEFAULT_TIMEOUT
    found = _TIMEOUT.findall(settings.read_text(encoding="utf-8", errors="replace"))
    return (int(found[-1]) or NO_TIMEOUT) if found else DEFAULT_TIMEOUT
