# SPDX-License-Identifier: GPL-2.0-or-later
"""The progress of a build, read from the lines that make prints."""

import time
from dataclasses import dataclass

from kernels.build.diagnostics import target_of
from util.events import Event, Listener, Phase


@dataclass(slots=True)
class Progress:
    """Counts the targets that make names, and says how long the rest takes if they all take as long."""

    emit: Listener
    step: str
    total: int
    done: int = 0
    begun: float = 0.0
    shown: float = 0.0

    def line(self, line: str) -> None:
        if not (target := target_of(line)):
            return
        self.done += 1
        now = time.monotonic()
        if now - self.shown < 0.2:
            return
        self.shown = now
        total = max(self.total, self.done) if self.total else 0
        left = (now - self.begun) / self.done * (total - self.done)
        text = f"{target}, about {left:.0f} s left" if total > self.done else target
        self.emit(Event(self.step, Phase.PROGRESS, text, self.done, total, "objects"))
