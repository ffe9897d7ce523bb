# SPDX-License-Identifier: GPL-2.0-or-later
"""What a series costs, in guest instructions (exact on any machine, however noisy) or in wall time."""

from pathlib import Path

_SUITES = Path(__file__).resolve().parent.parent


def topics(_tree: Path | None = None) -> tuple[str, ...]:
    """Sorted."""
    return tuple(sorted(path.parent.parent.name for path in _SUITES.glob("*/benchmark/__init__.py")))
