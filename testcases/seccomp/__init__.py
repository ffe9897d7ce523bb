# SPDX-License-Identifier: GPL-2.0-or-later
"""What seccomp's filters decide, in models and in the kernel under test."""

from pathlib import Path

CONFIG = ("CONFIG_SECCOMP=y", "CONFIG_SECCOMP_FILTER=y")
"""The kconfig lines that every program of this suite needs."""
STACK_TOPICS = ("corpus", "edges", "fuzz", "replay", "ways")
PROGRAMS = {"attach": "attach", "proc": "procfile", "threads": "threads"}
"""Topics that are programs of their own, which write TAP, and their folders."""
COUNTED = "counted"
TOPICS = tuple(sorted((*STACK_TOPICS, *PROGRAMS, COUNTED)))


def topics(_tree: Path | None) -> tuple[str, ...]:
    return TOPICS
