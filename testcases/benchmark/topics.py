# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands behind `benchmark/`: the folders `testcases/<topic>/benchmark`."""

from pathlib import Path

_SUITES = Path(__file__).resolve().parent.parent


def topics(_tree: Path | None = None) -> tuple[str, ...]:
    """Sorted."""
    return tuple(sorted(path.parent.parent.name for path in _SUITES.glob("*/benchmark/__init__.py")))
