# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps are reported as events; the log, the progress display and the report are listeners.

Nothing but a listener prints. A listener may be called from any thread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

WHOLE = "run"
"""The step that stands for all of a run: it has progress and an end, and says nothing of itself."""


class Phase(StrEnum):
    START = "start"
    PROGRESS = "progress"
    DONE = "done"
    FAILED = "failed"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Event:
    """One moment of a step.

    `step` names the step for its whole life, for example `build x86_64 base plain`; `done` and `total` count units of
    `unit` (objects, bytes, tests), `total` 0 where it is not known; `text` is one line for a person; `command` is
    the argument list that repeats the step by hand, on START where there is one.
    """

    step: str
    phase: Phase
    text: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    command: tuple[str, ...] = ()


Listener = Callable[[Event], None]


def silent(_event: Event) -> None:
    """A listener that ignores every event."""
