# SPDX-License-Identifier: GPL-2.0-or-later
"""What single guests are made of: kernel, suite, images, and an accelerator that was proved."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path

from ci.cells.guest.guest_cell import GuestCell, suite_error
from ci.cells.guest.payloads import Payloads
from ci.cells.guest.saved_guests import SavedGuests
from ci.cells.guest.shares import wanted_guests
from ci.model.stages import CellResult
from ci.plan.build_tasks import Kernels, RunContext
from configs.model import Arch, SuiteChoice
from configs.result import Cell
from guests.host.host import Host
from guests.qemu.machine import UnfitKernelError, kernel_of
from guests.run.accel import UNKNOWN_SCALE, Accelerator, prove_accel
from initramfs.base import base_image, files_image
from initramfs.packages import guest_packages
from kernels.build.build import Build
from kernels.build.external_modules import ExternalModuleError, ModuleKernel, NoObjectsError, build_modules
from kernels.build.modules import MODULES, unpack_modules
from testcases.suite import OwnModules, Payload, SuiteError
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
        kernels: Kernels,
        payloads: Payloads,
        folder: Path,
        host: Host,
        took: Callable[[Cell, str], float | None],
    ) -> None:
        self._shared, self._folder, self._host, self._took = shared, folder, host, took
        self._kernels = kernels
        self.payloads = payloads
        self._saved = SavedGuests(shared.emit, shared.stop)
        self._lock = threading.Lock()
        self._images: dict[tuple[str, bool], Future[Path]] = {}
        self._accels: dict[tuple[str, str, str], Future[Accelerator]] = {}

    def of(
        self, cell: Cell, build: Build, suite_variant: str, attempt: int, *, shell: bool = False
    ) -> GuestCell | CellResult:
        """What the cell's guest is made of, with `shell` the tools of a shell too; or the cell's result where none is
        possible."""
        blank = self.blank(cell, suite_variant, attempt)
        if not build.ok:
            return blank.model_copy(update={"not_run": f"the kernel does not build: {build.failure}"})
        payload = self.payloads.of(cell, suite_variant)
        if isinstance(payload, SuiteError):
            return suite_error(blank, payload)
        try:
            return self.made(blank, build, replace(payload, shell=shell or payload.shell))
        except SuiteError as error:
            return suite_error(blank, error)
        except (NoObjectsError, UnfitKernelError) as error:
            return blank.model_copy(update={"not_run": str(error)})

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
        """Waits for the images and, where the guest is not counted, for the proof of the accelerator. Raises SuiteError
        where modules of the suite do not build on this kernel, NoObjectsError where none can, UnfitKernelError."""
        arch = self._arch(blank.cell)
        if payload.machine in arch.machines and not self._choice(blank.cell).machine:
            blank = blank.model_copy(update={"machine": payload.machine})
        kernel_of(arch.machines[blank.machine], build.folder)  # before anything is made for a guest that cannot be
        image = self._image(arch, payload.shell).result()
        return GuestCell(
            blank=blank,
            arch=arch,
            build=build,
            payload=payload,
            base_image=image,
            archives=self._archives(blank.cell, arch, build, payload),
            memory_mb=max(payload.memory_mb, self._shared.plan.profile.memory_mb),
            accel=COUNTED_ACCEL
            if payload.counted
            else self._accel(arch, blank.machine, blank.cell.flavour, build, image).result(),
            folder=self._folder,
            fresh=self._shared.plan.fresh,
            host=self._host,
            usual=partial(self._took, blank.cell),
            saved=self._saved,
            guests=wanted_guests(self._choice(blank.cell), payload),
        )

    def _archives(self, cell: Cell, arch: Arch, build: Build, payload: Payload) -> tuple[Path, ...]:
        """What the suite's guests have beside the base image: packages, the kernel's modules where it has some, and the
        suite's own."""
        shared, modules = self._shared, build.output(MODULES)
        archives = guest_packages(payload.packages, arch.debian_arch, shared.emit, shared.stop)
        if payload.modules and modules.is_file():
            archives = (*archives, files_image(unpack_modules(modules), shared.emit, shared.stop))
        if payload.kernel_image:
            kernel = {"boot/vmlinuz": build.output("image").read_bytes()}
            archives = (*archives, files_image(kernel, shared.emit, shared.stop))
        return (*archives, self._own_modules(cell, payload.own_modules)) if payload.own_modules else archives

    def _own_modules(self, cell: Cell, own: OwnModules) -> Path:
        """The archive of a suite's own modules for the kernel of a cell. Raises SuiteError where they do not build."""
        shared, name = self._shared, (cell.variant, cell.arch, cell.flavour)
        with_objects = partial(self._kernels.with_objects, *name)
        kernel = ModuleKernel(self._kernels.request(*name), self._kernels.of(*name), with_objects)
        try:
            folder = build_modules(own.sources, kernel, shared.store, shared.jobserver, shared.emit, shared.stop)
        except ExternalModuleError as error:
            raise SuiteError(f"its modules do not build on the kernel: {error}") from None
        made = {f"{own.place}/{path.relative_to(folder)}": path.read_bytes() for path in sorted(folder.rglob("*.ko"))}
        return files_image(made, shared.emit, shared.stop)

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
