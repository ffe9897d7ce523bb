# SPDX-License-Identifier: GPL-2.0-or-later
"""The cache of a job, as small as it is worth: GitLab packs it, stores it and fetches it again for the next job.

Sources go first. A job has a clone of its own kernel already, and a checkout is made faster than it is carried. Then
goes whatever was not used for longest, until the rest is small enough: kernels with their objects, from which the next
build starts, compiled suites, images, results.
"""

from pathlib import Path

from ci.machine.clean import DAY, areas
from util.events import Listener
from util.paths import cache_root
from util.stop import Stop

SOURCES = "sources"
_AGES = (30.0, 14.0, 7.0, 3.0, 1.0, 0.25, 0.04, 0.0)
"""Days."""


def own(project: str) -> bool:
    """Whether the cache is that of a job: inside of its project's folder. A cache that jobs or people share is never
    made smaller by one of them."""
    return bool(project) and cache_root().resolve().is_relative_to(Path(project).resolve())


def shrink(limit: int, emit: Listener, stop: Stop) -> str:
    """Brings the cache to `limit` bytes; says in a line what it came to. Raises Stopped."""
    parts = {area.name: area for area in areas(emit, stop)}

    def sizes() -> dict[str, int]:
        return {name: sum(row[1] for row in area.rows()) for name, area in parts.items()}

    before = sum(sizes().values())
    parts[SOURCES].remove(0.0)
    for days in _AGES:
        if sum(sizes().values()) <= limit:
            break
        for name, area in parts.items():
            if name != SOURCES:
                area.remove(days * DAY)
    after = sizes()
    kept = ", ".join(f"{name} {size / 1e6:.0f}" for name, size in after.items() if size >= 1e6) or "nothing"
    return f"cache: {before / 1e6:.0f} MB, carried on {sum(after.values()) / 1e6:.0f} MB of {limit / 1e6:.0f}: {kept}"
