# SPDX-License-Identifier: GPL-2.0-or-later
"""What single guests are made of: kernel, suite, images, and an accelerator that was proved."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from ci.cells.guest.guest_cell import GuestCell, suite_error
from ci.cells.guest.payloads import Payloads
from ci.cells.guest.saved_guests import SavedGuests
from ci.model.stages import CellResult
from ci.plan.build_tasks import RunContext
from configs.model import Arch, SuiteChoice
from configs.result import Cell
from guests.host.host import Host
from guests.qemu.machine import kernel_of
from guests.run.accel import UNKNOWN_SCALE, Accelerator, prove_accel
from initramfs.base import base_image, modules_image
from initramfs.packages import guest_packages
from kernels.build.build import Build
from kernels.build.modules import MODULES
from testcases.suite import Payload, SuiteError
from util.children.tasks import succeeded

COUNTED_ACCEL = Accelerator("tcg", UNKNOWN_SCALE, why="only TCG counts instructions")
"""A constant, not measured: with a time scale that follows the host, guests would have different timers on each
host."""


class GuestMaker:
    """The guests of one run. `took` says what base took for a step of a cell, in seconds of the fair clock, or
    None."""

    def __init__(
        self,
        shared: RunContext,
        payloads: Payloads,
        folder: Path,
        host: Host,
        took: Callable[[Cell, str], float | None],
    ) -> None:
        self._shared, self._folder, self._host, self._took = shared, folder, host, took
        self.payloads = payloads
        self._saved = SavedGuests(shared.emit, shared.stop)
        self._lock = threading.Lock()
        self._images: dict[tuple[str, bool], Future[Path]] = {}
        self._accels: dict[tuple[str, str, str], Future[Accelerator]] = {}

    def of(self, cell: Cell, build: Build, suite_variant: str, attempt: int) -> GuestCell | CellResult:
        """What the cell's guest is made of, or the cell's result where none is possible."""
        blank = self.blank(cell, suite_variant, attempt)
        if not build.ok:
            return blank.model_copy(update={"not_run": f"the kernel does not build: {build.failure}"})
        payload = self.payloads.of(cell, suite_variant)
        return suite_error(blank, payload) if isinstance(payload, SuiteError) else self.made(blank, build, payload)

    def blank(self, cell: Cell, suite_variant: str, attempt: int) -> CellResult:
        """The cell's result before there is one."""
        choice = self._choice(cell)
        return CellResult(
            cell=cell,
            attempt=attempt,
            suite_variant="" if suite_variant == self._shared.variants.judged.name else suite_variant,
            machine=choice.machine or self._arch(cell).default_machine,
            reproduce=(*self._shared.plan.command_for(cell), *(("--host", self._host.name) if self._host.name else ())),
        )

    def _choice(self, cell: Cell) -> SuiteChoice:
        return next(choice for choice in self._shared.plan.profile.suites if choice.name == cell.suite)

    def _arch(self, cell: Cell) -> Arch:
        return next(target.arch for target in self._shared.plan.targets if target.arch.name == cell.arch)

    def made(self, blank: CellResult, build: Build, payload: Payload) -> GuestCell:
        """Waits for the images and, where the guest is not counted, for the proof of the accelerator."""
        arch = self._arch(blank.cell)
        image = self._image(arch, payload.shell).result()
        return GuestCell(
            blank=blank,
            arch=arch,
            build=build,
            payload=payload,
            base_image=image,
            archives=self._archives(arch, build, payload),
            memory_mb=max(payload.memory_mb, self._shared.plan.profile.memory_mb),
            accel=COUNTED_ACCEL
            if payload.counted
            else self._accel(arch, blank.machine, blank.cell.flavour, build, image).result(),
            folder=self._folder,
            fresh=self._shared.plan.fresh,
            host=self._host,
            usual=partial(self._took, blank.cell),
            saved=self._saved,
            isolated=self._choice(blank.cell).isolated,
        )

    def _archives(self, arch: Arch, build: Build, payload: Payload) -> tuple[Path, ...]:
        """What the suite's guests have beside the base image: packages, and the kernel's modules where it has some."""
        shared, modules = self._shared, build.output(MODULES)
        packages = guest_packages(payload.packages, arch.debian_arch, shared.emit, shared.stop)
        if not payload.modules or not modules.is_file():
            return packages
        return (*packages, modules_image(modules, shared.emit, shared.stop))

    def accels(self) -> dict[str, Accelerator]:
        """The accelerator that was proved, by architecture; of several, one that is a fallback."""
        found = [(arch, future.result()) for (arch, *_rest), future in self._accels.items() if succeeded(future)]
        return dict(sorted(found, key=lambda pair: bool(pair[1].fallback)))

    def _image(self, arch: Arch, shell: bool) -> "Future[Path]":
        """The base image of an architecture, with a busybox where the suite runs shell scripts."""
        with self._lock:
            if (arch.name, shell) not in self._images:
                self._images[arch.name, shell] = self._shared.tasks.start(self._make_image, arch, shell)
            return self._images[arch.name, shell]

    def _make_image(self, arch: Arch, shell: bool) -> Path:
        return base_image(arch, self._shared.emit, self._shared.stop, shell=shell)

    def _accel(self, arch: Arch, machine: str, flavour: str, build: Build, image: Path) -> "Future[Accelerator]":
        """One proof for each architecture, machine and flavour, by the first kernel that is ready."""
        key = (arch.name, machine, flavour)
        with self._lock:
            if key not in self._accels:
                kernel = kernel_of(arch.machines[machine], build.folder)
                self._accels[key] = self._shared.tasks.start(self._prove, arch, machine, flavour, kernel, image)
            return self._accels[key]

    def _prove(self, arch: Arch, machine: str, flavour: str, kernel: Path, image: Path) -> Accelerator:
        shared = self._shared
        with shared.jobserver.token(shared.stop):
            return prove_accel(
                shared.plan.accel, arch, machine, kernel, image, shared.emit, shared.stop, flavour, self._host
            )
