# SPDX-License-Identifier: GPL-2.0-or-later
"""What every long command needs: progress on stderr, a stop signal, and how the rig was called."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from util.events import Listener
from util.paths import called_as
from util.stop import Stop

if TYPE_CHECKING:
    from ci.model.results import Run

INTERRUPTED = 130
"""Exit status after Ctrl-C."""


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def running(quiet: bool, *, last: bool = False) -> Iterator[tuple[Listener, Stop]]:
    """Progress on stderr, and a stop that Ctrl-C and SIGTERM set. A second Ctrl-C has no further effect.

    `last`: all that comes after is to print the answer, which is in the output folder by then. A signal no longer
    changes the exit status, so that it cannot contradict the reports.
    """
    from ci.report.progress import listener

    stop = Stop()

    def ask(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in _SIGNALS}
    try:
        with listener(quiet) as emit:
            yield emit, stop
    except BaseException:
        last = False  # there is no answer to protect
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if last else handler)


def status_of(run: "Run", status: int, stop: Stop) -> int:
    """The exit status of a command that reported `run`: INTERRUPTED where it was stopped before all was done. A stop
    that came when nothing was left to do changes nothing."""
    return INTERRUPTED if stop.is_set() and run.verdict != "pass" else status


def command_line() -> tuple[str, ...]:
    """This call of the rig as an argument list, the program as it was named."""
    return (called_as(), *sys.argv[1:])
