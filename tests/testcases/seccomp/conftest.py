# SPDX-License-Identifier: GPL-2.0-or-later
"""The slow tests of the language, of proofs, filters and checks run the same lines a million times."""

from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_ROOMS = tuple(_HERE / room for room in ("bpf", "prove", "filters", "check"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those lines are measured where the fast tests run them: the tracer of coverage doubles the time."""
    for item in items:
        if item.get_closest_marker("slow") and any(item.path.is_relative_to(room) for room in _ROOMS):
            item.add_marker(pytest.mark.no_cover)
