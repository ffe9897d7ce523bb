# SPDX-License-Identifier: GPL-2.0-or-later
"""A point in time at which work has to be given up."""

import time


class Deadline:
    """So many seconds from now on; infinite ones never end."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds; negative when the time is over."""
        return self._end - time.monotonic()
