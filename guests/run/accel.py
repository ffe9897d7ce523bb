# SPDX-License-Identifier: GPL-2.0-or-later
"""Which accelerator serves, and how fast it is. Proved by a boot, not guessed (decision 6 of the design).

`/dev/kvm` may open, create machines and processors, and still never run a kernel. So the kernel under test is booted
once with an empty job; the answer is kept in the cache for this host, this QEMU and this machine. The same boot
measures the time scale: how many times longer than on bare metal a program of the guest may take.
"""

import hashlib
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from configs.model import Arch
from guests.crash.outcome import End, Outcome
from guests.host.host import LOCAL, Host
from guests.qemu.machine import machine_of
from guests.run.guest_state import Deadlines, deadlines
from guests.run.qemu import qemu_version
from guests.run.request import GuestRequest
from guests.run.run import run_guest
from initramfs.base import job_image
from initramfs.job import GuestJob
from util.errors import MachineError, UserError
from util.events import Event, Listener, Phase
from util.files.seal import sealed_json, unsealed_json
from util.paths import cache
from util.stop import Stop

WISHES = ("auto", "kvm", "tcg", "hvf")
NATIVE = {"kvm": "Linux", "hvf": "Darwin"}
"""The hardware accelerators, and the system on which each exists."""
REFERENCE_BOOT = 0.1
"""Processor seconds from power-on to init, QEMU's own start included, of a small kernel with hardware virtualisation.
Firecracker (NSDI 2020) gives at most 0.125 s of wall time for the same road."""
UNKNOWN_SCALE = 20.0
"""For a software accelerator on which the kernel under test did not reach init: nothing could be measured."""
HARDWARE_LIMITS = Deadlines(first_byte=5.0, boot=10.0, lifeless=5.0, grace=5.0, farewell=5.0, total=15.0)


@dataclass(frozen=True, slots=True)
class Accelerator:
    """`time_scale` belongs into the Job, `boot_seconds` is the processor time that it was made from (0.0 if unknown),
    `why` is one line on how the choice came about, empty where it was explicit; `fallback` says why hardware that is
    there does not serve, empty where it does or there is none."""

    name: str
    time_scale: float
    boot_seconds: float = 0.0
    why: str = ""
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class AccelProof:
    """One boot on one accelerator."""

    works: bool
    seen: str
    boot_seconds: float
    settled: bool = True
    """False if it says nothing about the accelerator, because the kernel itself did not come up."""


def prove_accel(
    wish: str, arch: Arch, machine: str, kernel: Path, initrd: Path, emit: Listener, stop: Stop, flavour: str = "plain",
    host: Host = LOCAL,
) -> Accelerator:  # fmt: skip
    """The accelerator of `host` for `wish` (one of WISHES), proved with `kernel` and the base image `initrd`.

    `flavour` separates what is remembered: a kernel with KASAN is slower. Raises UserError for an unknown wish,
    MachineError if an explicit one does not work, with what was seen; Stopped.
    """
    if wish not in WISHES:
        raise UserError(f"no accelerator `{wish}` (known: {', '.join(WISHES)})")
    prover = _Prover(arch, machine or arch.default_machine, kernel, initrd, flavour, host, emit, stop)
    if wish == "tcg":
        return prover.software("")
    if wish == "auto":
        candidates = [name for name, system in NATIVE.items() if name in arch.cpu and host.system == system]
    else:
        candidates = [wish]
    reasons: list[str] = []
    there: list[str] = []
    for name in candidates:
        missing = absent(name, arch, host)
        reason = missing or unfit(name, host)
        proof = None if reason else prover.proof(name)
        if proof and proof.works:
            return Accelerator(name, scale_of(proof.boot_seconds), proof.boot_seconds, proof.seen)
        reasons.append(f"{name}: {reason or (proof.seen if proof else '')}")
        there += [] if missing else reasons[-1:]
    if wish != "auto":
        raise MachineError(f"accelerator {reasons[0]}; `--accel tcg` works everywhere")
    return replace(prover.software("; ".join(reasons)), fallback="; ".join(there))


def absent(name: str, arch: Arch, host: Host = LOCAL) -> str:
    """Why there is no such hardware accelerator for this architecture on the host, or nothing."""
    if host.system != NATIVE[name]:
        return f"exists on {NATIVE[name]} only"
    if host.machine != arch.native_machine:
        return f"a {host.machine} host does not run {arch.native_machine} natively"
    if name not in arch.cpu:
        return f"{arch.name} names no CPU for it"
    if name == "kvm" and host.run("test", "-e", "/dev/kvm").status:
        return "there is no /dev/kvm"
    return ""


def unfit(name: str, host: Host = LOCAL) -> str:
    """Why an accelerator that is there cannot be used, or nothing."""
    if name == "kvm":
        opened = host.run("sh", "-c", ": <>/dev/kvm")
        if opened.status:
            return f"/dev/kvm: {opened.stderr.rpartition(': ')[2]}"
    return ""


def scale_of(boot_seconds: float) -> float:
    """The time scale of an accelerator on which a boot takes so much processor time; never below 1."""
    return round(max(1.0, boot_seconds / REFERENCE_BOOT), 1)


def host_identity(host: Host = LOCAL) -> str:
    """What the answer depends on: the host, its processor, its kernel."""
    words = [host.run(*command).stdout for command in (("uname", "-smr"), ("cat", "/etc/machine-id"))]
    models = [line for line in host.run("cat", "/proc/cpuinfo").stdout.splitlines() if line.startswith("model name")]
    return "|".join((host.name, *words, *models[:1]))


@dataclass(frozen=True, slots=True)
class _Prover:
    arch: Arch
    machine: str
    kernel: Path
    initrd: Path
    flavour: str
    host: Host
    emit: Listener
    stop: Stop

    def software(self, why: str) -> Accelerator:
        """TCG, measured."""
        proof = self.proof("tcg")
        if not proof.works:
            return Accelerator(
                "tcg", UNKNOWN_SCALE, 0.0, "; ".join(part for part in (why, f"tcg: {proof.seen}") if part)
            )
        return Accelerator("tcg", scale_of(proof.boot_seconds), proof.boot_seconds, why)

    def proof(self, name: str) -> AccelProof:
        """What is remembered of an accelerator, or else what a boot shows."""
        path = self._path(name)
        known = _read(path)
        if known:
            return known
        found = self._boot(name)
        if found.settled:
            _write(path, found)
        return found

    def _path(self, name: str) -> Path:
        smp = machine_of(self.arch, self.machine).smp
        facts = (
            host_identity(self.host),
            qemu_version(self.arch.qemu, self.host),
            self.arch.name,
            self.machine,
            str(smp),
            name,
            self.flavour,
        )
        return cache("accel") / f"{hashlib.sha256(chr(0).join(facts).encode()).hexdigest()[:24]}.json"

    def _boot(self, name: str) -> AccelProof:
        step = f"probe {self.arch.name} {name}"
        self.emit(Event(step, Phase.START, f"booting {self.kernel.name} once"))
        outcome = self._outcome(name)
        works = outcome.end is End.FINISHED
        seen = f"boots ({outcome.ready_seconds:.2f} s of processor time)" if works else _what(outcome)
        settled = works or (name != "tcg" and self._tcg_boots())
        self.emit(Event(step, Phase.DONE if works else Phase.NOTE, seen))
        return AccelProof(works, seen, outcome.ready_seconds if works else 0.0, settled)

    def _tcg_boots(self) -> bool:
        """Whether the kernel comes up in software: only then is a boot that failed the accelerator's fault."""
        return self.proof("tcg").works

    def _outcome(self, name: str) -> Outcome:
        job = GuestJob(nonce=f"probe-{os.getpid()}", time_scale=UNKNOWN_SCALE if name == "tcg" else 1.0)
        request = GuestRequest(
            arch=self.arch,
            machine=self.machine,
            kernel=self.kernel,
            vmlinux=None,
            initrd=(self.initrd, job_image(job)),
            job=job,
            accel=name,
            folder=cache("accel", f"probe-{os.getpid()}-{self.arch.name}-{name}"),
            label=f"probe {self.arch.name} {name}",
            limits=deadlines(job, boot=60.0) if name == "tcg" else HARDWARE_LIMITS,
            inspect=False,
            host=self.host,
        )
        try:
            return run_guest(request, self.emit, self.stop)
        finally:
            _remove(request.folder)


def _what(outcome: Outcome) -> str:
    return f"{outcome.end}: {outcome.message}"


def _read(path: Path) -> AccelProof | None:
    try:
        return AccelProof(**unsealed_json(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None  # absent, or of another version of the rig


def _write(path: Path, proof: AccelProof) -> None:
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(sealed_json(asdict(proof)), encoding="utf-8")
    part.replace(path)


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
