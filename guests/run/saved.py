# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that is booted once, saved behind init, and gone on with in copies.

Saved is what waits in `initramfs/init/await.c`; a copy gets its job on the result channel, with random numbers of the
host, and the time of day. What a copy has of its own: channels, nonce, job, files, random numbers, clock. What all have
in common: what the kernel drew at random while it booted, such as its own address (KASLR).
"""

import asyncio
import os
import secrets
import shlex
import struct
import time
from dataclasses import replace
from pathlib import Path
from typing import IO

from guests.host.clock import FairClock
from guests.qemu.initrd import anonymous_initrd
from guests.qemu.qmp import Control
from guests.run.qemu import Qemu
from guests.run.request import GuestRequest, SavedGuest, spec_of
from initramfs.base import compile_nothing, job_image
from initramfs.cpio import program
from initramfs.job import GuestJob, Mode
from initramfs.records import Decoder, Waiting
from util.errors import MachineError
from util.stop import Stop

_MAGIC = b"rigcopy1"
_SEED = 64
_LOOK = 0.01
"""Seconds between two looks at a guest that boots, and at QEMU that saves it."""
_WRITE = 60.0
"""Seconds in which it has to be saved."""


class SavedGoneError(Exception):
    """A saved guest whose files are not there any more; one line."""


def opened(guest: SavedGuest) -> tuple[bytes, int]:
    """What the kernel had printed when the guest was saved, which is the start of the log of each copy, and a
    descriptor of what was saved. The caller closes it. Raises SavedGoneError."""
    try:
        return guest.console.read_bytes(), os.open(guest.state, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SavedGoneError(f"{error.filename}: {error.strerror}") from None


def message(archive: bytes) -> bytes:
    """What a copy is sent first: the archive of its job, and a seed for its random numbers."""
    return _MAGIC + struct.pack("<Q", len(archive)) + secrets.token_bytes(_SEED) + archive


def time_of_day() -> bytes:
    """What it is sent when it asks again."""
    return struct.pack("<Q", time.time_ns())


def waiting(request: GuestRequest, stop: Stop) -> GuestRequest:
    """The request's guest without what is a cell's own: the last archive, which holds its job and files.

    Raises MachineError where there is no compiler for the architecture, Stopped."""
    job = GuestJob(nonce="waiting", mode=Mode.WAIT, time_scale=request.job.time_scale)
    archive = job_image(job, (program("rig/nothing", compile_nothing(request.arch, stop).read_bytes()),))
    return replace(request, job=job, initrd=(*request.initrd[:-1], archive), label="saved", saved=None)


def save_guest(request: GuestRequest, saved: SavedGuest, stop: Stop) -> None:
    """Boots what `waiting` made of a request and saves it into a folder that is there.

    Raises MachineError where it does not come up or cannot be saved, Stopped.
    """
    with saved.console.open("wb", buffering=0) as log:
        asyncio.run(_save(request, saved.state, log, stop))


async def _save(request: GuestRequest, file: Path, log: IO[bytes], stop: Stop) -> None:
    start = request.host.starter(spec_of(request, ""), request.initrd, stop)
    initrd = anonymous_initrd(request.initrd)
    control = Control(lambda _name, _data: None)
    try:
        with Qemu(start, initrd, log) as qemu:
            control.start(qemu.qmp)
            try:
                await _until_waiting(qemu, request, stop)
                await _write(control, file, stop)
                qemu.read_console()
            finally:
                qemu.kill()
                await control.close()
    finally:
        os.close(initrd)


async def _until_waiting(qemu: Qemu, request: GuestRequest, stop: Stop) -> None:
    clock, decoder = FairClock(qemu.process.pid), Decoder()
    while True:
        stop.check()
        gone = qemu.process.poll() is not None
        qemu.read_console()
        if any(isinstance(record, Waiting) for record in decoder.feed(qemu.read_results())):
            return
        if gone:
            raise MachineError(f"the guest to be saved did not come up: {qemu.complaints() or 'it ended'}")
        if clock.now() > request.boot_deadline:
            raise MachineError(f"the guest to be saved did not come up in {request.boot_deadline:.0f} s")
        await asyncio.sleep(_LOOK)


async def _write(control: Control, file: Path, stop: Stop) -> None:
    end = time.monotonic() + _WRITE
    await control.ready()
    await control.ask("migrate-set-parameters", {"max-bandwidth": 1 << 40})
    if await control.ask("migrate", {"uri": f"exec:cat >{shlex.quote(str(file))}"}) is None:
        raise MachineError("QEMU does not save this guest")
    while time.monotonic() < end:
        stop.check()
        answer = await control.ask("query-migrate")
        status = answer.get("status") if isinstance(answer, dict) else None
        if status == "completed":
            return
        if status not in ("setup", "active", "device", "pre-switchover"):
            raise MachineError(f"QEMU did not save the guest: {status or 'no answer'}")
        await asyncio.sleep(_LOOK)
    raise MachineError(f"QEMU did not save the guest in {_WRITE:.0f} s")
