# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own selftests: `selftests/<target>` runs `tools/testing/selftests/<target>` of the patched tree."""

from pathlib import Path

SELFTESTS = "tools/testing/selftests"


def topics(tree: Path | None) -> tuple[str, ...]:
    """Every folder with a Makefile that takes in lib.mk; none without a tree."""
    if tree is None:
        return ()
    root = tree / SELFTESTS
    makefiles = (path for path in sorted(root.glob("**/Makefile")) if path.parent != root)
    wanted = (path for path in makefiles if "lib.mk" in path.read_text(encoding="utf-8", errors="replace"))
    return tuple(str(path.parent.relative_to(root)) for path in wanted)
