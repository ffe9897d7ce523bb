# SPDX-License-Identifier: GPL-2.0-or-later
"""The kconfig fragments that lie beside the kernel's tests, which are looser than ours."""

import re

_REQUEST = re.compile(r"(CONFIG_\w+)(?:\s*=\s*(\S+))?(?:\s+#.*)?$")


def config_text(text: str) -> str:
    """A target's `config` with the same line numbers in strict form: real ones hold bare names, comments behind values
    and stray text."""
    lines = []
    for raw in text.splitlines():
        line = raw.strip()
        match = _REQUEST.match(line)
        if match:
            lines.append(f"{match[1]}={match[2] or 'y'}")
        else:
            lines.append(line if line.startswith("# CONFIG_") and line.endswith(" is not set") else "")
    return "\n".join(lines)
