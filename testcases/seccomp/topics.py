# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands behind `seccomp/`."""

from pathlib import Path

STACK_TOPICS = ("corpus", "edges", "fuzz", "replay", "ways")
PROGRAMS = {"attach": "attach", "proc": "procfile", "threads": "threads"}
"""Topics that are programs of their own, which write TAP, and their folders."""
COUNTED = "counted"
TOPICS = tuple(sorted((*STACK_TOPICS, *PROGRAMS, COUNTED)))


def topics(_tree: Path | None) -> tuple[str, ...]:
    return TOPICS
