# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one long command: its output line by line, ended with everything below it when the run is stopped."""

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from util.errors import MachineError
from util.stop import Stop

_POLL = 0.1  # seconds between two looks at `stop`
LOG_LIMIT = 256 << 20  # bytes; a verbose allyesconfig build prints a tenth of that
_QUIET_LIMIT = 1800.0  # seconds without a line of output; the longest link of a large kernel takes a few minutes


def run_logged(
    command: tuple[str, ...],
    log: Path,
    stop: Stop,
    on_line: Callable[[str], None] = lambda _line: None,
    fds: tuple[int, ...] = (),
    limit: int = LOG_LIMIT,
) -> int:
    """Runs `command`, appends what it prints to `log` and hands each line to `on_line`. Returns the exit status.

    `command` ends when its standard input does, and so does everything below it (`kernels/sandbox/supervise.py`). Of
    our environment it sees TMPDIR alone, of our descriptors `fds`. Raises Stopped when `stop` is set, and MachineError
    where the command cannot start, says nothing for half an hour or prints more than `limit` bytes. It is dead whenever
    this returns or raises.
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
            if limit and written > limit:
                raise MachineError(f"{log}: the build printed more than {limit >> 20} MB")
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
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, pass_fds=fds,
            env={name: os.environ[name] for name in ("TMPDIR",) if name in os.environ},
        )  # fmt: skip
    except OSError as error:
        raise MachineError(f"cannot start `{command[0]}`: {error.strerror}") from None
    try:
        yield process
    finally:
        # Closing the input ends the command. The output pipe closes when the last process below it is gone, so reading
        # it to the end is how to wait for all of them.
        assert process.stdin and process.stdout
        process.stdin.close()
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
