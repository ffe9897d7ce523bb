# SPDX-License-Identifier: GPL-2.0-or-later
"""The run of one guest as a state machine: what arrives goes in, what happened comes out. It does no input or output.

    POWERED --first byte--> KERNEL --HELLO--> READY --START--> STEP --EXIT--> READY ... --END--> DONE

Times are seconds of `guests.host.clock.FairClock`. The guest enforces the timeout of a step itself; the deadlines
here are for a guest that can no longer do that.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from guests.crash.outcome import End, StepOutcome
from initramfs import records
from initramfs.job import GRACE, GuestJob, Mode

PATIENCE, WAIT = 40.0, 5.0
"""Seconds that a step may take whatever it took on base: the kernel's own detectors (soft lockup up to 28 s, RCU stall
21 s) must be able to speak first. WAIT: the same for a guest whose processors are all idle; nothing speaks there."""
SLOW, STILL = 8.0, 2.0
"""How many times as long as on base a step may take beyond that, and one in which every processor is idle."""


class GuestPhase(StrEnum):
    POWERED = "powered"
    KERNEL = "kernel"
    READY = "ready"
    STEP = "step"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds, already scaled for the accelerator. `first_byte`: power-on to the first byte of the console; `boot`:
    power-on to HELLO; `lifeless`: without any sign of life, longer than the kernel's own detectors take (soft lockup
    20 s, RCU stall 21 s), so that they can speak first; `grace`: what a step may take beyond its own timeout before the
    guest is ended from outside; `farewell`: from END, a panic or a shutdown event to QEMU's end; `total`: all of it.
    """

    first_byte: float
    boot: float
    lifeless: float
    grace: float
    farewell: float
    total: float

    def later(self, seconds: float) -> "Deadlines":
        """For a machine that is switched on so much later."""
        first, boot, total = (limit + seconds for limit in (self.first_byte, self.boot, self.total))
        return replace(self, first_byte=first, boot=boot, total=total)


def deadlines(job: GuestJob, boot: float, total: float | None = None) -> Deadlines:
    """The usual deadlines for a job. `boot` is in seconds as given; `total` unscaled seconds, by default the sum of the
    steps' timeouts and what lies between them."""
    scale = max(1.0, job.time_scale)
    grace = 3 * GRACE * scale + 10
    steps = sum(step.timeout * job.time_scale + grace for step in job.steps)
    boot = max(boot, 3 * scale)
    return Deadlines(
        first_byte=boot,
        boot=boot,
        lifeless=30.0 + 2 * scale * job.heartbeat,
        grace=grace,
        farewell=5.0 + scale,
        total=total * scale if total else boot + steps + 60.0,
    )


@dataclass(slots=True)
class StepState:
    """What is known of a step so far."""

    how: str = "never-ran"
    value: int = 0
    nanoseconds: int = 0
    started: float = 0.0
    ended: float = 0.0
    stdout: bytearray = field(default_factory=bytearray)
    stderr: bytearray = field(default_factory=bytearray)
    files: dict[str, bytearray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Watch:
    """Feed it with `console`, `results`, `event` and `tick`; `verdict` is set once the run need not go on, and `closed`
    settles it when QEMU is gone. `verdict` is (end, one line)."""

    def __init__(
        self,
        job: GuestJob,
        limits: Deadlines,
        on_step: Callable[[int], None] = lambda _step: None,
        usual: Callable[[str], float | None] = lambda _name: None,
        patience: float = PATIENCE,
        slow: float = SLOW,
        on_waiting: Callable[[], None] | None = None,
    ) -> None:
        """`on_step` is called with the number of each step that starts. `usual` says how many seconds a step of this
        name takes on another kernel, None while that is not known; `patience` and `slow` replace the usual ones.
        `on_waiting` is called when a copy of a saved guest waits for the time of day; no other guest may."""
        self.job = job
        self.limits = limits
        self.phase = GuestPhase.POWERED
        self.verdict: tuple[End, str] | None = None
        self.steps = [StepState() for _ in job.steps]
        self.current: int | None = None
        self.notes: list[str] = []
        self.taint = 0
        self.hello_at: float | None = None
        self._on_step = on_step
        self._usual = usual
        self._on_waiting = on_waiting
        self._patience, self._wait, self._slow = patience, min(WAIT, patience), slow
        self._decoder = records.Decoder()
        self._text = b""
        self._panic = ""
        self._init_error = ""
        self._init_started = False
        self._last_line = ""
        self._last_sign = 0.0
        self._farewell: float | None = None
        self._shutdown = ""
        self._wrong = ""
        self._now = 0.0
        self._idle = 0.0

    # What arrives

    def console(self, data: bytes, now: float) -> None:
        """Bytes of the kernel's log. Only what decides the run's course is looked at here; triage reads all of it."""
        self._now = self._last_sign = now
        if self.phase is GuestPhase.POWERED:
            self.phase = GuestPhase.KERNEL
        *lines, self._text = (self._text + data).split(b"\n")
        for line in lines:
            self._console_line(line.decode("utf-8", "replace").strip("\r"))

    def _console_line(self, line: str) -> None:
        if line.strip():
            self._last_line = line.strip()
        if "Run /" in line and "as init process" in line:
            self._init_started = True
        if line.endswith(_HALTS):
            self._shutdown = self._shutdown or "guest-shutdown"  # a machine that cannot switch itself off halts
            self._farewell = self._farewell or self._now
        if _INIT_ERROR in line:
            self._init_error = line[line.index(_INIT_ERROR) :].strip()
        if "Kernel panic - not syncing" in line and not self._panic:
            self._panic = line[line.index("Kernel panic") :].strip()
            self._farewell = self._farewell or self._now

    def results(self, data: bytes, now: float) -> None:
        """Bytes of the result channel."""
        self._now = self._last_sign = now
        for record in self._decoder.feed(data):
            self._record(record)
        if self._decoder.corrupt:
            self._break(self._decoder.corrupt)

    def event(self, name: str, data: dict[str, Any], now: float) -> None:
        """A QMP event."""
        self._now = now
        if name == "SHUTDOWN":
            self._shutdown = str(data.get("reason", "unknown"))
            self._farewell = self._farewell or now

    def status(self, name: str) -> None:
        """QMP's run state, asked for after a STOP."""
        if name == "internal-error" and not self.verdict:
            self.verdict = (End.ACCEL_FAILED, "the accelerator gave up: QEMU stopped the guest with `internal-error`")

    # What it means

    def _record(self, record: records.Record) -> None:
        match record:
            case records.Heartbeat() if self.phase is GuestPhase.DONE:
                pass  # it presses out what its queue still held
            case _ if self.phase is GuestPhase.DONE:
                self._break(f"a {type(record).__name__} record after the end marker")
            case records.Hello():
                self._hello(record)
            case records.Waiting():
                self._waits()
            case _ if self.hello_at is None:
                self._break(f"a {type(record).__name__} record before HELLO")
            case records.StepStart(step) if self._known(step):
                self._start(step)
            case records.StepExit(step, how, value, nanoseconds) if self._known(step):
                state = self.steps[step]
                state.how, state.value, state.nanoseconds, state.ended = str(how), value, nanoseconds, self._now
                self.current, self.phase = None, GuestPhase.READY
            case records.Output(step, stream, data) if self._known(step):
                (self.steps[step].stdout if stream == 1 else self.steps[step].stderr).extend(data)
            case records.FileRecord(step, name, data) if self._known(step):
                self.steps[step].files.setdefault(name, bytearray()).extend(data)
            case records.Note(step, text):
                (self.notes if step is None or not self._known(step) else self.steps[step].notes).append(text)
            case records.EndMark(nonce):
                self._end(nonce)
            case records.Taint(word):
                self.taint = word

    def _waits(self) -> None:
        if self._on_waiting and self.hello_at is None:
            self._on_waiting()
        else:
            self._break("init waits for a job, and has one")

    def _hello(self, record: records.Hello) -> None:
        if self.hello_at is not None:
            self._break("a second HELLO: init was started twice")
        elif record.version != records.VERSION:
            self._break(f"init speaks version {record.version} of the records, not {records.VERSION}")
        elif record.nonce != self.job.nonce:
            self._break(f"HELLO with the nonce `{record.nonce}` of another run")
        elif record.steps != len(self.job.steps):
            self._break(f"init read {record.steps} steps, not {len(self.job.steps)}")
        else:
            self.hello_at, self.phase = self._now, GuestPhase.READY

    def _start(self, step: int) -> None:
        state = self.steps[step]
        if state.how != "never-ran":
            self._break(f"step {step} started twice")
            return
        state.how, state.started = "unfinished", self._now
        self.current, self.phase = step, GuestPhase.STEP
        self._on_step(step)

    def _end(self, nonce: str) -> None:
        if nonce != self.job.nonce:
            self._break(f"end marker with the nonce `{nonce}` of another run")
        elif missing := [s.name for s, state in zip(self.job.steps, self.steps, strict=True) if not _over(state)]:
            self._break(f"end marker, but step `{missing[0]}` was not reported")
        else:
            self.phase, self._farewell = GuestPhase.DONE, self._now

    def _known(self, step: int) -> bool:
        if step < len(self.steps):
            return True
        self._break(f"a record for step {step} of {len(self.steps)}")
        return False

    def _break(self, what: str) -> None:
        self._wrong = self._wrong or what
        if not self.verdict:
            self.verdict = (End.CORRUPT, self._wrong)

    def tick(self, now: float, idle: float = 0.0) -> None:
        """Looks at the deadlines. `idle` is for how many seconds no processor of the guest has executed anything to
        speak of."""
        self._now, self._idle = now, idle
        if self.verdict:
            return
        limits = self.limits
        if self._farewell is not None:
            if now - self._farewell > limits.farewell:
                self.verdict = self._settled("")
        elif self.phase is GuestPhase.POWERED and now > limits.first_byte:
            self.verdict = (End.SILENT, f"not one byte on the console in {now:.0f} s")
        elif self.hello_at is None and now > limits.boot:
            self.verdict = self._never_ready(now)
        elif self.hello_at is None or self.job.mode == Mode.SHELL:
            return
        elif now > limits.total:
            self.verdict = (End.DEADLINE, f"not finished in {now:.0f} s{self._during()}")
        elif now - self._last_sign > limits.lifeless:
            self.verdict = (End.HUNG, f"no sign of life for {now - self._last_sign:.0f} s{self._during()}")
        elif self.current is not None:
            self._step_deadline(self.current, now)

    def _step_deadline(self, current: int, now: float) -> None:
        step, state = self.job.steps[current], self.steps[current]
        allowed = step.timeout * self.job.time_scale + self.limits.grace
        silent = now - self._last_sign
        if now - state.started > allowed and silent > 4 * self.job.heartbeat + 1:
            self.verdict = (End.HUNG, f"no sign of life for {silent:.0f} s{self._during()}")
        elif now - state.started > allowed:
            text = f"step `{step.name}` hangs: no end in {now - state.started:.0f} s, and the guest could not kill it"
            self.verdict = (End.TEST_HUNG, text)
        elif (usual := self._usual(step.name)) is not None:
            self._unusual(step.name, now - state.started, usual)

    def _unusual(self, name: str, taken: float, usual: float) -> None:
        """A step that takes many times as long as on base has hung, and so has, a little sooner, one that waits."""
        text = f"step `{name}` hangs: no end in {taken:.0f} s, and base took {usual:.1f} s for it"
        if taken > self._slow * usual + self._patience:
            self.verdict = (End.TEST_HUNG, text)
        elif self._idle > self._wait and taken > STILL * usual + self._wait:
            self.verdict = (End.TEST_HUNG, f"{text}; no processor has executed anything for {self._idle:.0f} s")

    def _never_ready(self, now: float) -> tuple[End, str]:
        last = f"; last line: {self._last_line}" if self._last_line else ""
        if self._init_started:
            return End.NO_INIT, f"init was started and said nothing in {now:.0f} s{last}"
        return End.SILENT, f"the kernel stopped before init ({now:.0f} s){last}"

    def closed(self, returncode: int, complaint: str) -> tuple[End, str]:
        """QEMU is gone, and everything that it sent was fed: the final word."""
        if self._text:
            self._console_line(self._text.decode("utf-8", "replace").strip("\r"))
        if self.verdict and self.verdict[0] is not End.CORRUPT:
            return self.verdict
        if returncode == 0 and not self._shutdown:
            self._shutdown = "guest-reset"  # gone before QMP was up; with -no-reboot a good end is the guest's doing
        if not self._shutdown and self.phase is not GuestPhase.DONE and not self._panic and not self.verdict:
            return End.QEMU_DIED, _death(returncode, complaint) + self._during()
        return self._settled(complaint)

    def _settled(self, complaint: str) -> tuple[End, str]:
        """The end of a guest that took its leave in some way: panic, reset, power-off, end marker."""
        if self._panic:
            return self._panic_end()
        if self.verdict:
            return self.verdict
        if self.phase is GuestPhase.DONE:
            return End.FINISHED, "finished"
        if self._init_error and self.hello_at is None:
            return End.NO_INIT, self._init_error
        pending = self._decoder.pending
        cut = f"; the result channel was cut off in mid-record ({pending} bytes)" if pending else ""
        end, what = _SHUTDOWNS.get(self._shutdown, (End.QEMU_DIED, ""))
        what = what or f"QEMU was shut down ({self._shutdown or complaint or 'no reason given'})"
        return end, f"{what}{self._during()}{cut}"

    def _panic_end(self) -> tuple[End, str]:
        if self.hello_at is None and any(word in self._panic for word in _INIT_PANICS):
            return End.NO_INIT, self._panic
        return End.PANIC, self._panic + self._during()

    def _during(self) -> str:
        if self.current is not None:
            return f" (during step `{self.job.steps[self.current].name}`)"
        return " (before init)" if self.hello_at is None else ""

    def outcomes(self) -> tuple[StepOutcome, ...]:
        """Every step of the job, in order, as far as it got."""
        return tuple(
            StepOutcome(
                step=step,
                how=state.how,
                value=state.value,
                seconds=state.nanoseconds / 1e9,
                fair_seconds=max(0.0, state.ended - state.started),
                stdout=bytes(state.stdout),
                stderr=bytes(state.stderr),
                files=tuple((name, bytes(data)) for name, data in state.files.items()),
                notes=tuple(state.notes),
            )
            for step, state in zip(self.job.steps, self.steps, strict=True)
        )


_INIT_PANICS = ("Attempted to kill init", "No working init found", "Requested init", "Unable to mount root fs")
"""Panics in init/main.c, init/do_mounts.c and kernel/exit.c that are about init rather than about the kernel."""

_SHUTDOWNS = {
    "guest-reset": (End.RESET, "reset without the end marker"),
    "guest-shutdown": (End.POWERED_OFF, "powered off without the end marker"),
}
"""By the `reason` of QMP's SHUTDOWN event (qapi/run-state.json)."""
_HALTS = ("reboot: System halted", "reboot: Power down")
"""kernel/reboot.c."""
_INIT_ERROR = "rig-init: cannot go on"
"""What our own init says on the console before it gives up (initramfs/init/main.c)."""


def _over(state: StepState) -> bool:
    return state.how not in ("never-ran", "unfinished")


def _death(returncode: int, complaint: str) -> str:
    import signal

    if returncode < 0:
        text = f"QEMU was killed by {signal.Signals(-returncode).name}"
    else:
        text = f"QEMU ended with status {returncode}"
    last = complaint.splitlines()[-1] if complaint else ""
    return f"{text}: {last}" if last else text
