# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks at the machine before a run does: tools, disk, memory, mirror, sandbox, KVM."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ci.machine import npm
from configs.host import Lack, lacks, mend_command
from kernels.sandbox.sandbox import GAPS, KINDS, SWITCH, probe, sandbox_kind
from testcases.registry import package_files
from util.errors import MachineError, RigError
from util.paths import cache_root, called_as

DISK_GB = 12
"""Free space that a first `check` of two architectures needs: sources 2, worktrees 3, builds 4, and room to spare."""
MEMORY_GB = 4


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line of the doctor: `ok`, or what is wrong and what to do. A warning does not stop a run."""

    name: str
    ok: bool
    text: str
    warning: bool = False


def examine(archs: Iterable[str]) -> tuple[list[Diagnosis], list[Lack]]:
    """Everything that the doctor has to say of the architectures of these names, and the missing tools among it."""
    missing = lacks(archs, suites=package_files())
    findings = [_lack(lack) for lack in missing]
    if not missing:
        findings.append(Diagnosis("tools", True, "all there"))
    return [*findings, *_npm(), _disk(), _memory(), _sandbox(), _kvm()], missing


def _npm() -> list[Diagnosis]:
    """Only the rig's own tests use them, so that a lack is a warning."""
    if not npm.wanted():
        return []
    if npm.modules().is_dir():
        return [Diagnosis("npm", True, f"the packages of configs/npm are in {npm.modules()}")]
    text = f"the packages of configs/npm are missing, for tests: `{called_as()} doctor --mend` fetches them"
    return [Diagnosis("npm", False, text, True)]


def mend_npm() -> str:
    """Fetches npm's packages where they are wanted; the line to say where that failed."""
    try:
        if npm.wanted():
            npm.install()
    except MachineError as error:
        return f"the packages of configs/npm cannot be fetched: {error}; tests that need them are skipped"
    return ""


def _lack(lack: Lack) -> Diagnosis:
    optional = lack.need == "checks"
    end = "; without it those checks of single patches are skipped" if optional else ""
    return Diagnosis(lack.name, False, f"missing, for {lack.need}: package {' '.join(lack.packages)}{end}", optional)


def mend(missing: list[Lack]) -> None:
    """Installs the missing packages. Raises MachineError with the package manager's status."""
    command = mend_command(missing)
    update = (*command[: command.index("apt-get") + 1], "update", "-q")
    for step in (update, command):
        status = subprocess.run(step, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, check=False).returncode
        if status:
            raise MachineError(f"`{' '.join(step)}` ended with status {status}")


def _disk() -> Diagnosis:
    free = shutil.disk_usage(cache_root()).free / 1e9
    text = f"{free:.0f} GB free in {cache_root()}"
    if free >= DISK_GB:
        return Diagnosis("disk", True, text)
    return Diagnosis(
        "disk", False, f"{text}; a first run wants {DISK_GB} GB: free some, or `{called_as()} clean`", True
    )


def _memory() -> Diagnosis:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    ok = total >= MEMORY_GB
    return Diagnosis("memory", ok, f"{total:.0f} GB" + ("" if ok else f"; builds want {MEMORY_GB} GB"), not ok)


def _sandbox() -> Diagnosis:
    """The sandbox that builds will run in, and what it does not hold back. None is a warning: only builds need it."""
    try:
        kind = sandbox_kind()
    except RigError as error:
        return Diagnosis("sandbox", False, str(error), True)
    if kind == KINDS[0]:
        return Diagnosis("sandbox", True, f"{kind} works")
    asked = f"{SWITCH}={kind}" if os.environ.get(SWITCH) else f"bwrap: {probe(KINDS[0])}; {kind} works"
    return Diagnosis("sandbox", False, f"{asked}: {GAPS[kind]}; see docs/sandbox.md", True)


def _kvm() -> Diagnosis:
    device = Path("/dev/kvm")
    if not device.exists():
        return Diagnosis("kvm", True, "no /dev/kvm: guests run under TCG")
    if not os.access(device, os.R_OK | os.W_OK):
        return Diagnosis(
            "kvm", False, "/dev/kvm is there but may not be opened: guests run under TCG (join group kvm)", True
        )
    return Diagnosis("kvm", True, "/dev/kvm opens; whether it boots a kernel is proved by the first guest")
