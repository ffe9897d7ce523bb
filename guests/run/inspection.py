# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks a guest that no longer answers what it does, before it is ended.

Three ways, from the outside in. QEMU tells where each processor stands, whatever state the guest is in. A serial break
followed by a letter is the kernel's magic key (Documentation/admin-guide/sysrq.rst), served while interrupts are: the
stacks of the running and of the blocked tasks then stand in the log. On x86 a non-maskable interrupt reaches even a
processor that has interrupts off, and with `unknown_nmi_panic` the kernel answers with a panic and its trace.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from configs.model import Arch, Machine
from guests.qemu.qmp import Control

SYSRQ_KEYS = b"lwt"
"""`l`: stacks of all active processors; `w`: tasks in uninterruptible sleep; `t`: all tasks."""
BETWEEN_KEYS = 0.3
AFTER_NMI = 1.0


@dataclass(frozen=True, slots=True)
class Inspection:
    """`counters` are (processor, program counter) as QEMU saw them; empty if it was not asked or did not answer."""

    counters: tuple[tuple[int, int], ...] = ()


async def inspect_guest(control: Control, send: Callable[[bytes], object], arch: Arch, machine: Machine) -> Inspection:
    """Takes the registers, then makes the kernel print what it can; that arrives on the console."""
    counters = program_counters(await control.registers(), arch)
    for key in SYSRQ_KEYS:
        if not machine.magic_key:
            await control.ask("chardev-send-break", {"id": "console"})
        send(bytes(ord(letter) & 0x1F for letter in machine.magic_key) + bytes((key,)))
        await asyncio.sleep(BETWEEN_KEYS)
    if machine.nmi and await control.ask("inject-nmi") is not None:
        await asyncio.sleep(AFTER_NMI)
    return Inspection(counters)


def program_counters(registers: str, arch: Arch) -> tuple[tuple[int, int], ...]:
    """(processor, program counter) of each processor in the answer to `info registers -a`."""
    found, cpu = [], 0
    counter = re.compile(rf"^CPU#(?P<cpu>\d+)|{arch.qemu_counter}", re.MULTILINE)
    for match in counter.finditer(registers):
        if match["cpu"]:
            cpu = int(match["cpu"])
        else:
            found.append((cpu, int(match["pc"], 16)))
    return tuple(found)
