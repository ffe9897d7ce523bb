# SPDX-License-Identifier: GPL-2.0-or-later
"""Which cells' guests go on from a saved one (`guests.run.saved`): one for each kernel, machine and options."""

import hashlib
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from guests.host.host import LOCAL
from guests.qemu.machine import machine_of
from guests.run.qemu import qemu_version
from guests.run.request import GuestRequest, SavedGuest
from guests.run.saved import save_guest, waiting
from initramfs.job import Mode
from util.errors import MachineError, UserError
from util.events import Listener
from util.files.cached import cached_folder, code_digest
from util.paths import cache
from util.stop import Stop

SWITCH = "RIG_GUESTS"
SAVED, BOOTED = "saved", "booted"
_CODE = ("configs/archs", "guests", "initramfs")
"""The files of the rig that a saved guest depends on."""


def wanted_saved() -> bool:
    """Whether guests may go on from saved ones. Raises UserError for a word that the switch does not know."""
    word = os.environ.get(SWITCH, "") or BOOTED
    if word not in (SAVED, BOOTED):
        raise UserError(f"{SWITCH}={word}: must be {SAVED} or {BOOTED}")
    return word == SAVED


def unfit(request: GuestRequest) -> str:
    """Why this guest has to be booted, or nothing."""
    if request.counted or request.plugin:
        return "its instructions are counted, from the first one on"
    if request.devices:
        return "it has disks or network cards of its own"
    if request.accel != "tcg":
        return f"no guest is saved under {request.accel}"
    if request.host is not LOCAL:
        return "no guest is saved on another machine"
    return "it is a shell" if request.job.mode == Mode.SHELL else ""


class SavedGuests:
    """The saved guests of one run. What could not be saved is not tried again."""

    def __init__(self, emit: Listener, stop: Stop) -> None:
        self._emit, self._stop = emit, stop
        self._lock = threading.Lock()
        self._failures: dict[str, str] = {}

    def find(
        self, request: GuestRequest, kernel: str, token: Callable[[], AbstractContextManager[None]]
    ) -> tuple[SavedGuest | None, str]:
        """The guest that this one can be a copy of, from the cache or saved now, else why there is none. `kernel` names
        the kernel's content; a guest is booted while `token` is held. Raises Stopped, UserError."""
        if not wanted_saved():
            return None, ""
        if reason := unfit(request):
            return None, reason
        key = key_of(request, kernel)
        with self._lock:
            known = self._failures.get(key, "")
        if known:
            return None, known

        def make(folder: Path) -> None:
            with token():
                save_guest(waiting(request, self._stop), SavedGuest(folder), self._stop)

        try:
            name = f"save {request.arch.name} {request.machine}"
            return SavedGuest(cached_folder(cache("saved"), key, self._stop, make, self._emit, name)), ""
        except MachineError as error:
            with self._lock:
                self._failures[key] = str(error)
            return None, str(error)


def key_of(request: GuestRequest, kernel: str) -> str:
    """Hexadecimal name of all that a saved guest depends on. The last archive is a cell's own."""
    parts = (
        kernel,
        request.machine,
        request.smp or machine_of(request.arch, request.machine).smp,
        request.memory_mb,
        request.append,
        request.parallel,
        request.accel,
        request.pin is not None,
        [f"{part.parent.name}/{part.name}" for part in request.initrd[:-1] if isinstance(part, Path)],
        qemu_version(request.arch.qemu, request.host),
        code_digest(*_CODE),
    )
    return hashlib.sha256(repr((request.arch.name, parts)).encode()).hexdigest()[:32]
