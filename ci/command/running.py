# SPDX-License-Identifier: GPL-2.0-or-later
"""What every long command needs: progress on stderr, a stop signal, and how the rig was called."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from util.events import Listener
from util.paths import called_as
from util.stop import Stop

INTERRUPTED = 130
"""Exit status after Ctrl-C."""


@contextmanager
def running(quiet: bool) -> Iterator[tuple[Listener, Stop]]:
    """Progress on stderr, and a stop that Ctrl-C and SIGTERM set. A second Ctrl-C has no further effect."""
    from ci.report.progress import listener

    stop = Stop()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with listener(quiet) as emit:
            yield emit, stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def command_line() -> tuple[str, ...]:
    """This call of the rig as an argument list, the program as it was named."""
    return (called_as(), *sys.argv[1:])
