# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest is to do: the file `/rig/job`, written here and read by `init/job.c`.

The file is a row of strings, each ended by NUL, numbers in decimal:

    rig-job/2  nonce  mode  heartbeat-ns  grace-ns  answer-ns
    number of sysctls   { name value }
    number of steps     { name cwd timeout-ns  argc { arg }  envc { NAME=value }  number of files { path } }
    end

Times are already scaled for the accelerator, so that the guest holds no floating point and no opinion.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from util.errors import UserError

MAGIC = "rig-job/2"
PATH = "rig/job"
"""Where the file stands in the image."""
GRACE = 2.0
"""Seconds, at bare metal speed, in which what was killed must be gone; after that it counts as unkillable."""
STEP_LIMIT = 4096
STRING_LIMIT = 64 * 1024
_NONCE = re.compile(r"[0-9A-Za-z._-]{1,64}\Z")
_SYSCTL = re.compile(r"[0-9A-Za-z_-]+(?:[./][0-9A-Za-z_-]+)+\Z")
_VARIABLE = re.compile(r"[A-Za-z_][0-9A-Za-z_]*\Z")
_SECOND = 1_000_000_000
_LONGEST = 30 * 24 * 3600


class Mode(StrEnum):
    RUN = "run"
    SHELL = "shell"
    WAIT = "wait"
    """For the files of another job, which come on the result channel: a guest that is to be saved."""


@dataclass(frozen=True, slots=True)
class Step:
    """One program of a job. `argv[0]` is looked up in PATH unless it holds a slash; `env` comes on top of init's small
    environment; `timeout` is in seconds at bare metal speed; `collect` names files of the guest that are sent back
    after the step (as FILE records), whatever its end; `slow_env` comes on top of `env` where the accelerator is slow
    (`time_scale` above 1), with `{scale}` in a value replaced by the scale, rounded up."""

    name: str
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    cwd: str = "/"
    timeout: float = 60.0
    collect: tuple[str, ...] = ()
    slow_env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class GuestJob:
    """The steps of one guest, in order. `time_scale` stretches every timeout (slow accelerator), `heartbeat` is the
    time in seconds between two signs of life (not scaled), `sysctls` are written below /proc/sys before the first
    step. `answer` is for how many seconds (not scaled) the guest waits at its end for the host to say that it has read
    everything, before it presses out itself what its queue still holds; 0 where nobody answers, as a file."""

    nonce: str
    steps: tuple[Step, ...] = ()
    time_scale: float = 1.0
    heartbeat: float = 0.5
    mode: Mode | str = Mode.RUN
    sysctls: tuple[tuple[str, str], ...] = ()
    answer: float = 0.05


def encode(job: GuestJob) -> bytes:
    """The bytes of `/rig/job`. Raises UserError for a job that the guest could not carry out as it is written."""
    _check_job(job)
    return b"".join(_encoded(text) for text in _strings(job))


def _strings(job: GuestJob) -> Iterator[str]:
    yield from (MAGIC, job.nonce, str(job.mode))
    yield from (_nanoseconds(job.heartbeat, 1.0), _nanoseconds(GRACE, max(job.time_scale, 1.0)))
    yield str(round(job.answer * _SECOND))
    yield str(len(job.sysctls))
    for name, value in job.sysctls:
        yield from (name.replace(".", "/") if "/" not in name else name, value)
    yield str(len(job.steps))
    for step in job.steps:
        yield from (step.name, step.cwd, _nanoseconds(step.timeout, job.time_scale))
        yield from (str(len(step.argv)), *step.argv)
        env = _environment(step, job.time_scale)
        yield from (str(len(env)), *(f"{name}={value}" for name, value in env))
        yield from (str(len(step.collect)), *step.collect)
    yield "end"


def _environment(step: Step, scale: float) -> tuple[tuple[str, str], ...]:
    if scale <= 1:
        return step.env
    return (*step.env, *((name, value.replace("{scale}", str(math.ceil(scale)))) for name, value in step.slow_env))


def _check_job(job: GuestJob) -> None:
    if not _NONCE.match(job.nonce):
        raise UserError(f"job: nonce {job.nonce!r}: 1 to 64 letters, digits, dots, dashes or underscores")
    if job.mode not in tuple(Mode):
        raise UserError(f"job: mode `{job.mode}` is none of `run`, `shell` and `wait`")
    if len(job.steps) > STEP_LIMIT:
        raise UserError(f"job: {len(job.steps)} steps: more than {STEP_LIMIT}; split the job")
    if not 0.01 <= job.heartbeat <= 60:
        raise UserError(f"job: heartbeat {job.heartbeat} s: must lie between 0.01 and 60")
    if not 0 <= job.answer <= 60:
        raise UserError(f"job: answer {job.answer} s: must lie between 0 and 60")
    for name, _value in job.sysctls:
        if not _SYSCTL.match(name):
            raise UserError(f"job: `{name}` is no sysctl; write it as `kernel.panic` or `net/ipv4/conf`")
    for step in job.steps:
        _check_step(step, job.time_scale)


def _check_step(step: Step, time_scale: float) -> None:
    if not step.name or not step.name.isprintable():
        raise UserError(f"job: step {step.name!r}: a name is one line of printable text")
    if not step.argv or not step.argv[0]:
        raise UserError(f"job: step `{step.name}` names no program")
    if not 0 < step.timeout * time_scale <= _LONGEST:
        raise UserError(f"job: step `{step.name}`: timeout {step.timeout} s x {time_scale} is not within 30 days")
    if not step.cwd.startswith("/") or not all(path.startswith("/") for path in step.collect):
        raise UserError(f"job: step `{step.name}`: paths in the guest start with a slash")
    for name, _value in (*step.env, *step.slow_env):
        if not _VARIABLE.match(name):
            raise UserError(f"job: step `{step.name}`: {name!r} is no name of a variable")


def _nanoseconds(seconds: float, scale: float) -> str:
    return str(max(1, round(seconds * scale * _SECOND)))


def _encoded(text: str) -> bytes:
    data = text.encode("utf-8", "surrogateescape")
    if b"\0" in data or len(data) >= STRING_LIMIT:
        raise UserError(f"job: {text[:40]!r}: a string holds no NUL and fewer than {STRING_LIMIT} bytes")
    return data + b"\0"
