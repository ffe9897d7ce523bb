# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one long command: its output line by line, ended with everything below it when the run is stopped."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from util.errors import MachineError
from util.stop import Stop

_POLL = 0.1  # seconds between two looks at `stop`
_LOG_LIMIT = 256 << 20  # bytes; a verbose allyesconfig build prints a tenth of that
_QUIET_LIMIT = 1800.0  # seconds without a line of output; the longest link of a large kernel takes a few minutes


def run_logged(
    command: tuple[str, ...],
    log: Path,
    stop: Stop,
    on_line: Callable[[str], None] = lambda _line: None,
    fds: tuple[int, ...] = (),
) -> int:
    """Runs `command`, appends what it prints to `log` and hands each line to `on_line`. Returns the exit status.

    Raises Stopped when `stop` is set, and MachineError where the command cannot start, says nothing for half an hour or
    floods the log. The command has ended whenever this returns or raises. Its launcher ends it when the rig is killed.
    """
    with log.open("ab", buffering=0) as file, _started(command, fds) as process:
        last = time.monotonic()
        written = 0
        held = b""
        for chunk in _chunks(process):
            stop.check()
            if not chunk:
                if time.monotonic() - last > _QUIET_LIMIT:
                    raise MachineError(f"{log}: the build printed nothing for {_QUIET_LIMIT / 60:.0f} minutes")
                continue
            last = time.monotonic()
            written += len(chunk)
            if written > _LOG_LIMIT:
                raise MachineError(f"{log}: the build printed more than {_LOG_LIMIT >> 20} MB")
            file.write(chunk)
            *lines, held = (held + chunk).split(b"\n")
            for line in lines:
                on_line(line.decode("utf-8", "replace"))
        if held:
            on_line(held.decode("utf-8", "replace"))
        return process.wait()


@contextlib.contextmanager
def _started(command: tuple[str, ...], fds: tuple[int, ...]) -> Iterator["subprocess.Popen[bytes]"]:
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=fds
        )
    except OSError as error:
        raise MachineError(f"cannot start `{command[0]}`: {error.strerror}") from None
    try:
        yield process
    finally:
        # Closing the input ends a guarded command, the signal ends bubblewrap, and its namespace with it. The output
        # pipe closes when the last process below is gone, so reading it to the end is how to wait for all of them.
        assert process.stdin and process.stdout
        process.stdin.close()
        if command[0] == "bwrap":
            process.send_signal(signal.SIGKILL)  # harmless where it has ended
        with contextlib.suppress(OSError):
            while os.read(process.stdout.fileno(), 65536):
                pass
        process.stdout.close()
        process.wait()


def _chunks(process: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    """What the process prints, as it comes; an empty chunk at least every `_POLL` seconds; ends with its output."""
    assert process.stdout
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(_POLL):
                yield b""
                continue
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                return
            yield chunk
