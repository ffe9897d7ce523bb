# SPDX-License-Identifier: GPL-2.0-or-later
"""The limit that kselftest_harness.h sets to each test, 30 seconds as a rule, on a machine that is slow.

Nothing outside the header stretches it, so the private copy that a selftest is compiled from is changed, for base and
patched alike. By how much is only known in the guest, from its environment: programs are compiled while the kernel is
not yet built with which the accelerator's speed is measured.
"""

import re
from pathlib import Path

from testcases.selftests.topics import SELFTESTS

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
