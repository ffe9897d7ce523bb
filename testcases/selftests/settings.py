# SPDX-License-Identifier: GPL-2.0-or-later
"""The small file `settings` beside a selftest."""

import re
from pathlib import Path

DEFAULT_TIMEOUT = 45
"""Seconds for one program; kselftest_default_timeout of tools/testing/selftests/kselftest/runner.sh."""
NO_TIMEOUT = 3600
"""Seconds where the settings say 0, for none: a guest that cannot be told from a hung one is no use."""

_TIMEOUT = re.compile(r"^[ \t]*timeout[ \t]*=[ \t]*(\d{1,9})[ \t]*\r?$", re.MULTILINE)


def read_timeout(settings: Path) -> int:
    """The timeout in seconds that a target's `settings` asks for."""
    if not settings.is_file():
        return DEFAULT_TIMEOUT
    found = _TIMEOUT.findall(settings.read_text(encoding="utf-8", errors="replace"))
    return (int(found[-1]) or NO_TIMEOUT) if found else DEFAULT_TIMEOUT
