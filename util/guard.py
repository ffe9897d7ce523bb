# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command that must not outlive whoever started it, where no sandbox sees to that.

    guard.py COMMAND...

Standard input is a pipe whose other end the starter holds. When the starter dies, however it dies, the pipe closes, and
the whole process group of the command is killed. The exit status is the command's (128 + signal where it was killed).
Used as a program, with nothing but the standard library.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys


def main(command: list[str]) -> int:
    # The command leads a session of its own: make and its children stay in one process group, apart from ours.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, close_fds=False)
    ended = os.pidfd_open(child.pid)
    ready, _, _ = select.select([0, ended], [], [])
    if ended not in ready:
        os.killpg(child.pid, signal.SIGKILL)
    status = child.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)  # what the command left behind
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
