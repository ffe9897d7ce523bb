# SPDX-License-Identifier: GPL-2.0-or-later
"""Drives one guest: one private event loop listens to console, result channel, QMP and process, and feeds the watch."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import IO, Any

from guests.crash.outcome import End
from guests.host.clock import FairClock, IdleMeter
from guests.qemu.devices import disk_file
from guests.qemu.initrd import anonymous_initrd, padded
from guests.qemu.machine import machine_of
from guests.qemu.qmp import Control
from guests.run import saved
from guests.run.guest_state import Deadlines, GuestPhase, Watch
from guests.run.inspection import Inspection, inspect_guest
from guests.run.qemu import Qemu
from guests.run.request import GuestRequest, spec_of
from util.stop import Stop

LOG = "console.log"
TIMES = "console.times"
TICK = 0.1
"""Seconds between two looks at deadlines and the stop."""
REST = 0.02
"""Seconds for which a console that said little is left alone: QEMU writes byte by byte, and to wake for each would take
the processor from the guest."""
MUCH = 1024
WORTH_ASKING = frozenset((End.HUNG, End.TEST_HUNG, End.SILENT, End.NO_INIT, End.DEADLINE))


@dataclass(slots=True)
class Driven:
    """What came of it. `arrivals` are (offset in console.log, seconds since power-on) of each piece; `starts`
    are (seconds, step number) of each step's start."""

    end: End
    message: str
    watch: Watch
    arrivals: list[tuple[int, float]]
    starts: list[tuple[float, int]]
    ready_cpu: float
    fair_seconds: float
    inspection: Inspection = field(default_factory=Inspection)


def drive(request: GuestRequest, limits: Deadlines, stop: Stop, on_step: Callable[[int], None]) -> Driven:
    """Boots the request's guest and watches it until the end. `on_step` is called with the number of each step.

    Raises SavedGoneError, MachineError, UserError, Stopped; QEMU is gone in any case.
    """
    with ExitStack() as stack:
        log = stack.enter_context((request.folder / LOG).open("wb", buffering=0))
        times = stack.enter_context((request.folder / TIMES).open("w", encoding="ascii"))
        return asyncio.run(_Driver(request, limits, stop, on_step, times).go(log))


class _Driver:
    def __init__(
        self, request: GuestRequest, limits: Deadlines, stop: Stop, on_step: Callable[[int], None], times: IO[str]
    ) -> None:
        self._request = request
        self._watch = Watch(
            request.job,
            limits,
            self._step_started,
            request.usual,
            request.patience,
            request.slow,
            on_waiting=self._answer if request.saved else None,
        )
        self._stop = stop
        self._on_step = on_step
        self._times = times
        self._arrivals: list[tuple[int, float]] = []
        self._starts: list[tuple[float, int]] = []
        self._ready_cpu = 0.0
        self._now = 0.0
        self._size = 0
        self._answers = self._copy_needs() if request.saved else iter(())
        self._sending: list[asyncio.Future[None]] = []
        self._thanked = False
        self._wake = asyncio.Event()
        self._gone = False

    async def go(self, log: IO[bytes]) -> Driven:
        request = self._request
        before, initrd = saved.opened(request.saved) if request.saved else (b"", anonymous_initrd(request.initrd))
        with ExitStack() as stack:
            stack.callback(_close, initrd)
            spec = spec_of(request, "", stack.enter_context(disk_file(request.devices)))
            start = request.host.starter(spec, request.initrd, self._stop)
            self._born = time.monotonic()
            self._qemu = stack.enter_context(Qemu(start, initrd, log))
            self._clock = FairClock(self._qemu.process.pid)
            self._idle = IdleMeter(self._qemu.process.pid, request.host.used_seconds)
            self._control = Control(self._on_event)
            loop = asyncio.get_running_loop()
            self._listen(loop)
            self._control.start(self._qemu.qmp)
            self._qemu.already(before)
            self._answer()
            try:
                await self._until_over()
                inspection = await self._inspect()
            finally:
                returncode = self._qemu.kill()
                self._deafen(loop)
                for sending in self._sending:
                    sending.cancel()
                await self._control.close()
            self._console()
            self._results()
            end, message = self._watch.closed(returncode, self._qemu.complaints())
        return Driven(end, message, self._watch, self._arrivals, self._starts, self._ready_cpu, self._now, inspection)

    # A copy of a saved guest

    def _copy_needs(self) -> Iterator[bytes]:
        """What a copy is sent: first its job, then, when it asks, the time of day."""
        yield saved.message(b"".join(padded(self._request.initrd[-1:])))
        yield saved.time_of_day()

    def _answer(self) -> None:
        """The next of it; nothing to a guest that boots."""
        if data := next(self._answers, b""):
            self._sending.append(asyncio.ensure_future(self._loop.sock_sendall(self._qemu.results, data)))

    async def _until_over(self) -> None:
        while not self._gone and not self._watch.verdict:
            self._stop.check()
            self._now = self._clock.now()
            self._watch.tick(self._now, self._idle.seconds(self._now))
            self._wake.clear()
            try:
                async with asyncio.timeout(TICK):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _inspect(self) -> Inspection:
        """A guest that hangs is asked what it does, before it is ended."""
        if self._gone or not self._request.inspect:
            return Inspection()
        if not self._watch.verdict or self._watch.verdict[0] not in WORTH_ASKING:
            return Inspection()
        machine = machine_of(self._request.arch, self._request.machine)
        return await inspect_guest(self._control, self._qemu.send, self._request.arch, machine)

    # What arrives

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        loop.add_reader(self._qemu.console, self._console_ready)
        loop.add_reader(self._qemu.results.fileno(), self._results)
        loop.add_reader(self._qemu.pidfd, self._exited)

    def _deafen(self, loop: asyncio.AbstractEventLoop) -> None:
        for descriptor in (self._qemu.console, self._qemu.results.fileno(), self._qemu.pidfd):
            loop.remove_reader(descriptor)

    def _console_ready(self) -> None:
        if self._console() < MUCH:
            descriptor = self._qemu.console
            self._loop.remove_reader(descriptor)
            self._loop.call_later(REST, self._console_again)

    def _console_again(self) -> None:
        if not self._gone and self._qemu.console >= 0:
            self._loop.add_reader(self._qemu.console, self._console_ready)

    def _console(self) -> int:
        data = self._qemu.read_console()
        if data:
            seconds = time.monotonic() - self._born
            self._arrivals.append((self._size, seconds))
            self._times.write(f"{self._size} {seconds:.3f}\n")
            self._size += len(data)
            self._watch.console(data, self._now)
            self._wake_if_over()
        return len(data)

    def _results(self) -> None:
        self._console()  # what the kernel printed before it sent this comes first
        data = self._qemu.read_results()
        if not data and not self._gone:
            self._loop.remove_reader(self._qemu.results.fileno())  # the end of the stream; the process is to follow
        ready = self._watch.hello_at is not None
        self._watch.results(data, self._now)
        if not ready and self._watch.hello_at is not None:
            awake = time.monotonic() - self._born - self._arrivals[0][1] if self._arrivals else 0.0
            used = self._request.host.used_seconds(self._qemu.process.pid)
            self._ready_cpu = awake if used is None else used
        if self._watch.phase is GuestPhase.DONE and not self._thanked:
            self._thanked = True
            with suppress(OSError):
                self._qemu.results.send(b"\n")  # all has arrived: the guest need not see to that itself
        self._wake_if_over()

    def _step_started(self, step: int) -> None:
        self._starts.append((time.monotonic() - self._born, step))
        self._on_step(step)

    def _wake_if_over(self) -> None:
        if self._watch.verdict:
            self._wake.set()

    def _exited(self) -> None:
        self._gone = True
        self._loop.remove_reader(self._qemu.pidfd)
        self._wake.set()

    def _on_event(self, name: str, data: dict[str, Any]) -> None:
        self._watch.event(name, data, self._now)
        if name == "STOP":
            self._question = asyncio.ensure_future(self._ask_status())
        self._wake.set()

    async def _ask_status(self) -> None:
        answer = await self._control.ask("query-status")
        if isinstance(answer, dict):
            self._watch.status(str(answer.get("status", "")))
            self._wake.set()


def _close(descriptor: int) -> None:
    import os

    os.close(descriptor)
