# SPDX-License-Identifier: GPL-2.0-or-later
"""One report of every kind (`reports.yaml`, and the traps of both architectures), as any number of boots print it."""

import random
from pathlib import Path

import yaml

COMMS = ("prog", "kworker/u4:6", "kworker/1:2H", "ksoftirqd/0", "with blank", "a-b", "(deleted)", "cc1plus")
_HEAD = """
CPU: {cpu} PID: {pid} Comm: {comm} Not tainted 6.1.0 #1
"""
_X86 = f"""PREEMPT SMP{_HEAD}Hardware name: QEMU
RIP: 0010:{{func}}+0x{{off}}/0x90
RSP: 0018:{{addr}} EFLAGS: 00010246
Call Trace:
 <TASK>
 caller+0x20/0x40
 </TASK>
---[ end trace 0000000000000000 ]---
"""
_ARM64 = f"""PREEMPT SMP
Modules linked in:{_HEAD}pstate: 60000005 (nZCv daif -PAN -UAO)
pc : {{func}}+0x{{off}}/0x90
lr : caller+0x18/0x30
sp : {{addr}}
Call trace:
 {{func}}+0x{{off}}/0x90
 caller+0x20/0x40
Code: aa1e03e9 d503201f
---[ end trace 0000000000000000 ]---
"""
X86_TRAPS = """
divide error, overflow, invalid opcode, coprocessor segment overrun, invalid TSS, segment not present, alignment check,
Split lock detected, stack guard page, double fault, bounds, int3, simd exception, fpu exception,
unexpected #NM exception, iret exception, Bad pagetable, Oops, debug, spurious interrupt, control protection fault
"""
"""What arch/x86 hands to die()."""
ARM64_ERRORS = """
SP/PC alignment exception, level 1 (translation table walk), alignment fault, unknown 17, aarch32 BKPT,
level 3 synchronous parity error (translation table walk), Oops - BTI, Oops - Undefined instruction,
Oops - undefined instruction, Oops - FPAC, Oops - CFI, Oops - BUG, Oops - KASAN, Oops - GCS, Oops - bad mode, Oops,
synchronous external abort, Unsupported atomic hardware update fault, implementation fault (lockdown abort),
UBSAN: array index out of bounds
"""
"""What arch/arm64 hands to die()."""

Sample = tuple[str, str, str, str]
"""Name, kind, title, text; with placeholders in the last two."""


def _x86(name: str) -> list[Sample]:
    """A trap as 5.10 to 6.1 print it, and as later ones do."""
    text, title = f"{name}: 0000 [#{{n}}] {_X86}", f"{name} in {{func}}"
    return [(f"x86 {name}", "oops", title, text), (f"x86 Oops {name}", "oops", title, f"Oops: {text}")]


def _arm64(name: str) -> Sample:
    text = f"Internal error: {name}: 0000000096000004 [#{{n}}] {_ARM64}"
    return f"arm64 {name}", "oops", f"Internal error: {name} in {{func}}", text


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.replace("\n", " ").split(", ") if word.strip()]


def _listed() -> list[Sample]:
    entries = yaml.safe_load(Path(__file__).with_name("reports.yaml").read_text(encoding="utf-8"))
    return [(entry["name"], entry["kind"], entry["title"], entry["text"]) for entry in entries]


REPORTS: list[Sample] = [
    *(sample for name in _words(X86_TRAPS) for sample in _x86(name)),
    *(_arm64(name) for name in _words(ARM64_ERRORS)),
    *_listed(),
]


def boot(text: str, seed: int, func: str = "victim") -> str:
    """The report as boot number `seed` prints it."""
    dice = random.Random(seed)
    values = {
        "comm": COMMS[seed % len(COMMS)],
        "pid": dice.randrange(2, 9999),
        "cpu": dice.randrange(8),
        "addr": f"ffff8880{dice.randrange(1 << 32):08x}",
        "line": dice.randrange(1, 4000),
        "n": dice.randrange(1, 90),
        "off": f"{dice.randrange(1, 0x80):x}",
        "func": func,
    }
    body = text.strip("\n").format(**values).split("\n")
    lines = ["Linux version 6.1.0 (test)", "a line before", *body, "clocksource: time goes on", "a line behind"]
    stamp = dice.random() * 90
    return "".join(f"[{stamp + place / 1000:12.6f}] {line}\n" for place, line in enumerate(lines))
