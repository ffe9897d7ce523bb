# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMU command line of a guest, built from the `machines:` part of an architecture's file.

Two forms of one machine: wired to the rig (console on QEMU's stdin and stdout, results and QMP on inherited sockets),
and to be repeated by hand (console on the terminal, results into a file).
"""

import shlex
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from configs.model import Arch, Machine
from guests.qemu.devices import NO_DEVICES, Devices, device_arguments
from util.errors import UserError

PORT_NAME = "rig.results"
"""The virtio-serial port that init looks for."""
CHANNELS = ("console", "results", "qmp")
GENERAL_APPEND = (
    *("panic=-1", "printk.time=1", "ignore_loglevel", "kasan_multi_shot"),
    *("random.trust_cpu=on", "random.trust_bootloader=on"),
)
"""Kernel parameters for every guest: a panic ends the machine at once (with -no-reboot) while an oops goes on; the log
carries times; no test can turn the console down, and KASAN does not fall silent after its first report, so that every
report is seen; getrandom() never waits for entropy."""

DISCARDED = "rr=record,rrfile=/dev/null"
"""A recording that nobody wants to keep."""
COUNTED_OPTIONS = (
    *("-icount", f"shift=0,sleep=off,{DISCARDED}"),
    *("-rtc", "base=2020-01-01,clock=vm"),
    *("-seed", "1"),
)
"""A guest whose clock is the number of instructions that it executed, one for each nanosecond. An idle guest is moved
on to its next timer at once, the clock of the day is the guest's own too, and what QEMU hands out as random (RDRAND,
the seed in the device tree) is the same each time.

QEMU moves an idle guest on from its main loop, which sees a processor halt before the instructions up to there are
counted: its thread says so without the lock (helper_hlt, helper_wfi in QEMU's target/), and counts later
(icount_process_data). A main loop that is awake in that moment adds the way to the next timer to a clock that is late,
and the tick comes some instructions later: seen in 4 of 6 guests that slept 10,000 times on a busy host. While a run is
recorded, main loop and processor take turns (`replay_mutex`), so each event falls on a fixed instruction. The recording
itself is not wanted here; `bench.guests.exact` replays one."""
COUNTED_APPEND = ("nokaslr", "norandmaps")


@dataclass(frozen=True, slots=True)
class Spec:
    """What the guest consists of. `initrd` is one path that QEMU can open; `accel` is `tcg`, `kvm` or `hvf`; `pin` is
    the one processor of the host that QEMU may use, None for all; where `saved`, the initrd is the URI of a saved guest
    to go on from, made with the same of everything else; `disk_file` is what `guests.qemu.devices.disk_file` gave."""

    arch: Arch
    machine: str
    kernel: Path
    initrd: str
    accel: str
    memory_mb: int
    smp: int
    append: tuple[str, ...] = ()
    label: str = ""
    parallel: bool = False
    counted: bool = False
    pin: int | None = None
    plugin: str = ""
    saved: bool = False
    devices: Devices = NO_DEVICES
    disk_file: str = ""


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where the rig's ends of the channels are, each as the value of a `-chardev`."""

    console: str
    results: str
    qmp: str


def sockets(results: int, qmp: int) -> Wiring:
    """The console on stdin and stdout, the others on sockets that are open in QEMU under these numbers."""
    return Wiring("stdio,id=console,signal=off", f"socket,id=results,fd={results}", f"socket,id=qmp,fd={qmp}")


def pipes(folder: str) -> Wiring:
    """Each on two FIFOs in a folder: `console.in` for what QEMU reads, `console.out` for what it writes, and so on."""
    console, results, qmp = (f"pipe,id={name},path={_escaped(f'{folder}/{name}')}" for name in CHANNELS)
    return Wiring(console, results, qmp)


class UnfitKernelError(UserError):
    """The machine starts no kernel of this configuration."""


def machine_of(arch: Arch, name: str) -> Machine:
    """The machine by name, the architecture's default for an empty one. Raises UserError that lists the known ones."""
    name = name or arch.default_machine
    if name not in arch.machines:
        raise UserError(f"{arch.name} has no machine `{name}` (known: {', '.join(arch.machines)})")
    return arch.machines[name]


def image_of(machine: Machine, lines: Set[str]) -> str:
    """The name of the build output to boot: the machine's first choice if a kernel with these kconfig lines can start
    there, else its second."""
    fits = lines >= set(machine.image_needs) and lines.isdisjoint(machine.image_refuses)
    return machine.image if fits or not machine.image_otherwise else machine.image_otherwise


@lru_cache(maxsize=32)
def _lines(config: Path, _changed: int, _size: int) -> frozenset[str]:
    """A kernel's configuration, for which each of its guests asks; read again where the file is another."""
    return frozenset(line.strip() for line in config.read_text(encoding="utf-8", errors="replace").splitlines())


def kernel_of(machine: Machine, build: Path) -> Path:
    """What `-kernel` takes of a finished build's folder, by the `config` that lies in it. Raises UnfitKernelError."""
    config = build / "config"
    found = config.stat()
    lines = _lines(config, found.st_mtime_ns, found.st_size)
    lacking = set(machine.image_needs) - lines
    if lacking and not machine.image_otherwise:
        wanted = ", ".join(sorted(lacking))
        raise UnfitKernelError(
            f"the machine starts only kernels with {wanted}: name that in the profile's `config`, or another machine"
        )
    return build / image_of(machine, lines)


def wired_command(spec: Spec, wiring: Wiring) -> tuple[str, ...]:
    """The command line of a guest under the rig's control."""
    return (
        *_common(spec),
        *("-chardev", wiring.console, "-serial", "chardev:console"),
        *("-chardev", wiring.results),
        *("-chardev", wiring.qmp, "-mon", "chardev=qmp,mode=control"),
        *(("-incoming", spec.initrd) if spec.saved else ()),
    )


def hand_command(spec: Spec, results: Path) -> tuple[str, ...]:
    """The same guest for a person: console and QEMU's monitor (Ctrl-A C) on the terminal, records into a file."""
    return (
        *_common(spec),
        *("-serial", "mon:stdio"),
        *("-chardev", f"file,id=results,path={_escaped(str(results))}"),
    )


def terminal_command(spec: Spec, control: int) -> tuple[str, ...]:
    """The same guest with the console on QEMU's stdin and stdout, every key going to the guest, and the result channel
    on a socket that is open in QEMU under the number `control`."""
    return (
        *_common(spec),
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
        *("-chardev", f"socket,id=results,fd={control}"),
    )


def debug_command(spec: Spec, console: Path, stub: Path) -> tuple[str, ...]:
    """The same guest, stopped before its first instruction, with a debugging stub on the UNIX socket `stub`. The
    console goes to a file; what init reports is taken and dropped."""
    return (
        *_common(spec),
        *("-serial", f"file:{_escaped(str(console))}"),
        # Not QEMU's `null` device: that one counts as unplugged, and init would wait for it to take the records.
        *("-chardev", "file,id=results,path=/dev/null"),
        *("-gdb", f"unix:{_escaped(str(stub))},server=on,wait=off", "-S"),
    )


def check_counted(arch: Arch, name: str) -> None:
    """Raises UserError for a machine on which instructions cannot be counted."""
    if machine_of(arch, name).counted is None:
        able = [name for name, machine in arch.machines.items() if machine.counted]
        raise UserError(f"{arch.name}: no instructions are counted on machine `{name}` (but on: {', '.join(able)})")


def _common(spec: Spec) -> tuple[str, ...]:
    machine = machine_of(spec.arch, spec.machine)
    counted = machine.counted if spec.counted else None
    options = (machine.parallel_options if spec.parallel else machine.accel_options).get(spec.accel, "")
    bus = (counted and counted.serial_device) or machine.serial_device
    return (
        *(() if spec.pin is None else ("taskset", "-c", str(spec.pin))),
        spec.arch.qemu,
        *("-name", _escaped(spec.label or "guest")),
        *("-no-user-config", "-nodefaults", "-no-reboot", "-display", "none"),
        *machine.args,
        *("-accel", f"{spec.accel},{options}" if options else spec.accel),
        *("-cpu", (counted and counted.cpu) or spec.arch.cpu[spec.accel]),
        *("-smp", str(spec.smp), "-m", str(spec.memory_mb)),
        *(COUNTED_OPTIONS if counted else ()),
        *(("-plugin", spec.plugin) if spec.plugin else ()),
        *_image(machine, spec),
        # None of them is needed, and one that answers when the host has time for it would be felt.
        *(word for device in (() if counted else machine.devices) for word in ("-device", device)),
        *device_arguments(machine, spec.devices, spec.disk_file),
        *("-device", bus, "-device", f"virtserialport,chardev=results,name={PORT_NAME}"),
    )


def _image(machine: Machine, spec: Spec) -> tuple[str, ...]:
    """What is booted; a saved guest has it in its memory."""
    if spec.saved:
        return ()
    append = " ".join((*_append(machine, spec), *spec.append))
    return ("-kernel", str(spec.kernel), "-initrd", spec.initrd, "-append", append)


def _append(machine: Machine, spec: Spec) -> tuple[str, ...]:
    counted = (*COUNTED_APPEND, *machine.counted.append) if machine.counted and spec.counted else ()
    return (*machine.append, *machine.accel_append.get(spec.accel, ()), *GENERAL_APPEND, *counted)


def check_accel(arch: Arch, accel: str) -> None:
    """Raises UserError for an accelerator that the architecture's file does not name a CPU for."""
    if accel not in arch.cpu:
        raise UserError(f"{arch.name} has no accelerator `{accel}` (known: {', '.join(arch.cpu)})")


def _escaped(text: str) -> str:
    """A value inside a comma-separated QEMU option."""
    return text.replace(",", ",,")


def as_shell(command: Sequence[str]) -> str:
    """The command on several lines, an option to a line, ready to paste."""
    lines = [shlex.quote(command[0])]
    for word in command[1:]:
        if word.startswith("-"):
            lines.append(f"    {shlex.quote(word)}")
        else:
            lines[-1] += f" {shlex.quote(word)}"
    return " \\\n".join(lines)
